"""Migrations are applied once, in order, forward only."""

import threading
from pathlib import Path

import psycopg
import pytest

from kindling.errors import ConfigurationError
from kindling.stores.migrations import migrate


@pytest.fixture
def empty_database(postgres_server: str, request: pytest.FixtureRequest) -> str:
    name = f"empty_{abs(hash(request.node.name)) % 10**8}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}"')
    return psycopg.conninfo.make_conninfo(postgres_server, dbname=name)


def test_all_apply_once(empty_database: str, repository: Path) -> None:
    folder = repository / "sql/migrations"
    assert migrate(empty_database, folder) == sorted(
        path.name for path in folder.glob("*.sql")
    )
    assert migrate(empty_database, folder) == []


def test_two_at_once_apply_each_file_once(
    empty_database: str, repository: Path
) -> None:
    applied: list[list[str]] = []
    threads = [
        threading.Thread(
            target=lambda: applied.append(
                migrate(empty_database, repository / "sql/migrations")
            )
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(bool, applied)) == [False, False, True]


def test_changed_history_is_refused(empty_database: str, tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (x int);")
    migrate(empty_database, tmp_path)
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (x bigint);")
    with pytest.raises(ConfigurationError, match="changed after it was applied"):
        migrate(empty_database, tmp_path)


def test_a_failing_file_leaves_nothing_of_itself(
    empty_database: str, tmp_path: Path
) -> None:
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (x int);")
    (tmp_path / "0002_b.sql").write_text("CREATE TABLE b (x int); SELECT 1/0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty_database, tmp_path)
    (tmp_path / "0002_b.sql").write_text("CREATE TABLE b (x int);")
    assert migrate(empty_database, tmp_path) == ["0002_b.sql"]


def test_no_migrations_is_an_error(empty_database: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no migrations"):
        migrate(empty_database, tmp_path)
