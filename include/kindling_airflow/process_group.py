"""A child process in a group of its own: read as it speaks, ended with everything it started."""

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

#: Seconds between TERM and KILL. Airflow kills the task itself 5 s after its TERM; this must be over by then.
GRACE_S = 4.0
#: A line is cut here, so that output without line ends cannot fill memory.
MAX_LINE_BYTES = 64 * 1024

_PR_SET_PDEATHSIG = 1
# Loaded here because nothing may be loaded between fork and exec.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def launch(
    argv: Sequence[str], environment: Mapping[str, str], folder: Path
) -> subprocess.Popen[bytes]:
    """Start `argv` (no shell) in `folder`; stdout and stderr come back as one stream, stdin is empty."""
    return subprocess.Popen(
        list(argv),
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
        # Calls two functions that were loaded before the fork and takes no lock.
        preexec_fn=partial(_die_with_parent, os.getpid()) if _libc else None,  # noqa: PLW1509
    )


def lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """Lines of output as they come, until the process has ended.

    A grandchild that holds the pipe open does not hold the reader: what is in the pipe when the
    process ends is read, and no more.
    """
    assert process.stdout is not None
    pending = b""
    with process.stdout as pipe, selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            ended = process.poll() is not None
            if not selector.select(timeout=0 if ended else 0.2):
                if ended:
                    break
                continue
            if not (chunk := os.read(pipe.fileno(), MAX_LINE_BYTES)):
                break
            *whole, pending = (pending + chunk).split(b"\n")
            if len(pending) >= MAX_LINE_BYTES:
                whole, pending = [*whole, pending], b""
            yield from map(_text, whole)
    if pending:
        yield _text(pending)
    # Not wait(): it holds a lock that `end_group`, called by a signal in the middle of it, would need.
    while process.poll() is None:
        time.sleep(0.1)


def end_group(process: subprocess.Popen[bytes], grace_s: float = GRACE_S) -> None:
    """TERM to the whole group, KILL to what is left of it after the grace; nothing if it is gone."""
    for number, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 0.5)):
        if not _reaches(process.pid, number):
            break
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline and _reaches(process.pid, 0):
            time.sleep(0.05)
            process.poll()
    process.poll()


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip()


def _reaches(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (
        ProcessLookupError,
        PermissionError,
    ):  # macOS: EPERM for a group of zombies.
        return False
    return True


def _die_with_parent(parent: int) -> None:
    # KILL, since a task that was itself killed cannot wait for a grace; stages are safe to kill.
    assert _libc is not None
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # It died between fork and prctl: no signal will come.
        os.kill(os.getpid(), signal.SIGKILL)
