"""A night's rows as changes to the night before: how they are read, written, and taken apart.

A commit (run, stage, shard) may stand on the same stage and shard of an earlier run. Its rows are
then the base's, without the keys in `row_gone`, and with its own rows over them.
"""

from dataclasses import dataclass, fields
from typing import Any

from psycopg import sql

from kindling.records import RECORD_TYPES, Rejection, said_by

#: Commits between a night and the one that holds all of its rows. Reading looks at each of them.
MAX_DEPTH = 60
#: Share of a night's rows up to which it is kept as changes.
MAX_CHANGED = 0.5

_KEY_PARTS = chr(31)


@dataclass(frozen=True)
class Place:
    """What is committed in one piece."""

    run_id: str
    stage: str
    shard: int

    @property
    def values(self) -> tuple[str, str, int]:
        return self.run_id, self.stage, self.shard


def columns(record_type: type[Any]) -> list[str]:
    """Names of the type's columns in the order of its fields."""
    return [field.name for field in fields(record_type)]


def key_of(record_type: type[Any], table: str) -> sql.Composed:
    """SQL of the text by which a row is known within its commit."""
    key = sql.SQL("{}.{}").format(
        sql.Identifier(table), sql.Identifier(record_type.key)
    )
    if record_type is Rejection:
        # One row may be rejected for several reasons.
        return sql.SQL("({} || {} || {}.reason)").format(
            key, sql.Literal(_KEY_PARTS), sql.Identifier(table)
        )
    return sql.Composed([key])


def rows_of(record_type: type[Any], commits: sql.Composable) -> sql.Composed:
    """A query for all rows of the type in the chosen commits, whatever they stand on.

    `commits` is a condition on `stage_commit c`. The query gives the type's columns.
    """
    return sql.SQL(
        """
        WITH RECURSIVE line AS (
            SELECT c.run_id, c.stage, c.shard, c.base_run_id, 0 AS depth
            FROM stage_commit c WHERE {commits}
            UNION ALL
            SELECT c.run_id, c.stage, c.shard, c.base_run_id, line.depth + 1
            FROM line JOIN stage_commit c ON c.run_id = line.base_run_id
                AND c.stage = line.stage AND c.shard = line.shard
        ), version AS (
            SELECT line.*, {key} COLLATE "C" AS row_key, false AS gone
            FROM line JOIN {table} t USING (run_id, stage, shard)
            UNION ALL
            SELECT line.*, g.row_key, true
            FROM line JOIN row_gone g USING (run_id, stage, shard) WHERE g.kind = {kind}
        ), newest AS (
            SELECT DISTINCT ON (stage, shard, row_key) * FROM version
            ORDER BY stage, shard, row_key, depth, gone
        )
        SELECT {columns} FROM newest n
        JOIN {table} t ON t.run_id = n.run_id AND t.stage = n.stage
            AND t.shard = n.shard AND {key} = n.row_key
        WHERE NOT n.gone
        """
    ).format(
        commits=commits,
        key=key_of(record_type, "t"),
        table=sql.Identifier(record_type.table),
        kind=sql.Literal(record_type.table),
        columns=_listed(columns(record_type), "t"),
    )


def place_is(place: Place) -> sql.Composed:
    """The condition on `stage_commit c` that chooses one commit."""
    return sql.SQL("c.run_id = {} AND c.stage = {} AND c.shard = {}").format(
        *map(sql.Literal, place.values)
    )


def depth_of(cursor: Any, place: Place) -> int:
    """How many commits lie between this one and the one that holds all rows."""
    row = cursor.execute(
        """
        WITH RECURSIVE line AS (
            SELECT base_run_id, 0 AS depth FROM stage_commit
            WHERE run_id = %s AND stage = %s AND shard = %s
            UNION ALL
            SELECT c.base_run_id, line.depth + 1 FROM line JOIN stage_commit c
            ON c.run_id = line.base_run_id AND c.stage = %s AND c.shard = %s
        )
        SELECT max(depth) FROM line
        """,
        (*place.values, place.stage, place.shard),
    ).fetchone()
    return int(row[0] or 0)


