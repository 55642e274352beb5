"""The record in PostgreSQL: rows by run and stage, written together with the stage's manifest."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from kindling.errors import ConfigurationError, KindlingError, TransientError
from kindling.records import RECORD_TYPES, Record, Rejection, StageReport

R = TypeVar("R", bound=Record)

SCHEMA = "kindling"


@contextmanager
def connect(url: str, **options: Any) -> Iterator[psycopg.Connection[Any]]:
    """A connection that sees the product's schema; commits at the end, rolls back on an error.

    A server that does not answer or goes away is a TransientError, a full disk a KindlingError.
    """
    try:
        with psycopg.connect(
            url, options=f"-c search_path={SCHEMA},public", **options
        ) as connection:
            yield connection
    except psycopg.errors.DiskFull as error:
        raise KindlingError(
            f"Postgres at {_without_password(url)} has no disk space left: {error}"
        ) from error
    except psycopg.OperationalError as error:
        raise TransientError(
            f"Postgres does not answer at {_without_password(url)}: {error}"
        ) from error


class PostgresRows:
    """RowStore over PostgreSQL. One short connection a call, so that no long stage holds one open."""

    def __init__(self, url: str) -> None:
        self._url = url

    def begin_run(self, run_id: str, recipe: str, settings: Mapping[str, Any]) -> None:
        """Note the run; a run id that is known under other settings is refused."""
        with connect(self._url) as connection:
            connection.execute(
                "INSERT INTO run (run_id, recipe, settings) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (run_id, recipe, Jsonb(dict(settings))),
            )
            known = connection.execute(
                "SELECT recipe, settings FROM run WHERE run_id = %s", (run_id,)
            ).fetchone()
        if known != (recipe, dict(settings)):
            raise ConfigurationError(
                f"run {run_id!r} was begun with recipe {known[0]!r} and {known[1]}, "
                f"not with {recipe!r} and {dict(settings)}; use another run id"
            )

    def read(self, record_type: type[R], run_id: str, **equals: Any) -> list[R]:
        """All rows of that type in the run, ordered by key; `equals` filters columns."""
        names = [field.name for field in fields(record_type)]
        unknown = set(equals) - set(names)
        if unknown:
            raise ValueError(f"{record_type.__name__} has no column {sorted(unknown)}")
        query = sql.SQL(
            "SELECT {columns} FROM {table} WHERE run_id = %s{filters} ORDER BY {key}"
        ).format(
            columns=sql.SQL(", ").join(map(sql.Identifier, names)),
            table=sql.Identifier(record_type.table),
            filters=sql.SQL("").join(
                sql.SQL(" AND {} = %s").format(sql.Identifier(name)) for name in equals
            ),
            # Byte order, so that the order is Python's whatever the database's locale.
            key=sql.SQL('{} COLLATE "C"').format(sql.Identifier(record_type.key)),
        )
        with connect(self._url, row_factory=dict_row) as connection:
            rows = connection.execute(query, (run_id, *equals.values())).fetchall()
        return [_record(record_type, row) for row in rows]

    def report(self, run_id: str, stage: str) -> StageReport | None:
        """The stage's manifest: present means that all of its rows are there."""
        with connect(self._url) as connection:
            row = connection.execute(
                "SELECT report FROM stage_commit WHERE run_id = %s AND stage = %s",
                (run_id, stage),
            ).fetchone()
        return StageReport(**row[0]) if row else None

    def commit(
        self,
        report: StageReport,
        records: Iterable[Record],
        rejections: Iterable[Rejection],
    ) -> None:
        """Replace the stage's rows for this run and write its manifest, in one transaction."""
        by_type: dict[type, list[Record]] = {}
        for record in records:
            by_type.setdefault(type(record), []).append(record)
        by_type[Rejection] = [*by_type.get(Rejection, []), *rejections]
        with connect(self._url) as connection, connection.cursor() as cursor:
            # Two attempts of one stage (a zombie and its retry) take turns; the second replaces the first.
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
                (f"{report.run_id}/{report.stage}",),
            )
            for record_type in RECORD_TYPES:
                cursor.execute(
                    sql.SQL("DELETE FROM {} WHERE run_id = %s AND stage = %s").format(
                        sql.Identifier(record_type.table)
                    ),
                    (report.run_id, report.stage),
                )
            for record_type, rows in by_type.items():
                _copy(cursor, report, record_type, rows)
            cursor.execute(
                "INSERT INTO stage_commit (run_id, stage, report) VALUES (%s, %s, %s) "
                "ON CONFLICT (run_id, stage) DO UPDATE SET report = EXCLUDED.report, committed_at = now()",
                (report.run_id, report.stage, Jsonb(report.to_dict())),
            )


def _copy(
    cursor: Any, report: StageReport, record_type: type, rows: list[Record]
) -> None:
    names = [field.name for field in fields(record_type)]
    statement = sql.SQL("COPY {} (run_id, stage, {}) FROM STDIN").format(
        sql.Identifier(record_type.table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
    )
    with cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(
                (
                    report.run_id,
                    report.stage,
                    *(_column(getattr(row, name)) for name in names),
                )
            )


def _column(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Jsonb(dict(value))
    # PostgreSQL text cannot hold NUL; a page that serves one is not a reason to lose the row.
    return (
        list(value)
        if isinstance(value, tuple)
        else value.replace("\0", "")
        if isinstance(value, str)
        else value
    )


def _record(record_type: type[R], row: Mapping[str, Any]) -> R:
    return record_type(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    )


def _without_password(url: str) -> str:
    return psycopg.conninfo.make_conninfo(
        **{
            key: value
            for key, value in psycopg.conninfo.conninfo_to_dict(url).items()
            if key != "password"
        }
    )
