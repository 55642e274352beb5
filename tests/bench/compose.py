"""The compose file brought up: seconds to an answer, rows over a restart, requests over a lost endpoint.

    make bench NAME=compose

A project, ports and passwords of its own; images are built first and not timed (`KINDLING_TORCH` as for
`docker compose build`; `DOCKER` names the client). `demo_up_s` is from `up` to the first answer of
`/analyze`, one small night included; `full_up_s` to Airflow, MLflow and Prometheus answering as well.
`scaled_inference_failed` counts failed requests of four clients while one of three endpoints is killed.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
DOCKER = os.environ.get("DOCKER") or "docker"
PROJECT = "kindling-bench"
PORTS = (
    "POSTGRES",
    "ELASTICSEARCH",
    "S3",
    "SHOP",
    "INFERENCE",
    "AIRFLOW",
    "MLFLOW",
    "PROMETHEUS",
)
TABLES = (
    "product",
    "review",
    "photo",
    "rejection",
    "synthesis",
    "label",
    "stage_commit",
)
LONGEST_S = 1200.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="not used")
    parser.add_argument("--without-full", action="store_true", help="`demo` alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kindling-compose-") as folder:
        compose = Compose(Path(folder))
        with compose.taken_down():
            print(json.dumps(_measured(compose, full=not options.without_full)))


class Compose:
    """A project with a generated `.env` and free ports."""

    def __init__(self, folder: Path) -> None:
        self._env = _generated(folder)
        self._ports = {name: _free_port() for name in PORTS}

    def address(self, name: str) -> str:
        """URL of the service whose port is called so."""
        return f"http://127.0.0.1:{self._ports[name]}"

    def run(self, *arguments: str) -> str:
        """Output of `docker compose …`."""
        environment = {
            **os.environ,
            **{
                f"KINDLING_PORT_{name}": str(port) for name, port in self._ports.items()
            },
        }
        options = ("--env-file", str(self._env), "-p", PROJECT)
        done = subprocess.run(
            [DOCKER, "compose", *options, *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"docker compose {arguments}: {done.stderr[-4000:]}")
        return done.stdout

    @contextmanager
    def taken_down(self) -> Iterator[None]:
        """Containers and volumes are gone at the end."""
        try:
            yield
        finally:
            self.run("--profile", "demo", "--profile", "full", "down", "-v")

    def rows(self) -> dict[str, int]:
        """Rows of every table of the product."""
        query = " UNION ALL ".join(
            f"SELECT '{table}', count(*) FROM kindling.{table}" for table in TABLES
        )
        psql = ("psql", "-U", "kindling", "-d", "kindling", "-Atc", query)
        lines = self.run("exec", "-T", "postgres", *psql).split()
        return {name: int(count) for name, count in (one.split("|") for one in lines)}


def _measured(compose: Compose, full: bool) -> dict[str, object]:
    profiles = ("--profile", "demo", *(("--profile", "full") if full else ()))
    compose.run(*profiles, "build", "--quiet")
    demo_up = _timed(lambda: _up(compose, "demo"))
    before = compose.rows()
    compose.run("--profile", "demo", "down")
    _up(compose, "demo")
    figures: dict[str, object] = {
        "demo_up_s": round(demo_up),
        "rows_after_restart_equal": compose.rows() == before,
        "rows": before,
        **_scaled(compose),
    }
    print(figures, flush=True)
    if full:
        compose.run("--profile", "demo", "down")
        figures["full_up_s"] = round(_timed(lambda: _up(compose, "full")))
    return figures


def _up(compose: Compose, profile: str) -> None:
    compose.run("--profile", profile, "up", "-d")
    wanted = [f"{compose.address('INFERENCE')}/ready"]
    if profile == "full":
        wanted += [
            f"{compose.address('AIRFLOW')}/api/v2/version",
            f"{compose.address('MLFLOW')}/health",
            f"{compose.address('PROMETHEUS')}/-/healthy",
        ]
    for url in wanted:
        _wait(url)
    if profile == "demo":
        answer = httpx.post(
            f"{compose.address('INFERENCE')}/analyze",
            data={"text": "It came with a tear along the side"},
            timeout=60,
        )
        answer.raise_for_status()


def _scaled(compose: Compose) -> dict[str, int]:
    compose.run("--profile", "demo", "up", "-d", "--scale", "inference=3")
    names = compose.run("ps", "-q", "inference").split()
    _wait_for_replicas(names)
    url, stop = f"{compose.address('INFERENCE')}/analyze", threading.Event()
    asked, failed = [0], [0]
    clients = [
        threading.Thread(target=_ask, args=(url, stop, asked, failed)) for _ in range(4)
    ]
    for client in clients:
        client.start()
    time.sleep(10)
    subprocess.run([DOCKER, "kill", names[0]], check=True, capture_output=True)
    time.sleep(20)
    stop.set()
    for client in clients:
        client.join()
    return {"scaled_inference_asked": asked[0], "scaled_inference_failed": failed[0]}


def _ask(url: str, stop: threading.Event, asked: list[int], failed: list[int]) -> None:
    with httpx.Client(timeout=60) as client:
        while not stop.is_set():
            try:
                answer = client.post(url, data={"text": "Good, but it leaks"})
                wrong = answer.status_code != 200
            except httpx.TransportError:
                wrong = True
            asked[0] += 1
            failed[0] += wrong


def _wait_for_replicas(containers: list[str]) -> None:
    """Until each is healthy by its image's own check."""
    form = "{{.State.Health.Status}}"
    deadline = time.monotonic() + LONGEST_S
    for container in containers:
        argv = [DOCKER, "inspect", "-f", form, container]
        while subprocess.check_output(argv, text=True).strip() != "healthy":
            if time.monotonic() > deadline:
                raise SystemExit(f"{container} is not healthy after {LONGEST_S:.0f} s")
            time.sleep(1)


def _wait(url: str) -> None:
    deadline = time.monotonic() + LONGEST_S
    while True:
        try:
            if httpx.get(url, timeout=10).status_code == 200:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise SystemExit(f"{url} does not answer after {LONGEST_S:.0f} s")
        time.sleep(1)


def _timed(work: Callable[[], None]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _generated(folder: Path) -> Path:
    """The `.env` that make-env writes, beside a copy of its example."""
    (folder / "containers/compose").mkdir(parents=True)
    for name in (".env.example", "containers/compose/make-env"):
        shutil.copy(ROOT / name, folder / name)
    subprocess.run(
        ["sh", folder / "containers/compose/make-env"], check=True, capture_output=True
    )
    return folder / ".env"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


if __name__ == "__main__":
    main()
