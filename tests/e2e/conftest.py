"""A laptop without Airflow: Postgres, object folder, MLflow's database, and the bundled shop."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[str]:
    """The bundled shop with its smoke catalogue; yields its URL."""
    catalogue = tmp_path_factory.mktemp("catalogue") / "smoke"
    program = [sys.executable, str(repository / "containers/shop")]
    subprocess.run(
        [*program, "make", "--kind", "bundled-smoke", "--out", str(catalogue)],
        check=True,
    )
    port = _free_port()
    server = subprocess.Popen(
        [*program, "serve", "--catalogue", str(catalogue), "--port", str(port)]
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(200):
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{url}/healthz", timeout=1),
        ):
            break
        time.sleep(0.1)
    yield url
    server.terminate()
    server.wait(10)


@pytest.fixture(scope="session")
def make_laptop(
    postgres_server: str,
    migrated_template: str,
    shop: str,
    chromium: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[], dict[str, str]]:
    """Makes the environment of a stage process over fresh, empty stores."""

    def make() -> dict[str, str]:
        name, folder = f"e2e_{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("laptop")
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(
                f'CREATE DATABASE "{name}" TEMPLATE "{migrated_template}"'
            )
            connection.execute(f'CREATE DATABASE "{name}_mlflow"')
        host = psycopg.conninfo.conninfo_to_dict(postgres_server)["host"]
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "PYTHONUNBUFFERED": "1",
            "KINDLING_DATABASE_URL": f"postgresql://postgres:@/{name}?host={host}",
            "KINDLING_MLFLOW_URL": f"postgresql+psycopg://postgres:@/{name}_mlflow?host={host}",
            "KINDLING_OBJECTS_URL": f"file://{folder}/objects",
            "KINDLING_KEYWORDS_DIR": str(folder / "keywords"),
            "KINDLING_SHOP_URL": shop,
            "KINDLING_CHROMIUM": chromium,
        }

    return make
