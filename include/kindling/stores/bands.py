"""MinHash bands in PostgreSQL: one narrow table of (key, leader), looked up by a whole night at once."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from kindling.ports.bands import BandRow
from kindling.stores.postgres import connect

#: Rows that one key proposes at most: one of more is a phrase that everybody writes.
_BUCKET = 50
_COLUMNS = "review_id, folded, scope, sentiment, signature, version, learned"


class PostgresBands:
    """BandStore over PostgreSQL."""

    def __init__(self, url: str) -> None:
        self._url = url

    def add(self, space: str, run_id: str, rows: Iterable[BandRow]) -> None:
        """Add a night's rows; one whose review is there in the same version is left as it is."""
        held = {row.review_id: row for row in rows}
        with connect(self._url) as connection, connection.cursor() as cursor:
            cursor.execute(
                "CREATE TEMP TABLE coming (place bigint, review_id text, folded text,"
                " scope text, sentiment text, signature bytea, version bytea,"
                " learned boolean) ON COMMIT DROP"
            )
            with cursor.copy("COPY coming FROM STDIN") as copy:
                for place, row in enumerate(held.values()):
                    text = (row.folded, row.scope, row.sentiment, row.signature)
                    name = (place, row.review_id)
                    copy.write_row((*name, *text, row.version, row.learned))
            numbers = cursor.execute(
                f"INSERT INTO band_leader (space, run_id, {_COLUMNS})"
                f" SELECT %s, %s, {_COLUMNS} FROM coming c WHERE NOT EXISTS ("
                "SELECT 1 FROM band_leader l WHERE l.space = %s"
                " AND l.review_id = c.review_id AND l.version = c.version"
                " AND l.sentiment = c.sentiment AND l.scope = c.scope)"
                " ORDER BY place ON CONFLICT DO NOTHING RETURNING review_id, number",
                (space, run_id, space),
            ).fetchall()
            _copy_keys(cursor, space, held, dict(numbers))

    def learn(self, space: str, review_ids: Collection[str]) -> None:
        """Note that models may have learned from the reviews."""
        with connect(self._url) as connection:
            connection.execute(
                "UPDATE band_leader SET learned = true"
                " WHERE space = %s AND review_id = ANY(%s) AND NOT learned",
                (space, list(review_ids)),
            )

    def candidates(
        self, space: str, keys: np.ndarray, besides: str = ""
    ) -> list[BandRow]:
        """Rows that share one of the keys (uint64), without their keys, oldest first.

        Of a key that many rows have, the first 50 are given. Those of the night `besides` are
        left out.
        """
        with connect(self._url) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE asked (key bigint) ON COMMIT DROP")
            with cursor.copy("COPY asked (key) FROM STDIN") as copy:
                for key in np.unique(_signed(space, keys)).tolist():
                    copy.write_row((key,))
            cursor.execute("ANALYZE asked")
            rows = cursor.execute(
                f"""
                SELECT {_COLUMNS}
                FROM (SELECT DISTINCT found.leader FROM asked CROSS JOIN LATERAL (
                    SELECT leader FROM band_key b WHERE b.key = asked.key
                    ORDER BY leader LIMIT %s) found) hit
                JOIN band_leader l ON l.number = hit.leader
                WHERE l.space = %s AND l.run_id <> %s ORDER BY l.number
                """,
                (_BUCKET, space, besides),
            ).fetchall()
        return [_row(row) for row in rows]

    def learned(self, spaces: str, besides: str) -> Iterator[BandRow]:
        """Rows that were learned from, of all spaces whose names begin so and all other nights."""
        with (
            connect(self._url) as connection,
            connection.cursor(name="learned") as cursor,
        ):
            cursor.execute(
                f"SELECT {_COLUMNS} FROM band_leader WHERE starts_with(space, %s)"
                " AND run_id <> %s AND learned ORDER BY number",
                (spaces, besides),
            )
            for row in cursor:
                yield _row(row)

    def of_review(self, spaces: str, review_id: str) -> list[BandRow]:
        """A review's rows in all spaces whose names begin so, the newest first."""
        with connect(self._url) as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM band_leader WHERE review_id = %s"
                " AND starts_with(space, %s) ORDER BY number DESC",
                (review_id, spaces),
            ).fetchall()
        return [_row(row) for row in rows]

    def forget_night(self, space: str, run_id: str) -> None:
        """Take out what the night added."""
        with connect(self._url) as connection:
            connection.execute(
                "DELETE FROM band_leader WHERE space = %s AND run_id = %s",
                (space, run_id),
            )

    def remove(self, space: str, review_ids: Iterable[str]) -> None:
        """Take rows out; unknown ids are ignored."""
        with connect(self._url) as connection:
            connection.execute(
                "DELETE FROM band_leader WHERE space = %s AND review_id = ANY(%s)",
                (space, list(review_ids)),
            )


def _row(columns: Sequence[Any]) -> BandRow:
    review_id, folded, scope, sentiment, signature, version, learned = columns
    return BandRow(
        review_id,
        folded,
        scope,
        sentiment,
        signature,
        version=version,
        learned=learned,
    )


def _copy_keys(
    cursor: Any, space: str, rows: dict[str, BandRow], numbers: dict[str, int]
) -> None:
    with cursor.copy("COPY band_key (key, leader) FROM STDIN") as copy:
        for review_id, number in numbers.items():
            keys = np.array(rows[review_id].keys, np.uint64)
            for key in np.unique(_signed(space, keys)).tolist():
                copy.write_row((key, number))


def _signed(space: str, keys: np.ndarray) -> np.ndarray:
    """Keys of the space as PostgreSQL's bigint: spaces share a table, and seldom a key."""
    digest = hashlib.blake2b(space.encode(), digest_size=8).digest()
    own = np.uint64(int.from_bytes(digest, "big"))
    signed: np.ndarray = (keys.astype(np.uint64) ^ own).view(np.int64)
    return signed