def make_whole(cursor: Any, place: Place) -> None:
    """Give the commit all of its rows, so that it stands on no other.

    What it notes as gone stays: it says on which night a row left.
    """
    for record_type in RECORD_TYPES:
        whole = sql.Identifier(f"whole_{record_type.table}")
        cursor.execute(
            sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS {}").format(
                whole, rows_of(record_type, place_is(place))
            )
        )
        delete_rows(cursor, place, record_type)
        names = columns(record_type)
        cursor.execute(
            sql.SQL(
                "INSERT INTO {} (run_id, stage, shard, {}) SELECT %s, %s, %s, {} FROM {} t"
            ).format(
                sql.Identifier(record_type.table),
                _listed(names),
                _listed(names, "t"),
                whole,
            ),
            place.values,
        )
        cursor.execute(sql.SQL("DROP TABLE {}").format(whole))
    cursor.execute(
        "UPDATE stage_commit SET base_run_id = NULL"
        " WHERE run_id = %s AND stage = %s AND shard = %s",
        place.values,
    )


def free_dependants(cursor: Any, place: Place) -> None:
    """Make every commit whole that stands on this one, before its rows change.

    It takes over which rows left with this one.
    """
    found = cursor.execute(
        "SELECT run_id FROM stage_commit WHERE base_run_id = %s AND stage = %s AND shard = %s",
        place.values,
    ).fetchall()
    for (run_id,) in found:
        make_whole(cursor, Place(run_id, place.stage, place.shard))
        cursor.execute(
            "INSERT INTO row_gone (run_id, stage, shard, kind, row_key)"
            " SELECT %s, stage, shard, kind, row_key FROM row_gone"
            " WHERE run_id = %s AND stage = %s AND shard = %s ON CONFLICT DO NOTHING",
            (run_id, *place.values),
        )


def delete_rows(cursor: Any, place: Place, record_type: type[Any]) -> None:
    """Delete the rows of the type that the commit holds itself."""
    cursor.execute(
        sql.SQL(
            "DELETE FROM {} WHERE run_id = %s AND stage = %s AND shard = %s"
        ).format(sql.Identifier(record_type.table)),
        place.values,
    )


def forget_gone(cursor: Any, place: Place) -> None:
    """Delete what the commit notes of its base's rows."""
    cursor.execute(
        "DELETE FROM row_gone WHERE run_id = %s AND stage = %s AND shard = %s",
        place.values,
    )


def write_changes(
    cursor: Any, place: Place, base: Place, record_type: type[Any], fresh: str
) -> int:
    """Of the rows in the temporary table `fresh`, keep those that the base lacks; how many changed."""
    names = columns(record_type)
    held = sql.Identifier(f"held_{record_type.table}")
    cursor.execute(
        sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS {}").format(
            held, rows_of(record_type, place_is(base))
        )
    )
    parts = {
        "table": sql.Identifier(record_type.table),
        "fresh": sql.Identifier(fresh),
        "held": held,
        "names": _listed(names),
        "new": _listed(names, "f"),
        "said": _listed(said_by(record_type), "f"),
        "said_before": _listed(said_by(record_type), "h"),
        "key": sql.Identifier(record_type.key),
        "fresh_key": key_of(record_type, "f"),
        "held_key": key_of(record_type, "h"),
        "kind": sql.Literal(record_type.table),
    }
    cursor.execute(
        sql.SQL(
            "INSERT INTO {table} (run_id, stage, shard, {names})"
            " SELECT %s, %s, %s, {new} FROM {fresh} f"
            " LEFT JOIN {held} h ON {held_key} = {fresh_key}"
            " WHERE h.{key} IS NULL OR ROW({said}) IS DISTINCT FROM ROW({said_before})"
        ).format(**parts),
        place.values,
    )
    changed = int(cursor.rowcount)
    cursor.execute(
        sql.SQL(
            "INSERT INTO row_gone (run_id, stage, shard, kind, row_key)"
            " SELECT %s, %s, %s, {kind}, {held_key} FROM {held} h"
            " LEFT JOIN {fresh} f ON {held_key} = {fresh_key} WHERE f.{key} IS NULL"
        ).format(**parts),
        place.values,
    )
    gone = int(cursor.rowcount)
    cursor.execute(sql.SQL("DROP TABLE {}").format(held))
    return changed + gone


def _listed(names: list[str], table: str = "") -> sql.Composed:
    prefix = [sql.Identifier(table), sql.SQL(".")] if table else []
    return sql.SQL(", ").join(
        sql.Composed([*prefix, sql.Identifier(name)]) for name in names
    )
