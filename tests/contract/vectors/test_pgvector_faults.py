"""A server that is stopped, frozen, silent or not PostgreSQL, and tables that are not there."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest

from kindling.errors import DataError, KindlingError, TransientError
from kindling.stores import vectors_pgvector
from kindling.stores.vectors_pgvector import PgIndexAlias, PgVectors

QUERY = np.ones(384, dtype=np.float32) / np.sqrt(384)
#: Whatever is wrong, an answer takes no longer than a wait for a connection and a lookup.
BOUND_S = 3 * vectors_pgvector.LOOKUP_S + 2


@pytest.fixture
def frozen(database_url: str) -> Iterator[int]:
    """The process of the one connection that the test has open, to be stopped by signal."""
    with psycopg.connect(database_url) as connection:
        yield connection.info.backend_pid


@pytest.fixture(params=["silent", "nonsense"])
def impostor(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of something that listens and never speaks PostgreSQL."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            kept.append(connection)
            if request.param == "nonsense":
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello" * 50)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"postgresql://u@127.0.0.1:{listener.getsockname()[1]}/x"
    listener.close()
    for connection in kept:
        connection.close()


def test_a_server_that_is_no_postgres_is_an_error_within_seconds(impostor: str) -> None:
    started = time.monotonic()
    with pytest.raises(KindlingError, match="Postgres"):
        PgIndexAlias(impostor).current()
    assert time.monotonic() - started < BOUND_S


def test_a_frozen_server_is_transient_within_seconds_and_then_back(
    database_url: str,
) -> None:
    vectors = PgVectors(database_url)
    assert vectors.search("v", QUERY, 3) == []
    with vectors._connection() as connection:
        backend = connection.info.backend_pid
    os.kill(backend, signal.SIGSTOP)
    try:
        started = time.monotonic()
        with vectors._lookup() as connection:
            # Whoever had this connection last was not bounded: the lookup is.
            assert connection.info.backend_pid != backend
    except TransientError:
        assert time.monotonic() - started < BOUND_S
    finally:
        os.kill(backend, signal.SIGCONT)
    back = time.monotonic()
    while True:
        try:
            assert vectors.search("v", QUERY, 3) == []
            break
        except TransientError:
            assert time.monotonic() - back < BOUND_S


def test_a_statement_ends_at_its_limit_and_its_connection_is_not_used_again(
    database_url: str,
) -> None:
    vectors = PgVectors(database_url)
    started = time.monotonic()
    with (
        pytest.raises(TransientError, match="does not answer"),
        vectors._lookup(0.3) as connection,
    ):
        connection.execute("SELECT pg_sleep(20)")
    assert time.monotonic() - started < 3
    assert connection.closed
    with vectors._lookup() as other:
        assert other.execute("SELECT 7").fetchone() == (7,)


def test_what_is_built_may_take_longer_than_a_lookup(database_url: str) -> None:
    with PgVectors(database_url)._connection() as connection:
        slept = connection.execute(f"SELECT pg_sleep({vectors_pgvector.LOOKUP_S + 1})")
        assert slept.fetchone() is not None


def test_missing_tables_are_said(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP TABLE kindling.review_vector, kindling.index_alias")
    for ask in (
        lambda: PgVectors(database_url).search("v", QUERY, 1),
        lambda: PgIndexAlias(database_url).documents("v", ["a"]),
        lambda: PgIndexAlias(database_url).current(),
    ):
        with pytest.raises(DataError, match="migrate"):
            ask()


def test_a_refusal_of_another_kind_is_final(database_url: str) -> None:
    with pytest.raises(KindlingError, match="refused") as caught:
        PgVectors(database_url).search("v", QUERY, -1)
    assert not isinstance(caught.value, TransientError)


def test_an_outage_of_a_minute_is_over_in_seconds(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The pool's own backing off would make the next attempt minutes away."""
    alias = PgIndexAlias(database_url)
    alias.current()
    connect = vectors_pgvector.Bounded.connect
    refusing = threading.Event()
    refusing.set()

    def refused(*arguments: object, **options: object) -> object:
        if refusing.is_set():
            raise psycopg.OperationalError("connection refused")
        return connect(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(vectors_pgvector.Bounded, "connect", refused)
    with alias._connection() as connection:
        connection.close()
    for _ in range(4):
        with pytest.raises(TransientError):
            alias.current()
    refusing.clear()
    back = time.monotonic()
    while time.monotonic() - back < 5:
        try:
            alias.current()
            break
        except TransientError:
            continue
    else:
        pytest.fail("five seconds after the server was back, no connection was made")
