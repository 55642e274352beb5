"""The record in PostgreSQL: rows by run and stage, written together with the stage's manifest."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from kindling.errors import ConfigurationError, KindlingError, TransientError
from kindling.ports.rows import Night, Outline, Sighting
from kindling.records import (
    RECORD_TYPES,
    Record,
    Rejection,
    Review,
    StageReport,
)
from kindling.stores import lineage
from kindling.stores.reading import record_of, stream

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
        return list(self.each(record_type, run_id, **equals))

    def each(
        self,
        record_type: type[R],
        run_id: str,
        keys: Collection[str] | None = None,
        **equals: Any,
    ) -> Iterator[R]:
        """`read`, a row at a time; only those of `keys` where they are given."""
        names = lineage.columns(record_type)
        unknown = set(equals) - set(names)
        if unknown:
            raise ValueError(f"{record_type.__name__} has no column {sorted(unknown)}")
        columns = sql.SQL(", ").join(map(sql.Identifier, names))
        among = None if keys is None else list(keys)
        record = record_of(record_type)
        for row in self._rows(record_type, run_id, columns, equals, among):
            yield record(row)

    def outlines(self, run_id: str) -> Iterator[Outline]:
        """Every scraped review of the run without its words, ordered by id."""
        columns = sql.SQL(
            "review_id, product_id, category, rating, photo_id, source_url,"
            " decode(md5(title || chr(31) || body), 'hex') AS version"
        )
        held: dict[str, str] = {}
        for row in self._rows(Review, run_id, columns, {"origin": "scraped"}, None):
            for name in ("product_id", "category", "source_url"):
                row[name] = held.setdefault(row[name], row[name])
            yield Outline(**row)

    def _rows(
        self,
        record_type: type[Any],
        run_id: str,
        columns: sql.Composable,
        equals: Mapping[str, Any],
        among: list[str] | None,
    ) -> Iterator[dict[str, Any]]:
        with connect(self._url, row_factory=dict_row) as connection:
            yield from stream(connection, record_type, run_id, columns, equals, among)

    def before(self, run_id: str, stage: str) -> str | None:
        """The newest earlier run of the same recipe and parameters that has committed the stage."""
        with connect(self._url) as connection:
            row = connection.execute(
                """
                SELECT earlier.run_id FROM run
                JOIN run earlier ON earlier.recipe = run.recipe
                    AND earlier.settings = run.settings
                    AND (earlier.started_at, earlier.run_id) < (run.started_at, run.run_id)
                JOIN stage_commit c ON c.run_id = earlier.run_id AND c.stage = %s
                WHERE run.run_id = %s
                ORDER BY earlier.started_at DESC, earlier.run_id DESC LIMIT 1
                """,
                (stage, run_id),
            ).fetchone()
        return str(row[0]) if row else None

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
        part of this one. Kept are the changes to the night before, where they are few.
        """
        by_type: dict[type[Record], list[Record]] = {}
        for record in records:
            by_type.setdefault(type(record), []).append(record)
        by_type.setdefault(Rejection, []).extend(rejections)
        before = self.before(report.run_id, report.stage)
        with connect(self._url) as connection, connection.cursor() as cursor:
            _take_turns(cursor, report)
            place = _replace(cursor, report)
            base = _base(cursor, report, before)
            if base is None:
                for record_type, rows in by_type.items():
                    _copy(cursor, report, record_type, rows)
                return
            changed = _write_changes(cursor, place, base, by_type)
            if changed > lineage.MAX_CHANGED * sum(map(len, by_type.values())):
                lineage.make_whole(cursor, place)

    def commit_same(self, report: StageReport, run_id: str) -> None:
        """Write the report's manifest over the rows that another run committed for the same shard."""
        with connect(self._url) as connection, connection.cursor() as cursor:
            _take_turns(cursor, report)
            _replace(cursor, report)
            if _base(cursor, report, run_id) is None:
                raise KindlingError(
                    f"run {report.run_id!r}: shard {report.shard} of {report.stage} is to stand on "
                    f"run {run_id!r}, which has not committed it so"
                )

    def rejections(self, run_id: str, stage: str) -> list[Rejection]:
        """What one stage of the run has left out, ordered by row and reason."""
        of_stage = sql.SQL("c.run_id = {} AND c.stage = {}").format(run_id, stage)
        query = sql.SQL(
            'SELECT * FROM ({}) t ORDER BY row_id COLLATE "C", reason COLLATE "C"'
        ).format(lineage.rows_of(Rejection, of_stage))
        with connect(self._url, row_factory=dict_row) as connection:
            return [Rejection(**row) for row in connection.execute(query).fetchall()]

    def drop_run(self, run_id: str) -> None:
        """Delete the run with all its rows; runs that stand on it are given theirs first."""
        with connect(self._url) as connection, connection.cursor() as cursor:
            places = cursor.execute(
                "SELECT run_id, stage, shard FROM stage_commit WHERE run_id = %s",
                (run_id,),
            ).fetchall()
            for place in places:
                lineage.free_dependants(cursor, lineage.Place(*place))
            cursor.execute("DELETE FROM run WHERE run_id = %s", (run_id,))
            if not cursor.rowcount:
                raise ConfigurationError(
                    f"run {run_id!r} is not in the record; `python -m kindling nights` lists those that are"
                )

    def nights(self) -> list[Night]:
        """Every run, oldest first, with what it holds itself."""
        with connect(self._url) as connection:
            rows = connection.execute(
                """
                SELECT run_id, recipe, started_at,
                    (SELECT count(*) FROM stage_commit c WHERE c.run_id = run.run_id),
                    (SELECT min(base_run_id) FROM stage_commit c WHERE c.run_id = run.run_id),
                    (SELECT count(*) FROM review r WHERE r.run_id = run.run_id),
                    (SELECT count(*) FROM row_gone g
                        WHERE g.run_id = run.run_id AND g.kind = 'review')
                FROM run ORDER BY started_at, run_id
                """
            ).fetchall()
        return [Night(*row) for row in rows]

    def seen(self, review_id: str) -> list[Sighting]:
        """What happened to a review, oldest first: new, changed or gone, by recipe and night."""
        with connect(self._url) as connection:
            rows = connection.execute(
                """
                SELECT run.recipe, run.run_id, run.started_at, event.content
                FROM (SELECT run_id, to_jsonb(r) - 'run_id' AS content FROM review r
                    WHERE review_id = %s
                    UNION ALL SELECT g.run_id, NULL FROM row_gone g
                    WHERE row_key = %s AND kind = 'review' AND NOT EXISTS (
                        SELECT 1 FROM review r
                        WHERE r.run_id = g.run_id AND r.review_id = g.row_key)) event
                JOIN run USING (run_id) ORDER BY run.started_at, run.run_id
                """,
                (review_id, review_id),
            ).fetchall()
        return _sightings(rows)


