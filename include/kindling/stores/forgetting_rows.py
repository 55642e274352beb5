"""Takes a review out of every table of the record, known or not yet known, and searches them all."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from kindling.observe.lineage import sha256_of
from kindling.observe.marks import hashed
from kindling.observe.traces import Traces
from kindling.ports.forgetting import Change, Subject
from kindling.stores.postgres import SCHEMA, connect

#: Tables of the forgetting itself: hashes, and the plan of the work under way.
_OWN = ("forgetting", "tombstone")
#: Versions of the index are replaced whole, by another store's adapter.
_INDEX = "review_vector"
#: Columns by which a row belongs to something that goes, in whatever table.
_KEYS = ("review_id", "photo_id", "study_id", "base_photo_id", "row_key")
#: JSON that is cleaned entry by entry: (table, key, column).
_JSON = (
    ("standing_fact", "number", "value"),
    ("stage_commit", "ctid::text", "report"),
)
#: Words of an address, for one can name a review: /photos/r1024.jpg.
_WORD = re.compile(r"[\w-]+")
_BATCH = 2000
LOCK_TIMEOUT = "30s"


@dataclass(frozen=True)
class _Table:
    name: str
    #: Column -> its type.
    columns: dict[str, str]


class PostgresForgetful:
    """Forgetful over the product's schema. A table added later is found by its columns."""

    name = "postgres"

    def __init__(self, url: str) -> None:
        self._url = url

    def forget(self, subject: Subject) -> Sequence[Change]:
        """One transaction, then the touched tables are rewritten, so that no dead row keeps a text."""
        with connect(self._url) as connection:
            tables = _tables(connection)
            changes = [
                *_keyed(connection, tables, subject),
                *_texts(connection, subject),
                *_clusters(connection, subject),
                *_facts(connection, subject),
                *_answers(connection, subject),
            ]
        self._rewrite(sorted({table.name for table in tables}))
        return changes

    def search(self, subject: Subject) -> Sequence[str]:
        """Table and column of every place where a text or name of the subject is."""
        traces = Traces(subject.needles, subject.names)
        found: list[str] = []
        with connect(self._url) as connection:
            for table in _tables(connection, whole=True):
                found += [
                    f"{self.name}: {table.name}.{column}"
                    for column in _found(connection, table, traces)
                ]
        return found

    def _rewrite(self, tables: Iterable[str]) -> None:
        """Rewrite the files, every one: after a kill nobody knows which hold dead rows."""
        with connect(self._url, autocommit=True) as connection:
            connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
            for name in tables:
                connection.execute(
                    sql.SQL("VACUUM (FULL) {}").format(sql.Identifier(name))
                )


def _tables(connection: psycopg.Connection[Any], whole: bool = False) -> list[_Table]:
    """Tables of the schema that hold rows; `whole` for those of the index too."""
    rows = connection.execute(
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'r'"
        " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum",
        (SCHEMA,),
    ).fetchall()
    found: dict[str, _Table] = {}
    for name, column, kind in rows:
        if name in _OWN or (name.startswith(_INDEX) and not whole):
            continue
        found.setdefault(name, _Table(name, {})).columns[column] = kind
    return list(found.values())


def _keyed(
    connection: psycopg.Connection[Any], tables: Sequence[_Table], subject: Subject
) -> Iterator[Change]:
    """Rows that belong to a review, a photo or a study that goes, and pages that show one."""
    names = sorted(subject.names)
    for table in tables:
        for column in _KEYS:
            if table.columns.get(column) == "text":
                # A review that stays and shows a photo that goes does not exist: the plan
                # takes no photo that somebody else shows.
                yield from _delete(connection, table.name, column, names)
    yield from _delete(connection, "page", "sha256", subject.pages)
    yield from _delete(connection, "rejection", "row_id", names)


def _texts(connection: psycopg.Connection[Any], subject: Subject) -> Iterator[Change]:
    hashes = [hashlib.sha256(one.encode()).hexdigest() for one in subject.texts]
    yield from _delete(connection, "embedding_cache", "text_sha256", hashes)
    traces = Traces(subject.needles, subject.names)
    spoken = [
        place
        for place, row_id, detail in _stream(
            connection, "SELECT ctid::text, row_id, detail FROM rejection"
        )
        if traces.in_value([row_id, detail])
    ]
    yield from _delete(connection, "rejection", "ctid::text", spoken)


