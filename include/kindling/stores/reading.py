"""Rows of a run, a piece at a time: a million of them never lie in memory twice."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from kindling.records import Record
from kindling.stores import lineage

R = TypeVar("R", bound=Record)

_FETCHED_AT_ONCE = 5_000
#: Characters up to which a value may be one that other rows have too.
_REPEATED = 100


def stream(
    connection: psycopg.Connection[dict[str, Any]],
    record_type: type[Any],
    run_id: str,
    columns: sql.Composable,
    equals: Mapping[str, Any],
    among: list[str] | None,
) -> Iterator[dict[str, Any]]:
    """Rows of the type in the run, ordered by key; of the keys `among`, where they are given.

    The connection's transaction lasts until all of them are read.
    """
    found = connection.execute(
        "SELECT 1 AS one FROM stage_commit"
        " WHERE run_id = %s AND base_run_id IS NOT NULL LIMIT 1",
        (run_id,),
    ).fetchone()
    of_run = sql.SQL("c.run_id = {}").format(sql.Literal(run_id))
    # Byte order, so that the order is Python's whatever the database's locale.
    key = sql.SQL('{} COLLATE "C"').format(sql.Identifier(record_type.key))
    filters = [sql.SQL(" AND {} = %s").format(sql.Identifier(name)) for name in equals]
    if among is not None:
        filters.append(sql.SQL(" AND {} = ANY(%s)").format(key))
    query = sql.SQL(
        "SELECT {columns} FROM {rows} t WHERE true{filters} ORDER BY {key}"
    ).format(
        columns=columns,
        rows=sql.SQL("({})").format(lineage.rows_of(record_type, of_run))
        if found
        else _own_rows(record_type, run_id),
        filters=sql.SQL("").join(filters),
        key=key,
    )
    asked = () if among is None else (among,)
    with connection.cursor(name="rows") as cursor:
        cursor.itersize = _FETCHED_AT_ONCE
        cursor.execute(query, (*equals.values(), *asked))
        yield from cursor


def _own_rows(record_type: type[Any], run_id: str) -> sql.Composed:
    return sql.SQL("(SELECT * FROM {} WHERE run_id = {})").format(
        sql.Identifier(record_type.table), sql.Literal(run_id)
    )


def record_of(record_type: type[R]) -> Callable[[Mapping[str, Any]], R]:
    """Makes records of rows. Short values that rows repeat (a category, a page) are held once."""
    make: Callable[..., R] = record_type
    held: dict[str, str] = {}

    def once(name: str, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(value)
        if isinstance(value, str) and name != record_type.key:
            return held.setdefault(value, value) if len(value) <= _REPEATED else value
        return value

    def record(row: Mapping[str, Any]) -> R:
        return make(**{name: once(name, value) for name, value in row.items()})

    return record
