"""What outlives a run, in PostgreSQL."""

from collections.abc import Iterator, Mapping
from typing import Any

from psycopg.types.json import Jsonb

from kindling.errors import KindlingError
from kindling.ports.standing import Fact
from kindling.stores.postgres import connect

#: Columns of a Fact, in its order.
_FACT = "number, topic, key, value, at"


class PostgresStanding:
    """StandingStore over PostgreSQL: each method is a short transaction of its own."""

    def __init__(self, url: str) -> None:
        self._url = url

    def append(self, topic: str, key: str, value: Mapping[str, Any]) -> Fact:
        """Add a fact; a key may have many, of which the newest counts."""
        with connect(self._url) as connection:
            row = connection.execute(
                "INSERT INTO standing_fact (topic, key, value) VALUES (%s, %s, %s)"
                f" RETURNING {_FACT}",
                (topic, key, Jsonb(dict(value))),
            ).fetchone()
        return Fact(*_present(row))

    def put_once(self, topic: str, key: str, value: Mapping[str, Any]) -> Fact:
        """The key's first fact: this one, or the one that came before it."""
        with connect(self._url) as connection:
            row = connection.execute(
                "INSERT INTO standing_fact (topic, key, value, once) VALUES (%s, %s, %s, true)"
                " ON CONFLICT (topic, key) WHERE once DO NOTHING"
                f" RETURNING {_FACT}",
                (topic, key, Jsonb(dict(value))),
            ).fetchone()
        if row is None:
            # In a transaction of its own, which sees what the winner has committed.
            with connect(self._url) as connection:
                row = connection.execute(
                    f"SELECT {_FACT} FROM standing_fact WHERE topic = %s AND key = %s AND once",
                    (topic, key),
                ).fetchone()
        return Fact(*_present(row))

    def get(self, topic: str, key: str) -> Fact | None:
        """The key's newest fact."""
        with connect(self._url) as connection:
            row = connection.execute(
                f"SELECT {_FACT} FROM standing_fact WHERE topic = %s AND key = %s"
                " ORDER BY number DESC LIMIT 1",
                (topic, key),
            ).fetchone()
        return Fact(*row) if row else None

    def read(self, topic: str, after: int = 0) -> Iterator[Fact]:
        """All facts of the topic in the order they were added, from behind `after`."""
        with connect(self._url) as connection:
            rows = connection.execute(
                f"SELECT {_FACT} FROM standing_fact WHERE topic = %s AND number > %s"
                " ORDER BY number",
                (topic, after),
            ).fetchall()
        yield from (Fact(*row) for row in rows)

    def latest(self, topic: str) -> dict[str, Fact]:
        """The newest fact of every key of the topic."""
        with connect(self._url) as connection:
            rows = connection.execute(
                f"SELECT DISTINCT ON (key) {_FACT} FROM standing_fact WHERE topic = %s"
                " ORDER BY key, number DESC",
                (topic,),
            ).fetchall()
        facts = [Fact(*row) for row in rows]
        return {fact.key: fact for fact in facts}


def _present(row: Any) -> Any:
    if row is None:
        raise KindlingError(
            "the standing store returned no row for a fact it has written"
        )
    return row