def _clusters(
    connection: psycopg.Connection[Any], subject: Subject
) -> Iterator[Change]:
    """A cluster named after a review that goes is named after the hash of its id."""
    for review_id in subject.reviews:
        name = hashed("review", review_id)[:16]
        changed = connection.execute(
            "UPDATE dedupe_decision SET cluster_id = %s WHERE cluster_id = %s",
            (name, review_id),
        ).rowcount
        if changed:
            before = sha256_of(review_id)
            yield Change(
                "postgres", "dedupe_decision.cluster_id", before, name, changed
            )


def _facts(connection: psycopg.Connection[Any], subject: Subject) -> Iterator[Change]:
    """JSON without the entries that hold a trace; a fact that is one itself goes whole."""
    traces = Traces(subject.needles, subject.names)
    for table, key, column in _JSON:
        query = f"SELECT {key}, {column} FROM {table}"
        if table == "standing_fact":
            query = f"SELECT {key}, {column}, key FROM {table}"
        for place, value, *own_key in _stream(connection, query):
            if not traces.in_value([value, *own_key]):
                continue
            kept = traces.scrubbed(value)
            whole = set(kept) == set(value) and not traces.in_value(own_key)
            if whole:
                _update(connection, table, key, column, place, kept)
            else:
                _remove(connection, table, key, place)
            yield Change(
                "postgres",
                f"{table}.{column}",
                sha256_of(value),
                sha256_of(kept) if whole else "",
            )


def _answers(connection: psycopg.Connection[Any], subject: Subject) -> Iterator[Change]:
    """What a crawl asked for and was answered goes whole, addresses that name the review too."""
    traces = Traces(subject.needles)
    query = "SELECT ctid::text, key, result FROM frontier"
    said = [
        place
        for place, key, result in _stream(connection, query)
        if not subject.names.isdisjoint(_WORD.findall(key))
        or (result is not None and traces.in_bytes(bytes(result)))
    ]
    yield from _delete(connection, "frontier", "ctid::text", said)


def _update(
    connection: psycopg.Connection[Any],
    table: str,
    key: str,
    column: str,
    place: Any,
    value: Any,
) -> None:
    connection.execute(
        sql.SQL("UPDATE {} SET {} = %s WHERE {} = %s").format(
            sql.Identifier(table), sql.Identifier(column), sql.SQL(key)
        ),
        (Jsonb(value), place),
    )


def _remove(
    connection: psycopg.Connection[Any], table: str, key: str, place: Any
) -> None:
    connection.execute(
        sql.SQL("DELETE FROM {} WHERE {} = %s").format(
            sql.Identifier(table), sql.SQL(key)
        ),
        (place,),
    )


def _delete(
    connection: psycopg.Connection[Any],
    table: str,
    column: str,
    values: Sequence[str],
) -> Iterator[Change]:
    if not values:
        return
    rows = connection.execute(
        sql.SQL(
            "DELETE FROM {table} t WHERE {column} = ANY(%s) RETURNING to_jsonb(t)"
        ).format(table=sql.Identifier(table), column=sql.SQL(column)),
        (list(values),),
    ).fetchall()
    if rows:
        before = sha256_of(sorted(sha256_of(one) for (one,) in rows))
        yield Change("postgres", table, before, gone=len(rows))


def _stream(
    connection: psycopg.Connection[Any], query: str
) -> Iterator[tuple[Any, ...]]:
    """Rows by batches: a table may be larger than the memory."""
    with connection.cursor("stream") as cursor:
        cursor.itersize = _BATCH
        cursor.execute(sql.SQL(query))
        yield from cursor


def _found(
    connection: psycopg.Connection[Any], table: _Table, traces: Traces
) -> list[str]:
    """Columns of a table in which a trace is."""
    wanted = [
        name
        for name, kind in table.columns.items()
        if kind in ("text", "text[]", "jsonb", "json", "bytea")
        or kind.startswith("character")
    ]
    if not wanted:
        return []
    query = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join(map(sql.Identifier, wanted)), sql.Identifier(table.name)
    )
    found: set[str] = set()
    for row in _stream(connection, query.as_string(connection)):
        found |= {
            name
            for name, value in zip(wanted, row, strict=True)
            if name not in found and value and _holds(traces, value)
        }
    return sorted(found)


def _holds(traces: Traces, value: Any) -> bool:
    if isinstance(value, bytes | memoryview):
        return traces.in_bytes(bytes(value))
    return traces.in_value(value)
