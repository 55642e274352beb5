"""The real LitServe server as a process, over a tiny model, real Postgres and the embedded keyword index."""

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

HERE = Path(__file__).resolve().parent
INCLUDE = HERE.parents[2] / "include"
START_S = 120.0
FILL_S = 180.0

REVIEWS = {
    "r0": ("The red dress is lovely and soft", 5, "positive"),
    "r1": ("The seam ripped after one wash", 1, "negative"),
    "r2": ("Runs small, order a size up", 3, "neutral"),
    "r3": ("Lovely fabric, perfect fit", 5, "positive"),
    "r4": ("The zipper broke on day one", 1, "negative"),
    "r5": ("It is okay, nothing special", 3, "neutral"),
}


@dataclass
class Server:
    url: str
    process: subprocess.Popen[str]
    log: Path
    #: One for all threads: making a client costs more than most answers.
    client: httpx.Client

    def family(self) -> list[psutil.Process]:
        """The server and every process under it."""
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]

    def post(self, path: str, **arguments: object) -> httpx.Response:
        return self.client.post(f"{self.url}{path}", **arguments)  # type: ignore[arg-type]


@dataclass(frozen=True)
class World:
    """Two models, two index versions; the first of each serves."""

    folder: Path
    database_url: str

    @contextmanager
    def server(
        self,
        kind: str = "tiny",
        wait: bool = True,
        port: int | None = None,
        **environment: str,
    ) -> Iterator[Server]:
        port = port or free_port()
        log = self.folder / f"server-{port}-{uuid.uuid4().hex[:6]}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [
                    sys.executable,
                    str(HERE / "tiny_server.py"),
                    kind,
                    str(port),
                    str(self.folder),
                    self.database_url,
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=self.folder,
                start_new_session=True,
                env={
                    **os.environ,
                    "PYTHONPATH": str(INCLUDE),
                    "OMP_NUM_THREADS": "1",
                    **environment,
                },
            )
        client = httpx.Client(timeout=60, limits=httpx.Limits(max_connections=None))
        server = Server(f"http://127.0.0.1:{port}", process, log, client)
        try:
            if wait:
                until_healthy(server)
            yield server
        finally:
            client.close()
            left = server.family() if process.poll() is None else []
            process.terminate()
            # What does not end by itself ends here, and fails the test that asks for it.
            for one in psutil.wait_procs(left, timeout=40)[1]:
                one.kill()
            process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_healthy(server: Server) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        try:
            if server.client.get(f"{server.url}/health", timeout=5).text == "ok":
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"the server did not come up:\n{server.log.read_text()}")


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    return until


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: str,
    migrated_template: str,
) -> Iterator[World]:
    name = f"serving_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{migrated_template}"')
    world = World(
        tmp_path_factory.mktemp("serving"),
        psycopg.conninfo.make_conninfo(postgres_server, dbname=name),
    )
    _fill(world)
    yield world
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Server]:
    with world.server() as running:
        yield running


def _fill(world: World) -> None:
    # In a process of its own: the test's process keeps its memory, and models load as they do in life.
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "import conftest, tiny_server\n"
        "tiny_server.fill(Path(sys.argv[2]), sys.argv[3], conftest.REVIEWS)\n"
    )
    subprocess.run(
        [
            sys.executable,
            "-c",
            program,
            str(HERE),
            str(world.folder),
            world.database_url,
        ],
        check=True,
        env={**os.environ, "PYTHONPATH": str(INCLUDE), "OMP_NUM_THREADS": "1"},
        timeout=FILL_S,
    )
