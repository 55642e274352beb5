"""An installation in a temporary folder, and processes that stand in for services."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from kindling_local.layout import PORTS, Layout
from kindling_local.services import Service, start
from kindling_local.state import load, save

#: Starts `argv[3:]` as a child of its own where there is one; on TERM notes its name in the file, does what
#: its manner says, and ends. `own` puts it into a session of its own, as Airflow's task runners are.
DUMMY = """
import os, signal, subprocess, sys, time
journal, name, manner = sys.argv[1:4]
if "own" in manner:
    os.setsid()
own_argv = [sys.executable, "-S", "-c", os.environ["DUMMY"], journal]
child = subprocess.Popen([*own_argv, *sys.argv[4:]]) if sys.argv[4:] else None
def note(text):
    with open(journal, "a") as file:
        file.write(text + "\\n")
def end(number, frame):
    note(name)
    if "deaf" in manner:
        return
    if "kills" in manner:
        child.terminate()
    if child and "leaves" not in manner:
        child.wait()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
note("up " + name)
while True:
    time.sleep(0.02)
    if child and "follows" in manner and child.poll() is not None:
        sys.exit(0)
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "root", tmp_path / "var", PORTS)
    made.make()
    return made


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def launch(layout: Layout, journal: Path) -> Iterator[Callable[..., psutil.Process]]:
    """`launch(name, manner, *descendants)`: a dummy service in the state file, once all of it is up."""
    started: list[psutil.Process] = []

    def one(name: str, manner: str, *descendants: str) -> psutil.Process:
        argv = (
            sys.executable,
            "-S",
            "-c",
            DUMMY,
            str(journal),
            name,
            manner,
            *descendants,
        )
        service = Service(
            name, argv, {"DUMMY": DUMMY}, layout.log(name), "", lambda: ""
        )
        state = load(layout.state)
        state.services[name] = start(service, layout.processes, with_parent=False)
        save(layout.state, state)
        last = descendants[-2] if descendants else name
        wait_until(lambda: f"up {last}" in lines(journal))
        process = psutil.Process(state.services[name].pid)
        started.extend([process, *process.children(recursive=True)])
        return process

    yield one
    for process in started:
        if process.is_running():
            process.kill()
    psutil.wait_procs(started, timeout=5)


@pytest.fixture
def stray() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Processes that the supervisor did not start."""
    started = []

    def one(**options: object) -> subprocess.Popen[bytes]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-S", "-c", "import time; time.sleep(60)"], **options
            )
        )  # type: ignore[call-overload]
        return started[-1]

    yield one
    for process in started:
        process.kill()
        process.wait()


def lines(journal: Path) -> list[str]:
    return journal.read_text().splitlines() if journal.exists() else []


def wait_until(true: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)


def report(
    stage: str, rows_in: int = 1200, rows_out: int = 1000, **more: Any
) -> dict[str, Any]:
    return {
        "stage": stage,
        "rows_in": rows_in,
        "rows_out": rows_out,
        "rejected": {},
        "figures": {},
        "uris": {},
        "implementation": {},
        "unchanged": False,
        **more,
    }


def text_console() -> tuple[Console, StringIO]:
    output = StringIO()
    return Console(file=output, width=140, highlight=False), output
