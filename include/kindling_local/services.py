"""Start a service in a session of its own, and wait until it is healthy or say why it is not."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from kindling_local.errors import SupervisorError
from kindling_local.state import Entry, process

LAST_LINES = 25
#: A wait is never silent for longer.
SPEAK_S = 10.0
_PR_SET_PDEATHSIG = 1
# Loaded here because nothing may be loaded between fork and exec.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Service:
    """What to run and how to tell that it works. `health` returns what is missing, empty for nothing."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    url: str
    health: Callable[[], str]
    timeout_s: float = 120.0


def start(service: Service, folder: Path, with_parent: bool) -> Entry:
    """Start it with its output in its log. `with_parent`: it is told to end when the supervisor is gone."""
    if service.log.exists():
        shutil.move(service.log, service.log.with_suffix(".log.1"))
    with service.log.open("wb") as log:
        child = subprocess.Popen(
            list(service.argv),
            env=dict(service.environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Calls two functions that were loaded before the fork and takes no lock.
            preexec_fn=partial(_end_with_parent, os.getpid())
            if with_parent and _libc
            else None,  # noqa: PLW1509
        )
    # Reaped by psutil, which waits for a child as for any process.
    child.returncode = 0
    return Entry(
        service.name,
        child.pid,
        psutil.Process(child.pid).create_time(),
        service.url,
        str(service.log),
    )


def wait_healthy(
    services: Sequence[Service],
    entries: Mapping[str, Entry],
    report: Callable[[str, float], None],
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Wait for all; `report(name, seconds)` as each becomes healthy. SupervisorError names the log.

    `say` hears every few seconds what is waited for.
    """
    waiting = {service.name: service for service in services}
    spoke = time.monotonic()
    while waiting:
        if time.monotonic() - spoke >= SPEAK_S:
            spoke = time.monotonic()
            say(f"still waiting for {', '.join(waiting)}")
        for service in list(waiting.values()):
            entry = entries[service.name]
            elapsed = time.time() - entry.started_at
            if process(entry) is None:
                raise SupervisorError(
                    f"{service.name} ended while starting{_excerpt(service.log)}"
                )
            if not (missing := service.health()):
                report(service.name, elapsed)
                del waiting[service.name]
            elif elapsed > service.timeout_s:
                late = (
                    f"{service.name} is not healthy after {service.timeout_s:.0f} s ({missing}); "
                    "a slow machine is given more time by KINDLING_START_SECONDS"
                )
                raise SupervisorError(late + _excerpt(service.log))
        time.sleep(0.3 if waiting else 0)


def last_lines(log: Path, count: int = LAST_LINES) -> str:
    """The end of a log file; empty when there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 200 * count))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])


def _excerpt(log: Path) -> str:
    return f"; the end of {log}:\n{last_lines(log) or '(empty)'}"


def _end_with_parent(parent: int) -> None:
    assert _libc is not None
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # It died between fork and prctl: no signal will come.
        os.kill(os.getpid(), signal.SIGTERM)
