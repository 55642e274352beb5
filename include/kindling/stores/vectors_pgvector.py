"""Vectors in PostgreSQL (pgvector): HNSW by cosine in one partition a version, the alias, the cache."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from functools import cached_property
from typing import Any

import numpy as np
import psycopg
from pgvector import HalfVector, Vector
from pgvector.psycopg import register_vector
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolTimeout

from kindling.errors import DataError, KindlingError, TransientError
from kindling.ports.index import Document, Filters, Hit, VectorRow
from kindling.stores.index_contract import checked, wanted
from kindling.stores.postgres import SCHEMA

ALIAS = "reviews"
#: In the order of Document's fields.
COLUMNS = ("review_id", "text", "product_id", "category", "rating", "sentiment")
#: Graph of the index. M=16 with 100 candidates is too weak for short texts; the build stays seconds.
HNSW = "m = 24, ef_construction = 200"
BUILD_MEMORY = "256MB"
LOCK_TIMEOUT = "5s"
#: Seconds to wait for a connection, and for one to be made (libpq's least is 2).
WAIT_S = 10.0
CONNECT_S = 2
#: Seconds after which the pool gives an attempt to reconnect up. The next call makes a new
#: one at once; the pool's own default backs off for minutes after an outage.
RECONNECT_S = 2.0
#: Seconds a lookup may take on the client's clock: a frozen server still acknowledges
#: packets, so neither `statement_timeout` nor TCP notices it.
LOOKUP_S = 2.0
#: The same for scans of a whole version, which measure recall.
SCAN_S = 120.0
#: Rows fetched at once where a whole version is read.
READ_ROWS = 2000
#: Seen by every connection of a pool. Without the iterative scan a filter that keeps 1 % of the rows
#: leaves nearly nothing of the candidates; its order is loose, so `search` sorts again.
SESSION = f"-c search_path={SCHEMA},public -c hnsw.ef_search=100 -c hnsw.iterative_scan=relaxed_order"


class Bounded(psycopg.Connection[Any]):
    """A connection whose every wait for the server ends at `limit_s`, by closing it."""

    #: Seconds for one wait; None for as long as it takes.
    limit_s: float | None = LOOKUP_S

    def wait(
        self, gen: Any, interval: float = 0.1, timeout: float | None = None
    ) -> Any:
        limit = self.limit_s if timeout is None else timeout
        try:
            return super().wait(gen, interval, limit)
        except psycopg.OperationalError:
            # What the server sends later would be read as the answer to the next statement.
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.close()
            raise


def check(connection: psycopg.Connection[Any]) -> None:
    """What the pool asks of a connection before it lends it: an answer, within LOOKUP_S."""
    if isinstance(connection, Bounded):
        connection.limit_s = LOOKUP_S
    ConnectionPool.check_connection(connection)


class _Pooled:
    """Few connections, opened on first use and checked before each: a restarted server is no outage."""

    def __init__(self, url: str) -> None:
        self._url = url

    @cached_property
    def _pool(self) -> ConnectionPool[Any]:
        return ConnectionPool(
            self._url,
            connection_class=Bounded,
            min_size=0,
            max_size=4,
            num_workers=2,
            timeout=WAIT_S,
            reconnect_timeout=RECONNECT_S,
            open=True,
            check=check,
            configure=register_vector,
            kwargs={
                "options": SESSION,
                # Plans are made anew for each search: a generic one does not know how
                # much a filter keeps.
                "prepare_threshold": None,
                "connect_timeout": CONNECT_S,
            },
        )

    @contextmanager
    def _connection(
        self, limit_s: float | None = None, wait_s: float = WAIT_S
    ) -> Iterator[psycopg.Connection[Any]]:
        """One transaction, each statement of which may take `limit_s` seconds.

        TransientError where the server does not answer in time or a lock is not granted.
        """
        try:
            with self._pool.connection(wait_s) as connection:
                connection.limit_s = limit_s
                yield connection
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise TransientError(f"Postgres does not answer: {error}") from error

    @contextmanager
    def _lookup(self, limit_s: float = LOOKUP_S) -> Iterator[psycopg.Connection[Any]]:
        """A transaction that somebody waits for: seconds, not minutes.

        Also DataError where its tables are not there, KindlingError for any other refusal.
        """
        try:
            with self._connection(limit_s, LOOKUP_S) as connection:
                yield connection
        except psycopg.errors.UndefinedTable as error:
            raise DataError(
                f"Postgres holds no index tables ({error}); run `python -m kindling migrate`"
            ) from error
        except (psycopg.Error, UnicodeDecodeError) as error:
            raise KindlingError(f"Postgres refused: {error}") from error


class PgVectors(_Pooled):
    """VectorIndex over `review_vector`. Half precision: half the size, the same recall."""

    name = "pgvector"

    def build(self, version: str, rows: Iterable[VectorRow]) -> int:
        """Make the version from nothing (replacing one of that name), in one transaction."""
        partition = _partition(version)
        with self._connection() as connection, connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            cursor.execute(f"SET LOCAL maintenance_work_mem = '{BUILD_MEMORY}'")
            cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(partition))
            cursor.execute(
                sql.SQL("CREATE TABLE {} (LIKE review_vector INCLUDING ALL)").format(
                    partition
                )
            )
            count = _copy(cursor, partition, version, rows)
            # After the rows: a graph made in one go is better and faster than one grown row by row.
            cursor.execute(
                sql.SQL(
                    "CREATE INDEX ON {} USING hnsw (embedding halfvec_cosine_ops) WITH ({})"
                ).format(partition, sql.SQL(HNSW))
            )
            for field in ("product_id", "category"):
                cursor.execute(
                    sql.SQL("CREATE INDEX ON {} ({})").format(
                        partition, sql.Identifier(field)
                    )
                )
            cursor.execute(sql.SQL("ANALYZE {}").format(partition))
            cursor.execute(
                sql.SQL(
                    "ALTER TABLE review_vector ATTACH PARTITION {} FOR VALUES IN ({})"
                ).format(partition, sql.Literal(version))
            )
        return count

    def count(self, version: str) -> int:
        with self._connection() as connection:
            counted = connection.execute(
                "SELECT count(*) FROM review_vector WHERE version = %s", (version,)
            ).fetchone()
        return int(counted[0]) if counted else 0

    def search(
        self,
        version: str,
        embedding: np.ndarray,
        limit: int,
        filters: Filters | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """Best first by cosine similarity; `exact` scans every row (for measuring recall)."""
        accepted = dict(wanted(filters))
        clauses = [
            sql.SQL(" AND {} = ANY(%s)").format(sql.Identifier(field))
            for field in accepted
        ]
        query = sql.SQL(
            "WITH nearest AS MATERIALIZED ("
            " SELECT review_id, embedding <=> %s AS distance FROM review_vector"
            " WHERE version = %s{} ORDER BY distance LIMIT %s)"
            " SELECT review_id, 1 - distance FROM nearest ORDER BY distance, review_id"
        ).format(sql.SQL("").join(clauses))
        # An exact search over named reviews is a lookup; over all of them it is a scan.
        whole = exact and "review_id" not in accepted
        with self._lookup(SCAN_S if whole else LOOKUP_S) as connection:
            if exact:
                connection.execute("SET LOCAL enable_indexscan = off")
            found = connection.execute(
                query, (HalfVector(embedding), version, *accepted.values(), limit)
            ).fetchall()
        return [Hit(review_id, float(score)) for review_id, score in found]

    def rows(self, version: str) -> Iterator[VectorRow]:
        """Every row of the version, ordered by review id."""
        with self._connection() as connection, connection.cursor("rows") as cursor:
            cursor.itersize = READ_ROWS
            cursor.execute(
                f"SELECT embedding, {', '.join(COLUMNS)} FROM review_vector"
                " WHERE version = %s ORDER BY review_id",
                (version,),
            )
            for embedding, *fields in cursor:
                vector = np.asarray(embedding.to_numpy(), dtype=np.float32)
                yield VectorRow(Document(*fields), vector)

    def versions(self) -> list[str]:
        with self._connection() as connection:
            bounds = connection.execute(
                "SELECT pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                " WHERE i.inhparent = 'review_vector'::regclass ORDER BY c.oid"
            ).fetchall()
        return [
            bound.removeprefix("FOR VALUES IN ('").removesuffix("')")
            for (bound,) in bounds
        ]

    def drop(self, version: str) -> None:
        with self._connection() as connection:
            connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            connection.execute(
                sql.SQL("DROP TABLE IF EXISTS {}").format(_partition(version))
            )


class PgIndexAlias(_Pooled):
    """IndexAlias: one row, so that a reader sees either the old version or the new one."""

    def current(self) -> str | None:
        with self._lookup() as connection:
            row = connection.execute(
                "SELECT version FROM index_alias WHERE name = %s", (ALIAS,)
            ).fetchone()
        return row[0] if row else None

    def swap(self, version: str) -> str | None:
        """Point the alias at `version`; returns the version before."""
        with self._lookup() as connection:
            before = connection.execute(
                "SELECT version FROM index_alias WHERE name = %s FOR UPDATE", (ALIAS,)
            ).fetchone()
            connection.execute(
                "INSERT INTO index_alias (name, version) VALUES (%s, %s)"
                " ON CONFLICT (name) DO UPDATE SET version = EXCLUDED.version, swapped_at = now()",
                (ALIAS, version),
            )
        return before[0] if before else None

    def documents(self, version: str, review_ids: Sequence[str]) -> dict[str, Document]:
        """The documents of these reviews in the version; ids that it does not have are left out."""
        with self._lookup() as connection:
            found = connection.execute(
                f"SELECT {', '.join(COLUMNS)} FROM review_vector WHERE version = %s AND review_id = ANY(%s)",
                (version, list(review_ids)),
            ).fetchall()
        return {row[0]: Document(*row) for row in found}


class PgEmbeddingCache(_Pooled):
    """EmbeddingCache in full precision."""

    def get(self, model: str, text_sha256s: Sequence[str]) -> dict[str, np.ndarray]:
        with self._connection() as connection:
            found = connection.execute(
                "SELECT text_sha256, embedding FROM embedding_cache WHERE model = %s AND text_sha256 = ANY(%s)",
                (model, list(text_sha256s)),
            ).fetchall()
        return {
            sha256: np.asarray(vector.to_numpy(), dtype=np.float32)
            for sha256, vector in found
        }

    def put(self, model: str, vectors: Mapping[str, np.ndarray]) -> None:
        with self._connection() as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO embedding_cache VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                [
                    (model, sha256, Vector(vector))
                    for sha256, vector in sorted(vectors.items())
                ],
            )


def _partition(version: str) -> sql.Identifier:
    # By hash: names of tables end at 63 bytes, and versions may differ after that.
    return sql.Identifier(
        f"review_vector_{hashlib.sha256(checked(version).encode()).hexdigest()[:16]}"
    )


def _copy(
    cursor: Any, partition: sql.Identifier, version: str, rows: Iterable[VectorRow]
) -> int:
    columns = sql.SQL(", ").join(
        map(sql.Identifier, ("version", "embedding", *COLUMNS))
    )
    count = 0
    with cursor.copy(
        sql.SQL("COPY {} ({}) FROM STDIN").format(partition, columns)
    ) as copy:
        for row in rows:
            if not np.isfinite(row.embedding).all():
                raise DataError(
                    f"review {row.document.review_id}: its embedding is not finite"
                )
            copy.write_row(
                (version, HalfVector(row.embedding).to_text(), *astuple(row.document))
            )
            count += 1
    return count
