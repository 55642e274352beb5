"""The record in PostgreSQL: rows by run and stage, written together with the stage's manifest."""

from collections.abc import Callable, Iterable, Iterator, Mapping
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

    A server that does not answer or goes away is a TransientError, a full disk a KindlingError,
    a URL that is none or a database that was never migrated a ConfigurationError.
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
    except psycopg.errors.UndefinedTable as error:
        raise ConfigurationError(
            f"Postgres at {_without_password(url)} lacks a table ({error.diag.message_primary}); "
            "run `python -m kindling migrate`"
        ) from error
    except psycopg.ProgrammingError as error:
        if error.sqlstate is not None:
            raise
        # Nothing was sent: libpq cannot read the URL. Its words may hold the password.
        raise ConfigurationError(
            "KINDLING_DATABASE_URL is no database URL; wanted: postgresql://user@host/name"
        ) from None
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
        if known is not None and known != (recipe, dict(settings)):
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

    def report(self, run_id: str, stage: str, shard: int = 0) -> StageReport | None:
        """A shard's manifest: present means that all of the shard's rows are there."""
        for report in self.shard_reports(run_id, stage):
            if report.shard == shard:
                return report
        return None

    def shard_reports(self, run_id: str, stage: str) -> list[StageReport]:
        """Manifests of every committed shard of the stage, ordered by shard."""
        with connect(self._url) as connection:
            rows = connection.execute(
                "SELECT report FROM stage_commit WHERE run_id = %s AND stage = %s ORDER BY shard",
                (run_id, stage),
            ).fetchall()
        return [StageReport(**row[0]) for row in rows]

    def commit(
        self,
        report: StageReport,
        records: Iterable[Record],
        rejections: Iterable[Rejection],
    ) -> None:
        """Replace the rows of the report's shard and write its manifest, in one transaction.

        A shard of another split of the stage (`shards` differs) goes with it: its rows are not
        part of this one.
        """
        by_type: dict[type[Record], list[Record]] = {}
        for record in records:
            by_type.setdefault(type(record), []).append(record)
        by_type.setdefault(Rejection, []).extend(rejections)
        with connect(self._url) as connection, connection.cursor() as cursor:
            _take_turns(cursor, report)
            for record_type in RECORD_TYPES:
                _clear(cursor, report, record_type)
            for record_type, rows in by_type.items():
                _copy(cursor, report, record_type, rows)
            cursor.execute(
                "DELETE FROM stage_commit WHERE run_id = %s AND stage = %s"
                " AND (report ->> 'shards')::int <> %s",
                (report.run_id, report.stage, report.shards),
            )
            cursor.execute(
                "INSERT INTO stage_commit (run_id, stage, shard, report) VALUES (%s, %s, %s, %s) "
                "ON CONFLICT (run_id, stage, shard)"
                " DO UPDATE SET report = EXCLUDED.report, committed_at = now()",
                (
                    report.run_id,
                    report.stage,
                    report.shard,
                    Jsonb(report.to_dict()),
                ),
            )


def _take_turns(cursor: Any, report: StageReport) -> None:
    # Two attempts of one shard (a zombie and its retry) take turns; the second replaces the first.
    # Shards of one split do not wait for one another.
    cursor.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
        (f"{report.run_id}/{report.stage}/{report.shard}",),
    )


def _clear(cursor: Any, report: StageReport, record_type: type[Record]) -> None:
    """Delete this shard's rows, and those of shards of another split of the stage."""
    cursor.execute(
        sql.SQL(
            "DELETE FROM {} WHERE run_id = %s AND stage = %s AND (shard = %s OR shard IN"
            " (SELECT shard FROM stage_commit WHERE run_id = %s AND stage = %s"
            " AND (report ->> 'shards')::int <> %s))"
        ).format(sql.Identifier(record_type.table)),
        (
            report.run_id,
            report.stage,
            report.shard,
            report.run_id,
            report.stage,
            report.shards,
        ),
    )


def _copy(
    cursor: Any, report: StageReport, record_type: type[Record], rows: list[Record]
) -> None:
    names = [field.name for field in fields(record_type)]
    statement = sql.SQL("COPY {} (run_id, stage, shard, {}) FROM STDIN").format(
        sql.Identifier(record_type.table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
    )
    with cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(
                (
                    report.run_id,
                    report.stage,
                    report.shard,
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
    make: Callable[..., R] = record_type
    return make(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()})


def _without_password(url: str) -> str:
    parts: dict[str, Any] = dict(psycopg.conninfo.conninfo_to_dict(url))
    parts.pop("password", None)
    return psycopg.conninfo.make_conninfo(**parts)