def _sightings(rows: Iterable[tuple[Any, ...]]) -> list[Sighting]:
    """A night that holds all of its rows repeats what the night before held: that is no event."""
    found: list[Sighting] = []
    last: dict[str, Any] = {}
    for recipe, run_id, at, content in rows:
        before, last[recipe] = last.get(recipe), content
        if content == before:
            continue
        event: Literal["new", "changed", "gone"]
        event = "gone" if content is None else "new" if before is None else "changed"
        found.append(Sighting(recipe, run_id, at, event))
    return found


def _replace(cursor: Any, report: StageReport) -> lineage.Place:
    """Clear the shard's place and those of another split, and put the manifest there."""
    others = cursor.execute(
        "SELECT run_id, stage, shard FROM stage_commit WHERE run_id = %s AND stage = %s"
        " AND (shard = %s OR (report ->> 'shards')::int <> %s)",
        (report.run_id, report.stage, report.shard, report.shards),
    ).fetchall()
    place = lineage.Place(report.run_id, report.stage, report.shard)
    for other in {place, *(lineage.Place(*one) for one in others)}:
        lineage.free_dependants(cursor, other)
        for record_type in RECORD_TYPES:
            lineage.delete_rows(cursor, other, record_type)
        lineage.forget_gone(cursor, other)
        cursor.execute(
            "DELETE FROM stage_commit WHERE run_id = %s AND stage = %s AND shard = %s",
            other.values,
        )
    cursor.execute(
        "INSERT INTO stage_commit (run_id, stage, shard, report) VALUES (%s, %s, %s, %s)",
        (*place.values, Jsonb(report.to_dict())),
    )
    return place


def _base(cursor: Any, report: StageReport, run_id: str | None) -> lineage.Place | None:
    """Let the report's shard stand on the same shard of another run, where that may be."""
    if run_id is None:
        return None
    base = lineage.Place(run_id, report.stage, report.shard)
    alike = cursor.execute(
        "SELECT 1 FROM stage_commit WHERE run_id = %s AND stage = %s AND shard = %s"
        " AND (report ->> 'shards')::int = %s FOR SHARE",
        (*base.values, report.shards),
    ).fetchone()
    if alike is None:
        return None
    if lineage.depth_of(cursor, base) + 1 >= lineage.MAX_DEPTH:
        lineage.make_whole(cursor, base)
    cursor.execute(
        "UPDATE stage_commit SET base_run_id = %s"
        " WHERE run_id = %s AND stage = %s AND shard = %s",
        (run_id, report.run_id, report.stage, report.shard),
    )
    return base


def _write_changes(
    cursor: Any,
    place: lineage.Place,
    base: lineage.Place,
    by_type: Mapping[type[Record], list[Record]],
) -> int:
    changed = 0
    for record_type in RECORD_TYPES:
        fresh = f"fresh_{record_type.table}"
        cursor.execute(
            sql.SQL(
                "CREATE TEMP TABLE {} (LIKE {} INCLUDING ALL) ON COMMIT DROP"
            ).format(sql.Identifier(fresh), sql.Identifier(record_type.table))
        )
        _copy(cursor, place, record_type, by_type.get(record_type, []), fresh)
        changed += lineage.write_changes(cursor, place, base, record_type, fresh)
        cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(fresh)))
    return changed


def _take_turns(cursor: Any, report: StageReport) -> None:
    # Two attempts of one shard (a zombie and its retry) take turns; the second replaces the first.
    # Shards of one split do not wait for one another.
    cursor.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
        (f"{report.run_id}/{report.stage}/{report.shard}",),
    )


def _copy(
    cursor: Any,
    to: StageReport | lineage.Place,
    record_type: type[Record],
    rows: list[Record],
    table: str = "",
) -> None:
    names = lineage.columns(record_type)
    statement = sql.SQL("COPY {} (run_id, stage, shard, {}) FROM STDIN").format(
        sql.Identifier(table or record_type.table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
    )
    with cursor.copy(statement) as copy:
        for row in rows:
            columns = (_column(getattr(row, name)) for name in names)
            copy.write_row((to.run_id, to.stage, to.shard, *columns))


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


def _without_password(url: str) -> str:
    parts: dict[str, Any] = dict(psycopg.conninfo.conninfo_to_dict(url))
    parts.pop("password", None)
    return psycopg.conninfo.make_conninfo(**parts)
