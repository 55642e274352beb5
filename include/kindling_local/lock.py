"""One command at a time works on one `var`. The kernel drops the lock with its holder, however that ends."""

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from kindling_local.errors import SupervisorError


@contextmanager
def holding(path: Path, command: str) -> Iterator[None]:
    """Hold the lock; SupervisorError names the command and pid of who holds it already."""
    # Not inherited by children (PEP 446), so a service that outlives us does not keep it.
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SupervisorError(
                f"another run holds {path}, {_described(_read(path))}; wait for it, or end it: make down"
            ) from None
        file.truncate(0)
        _sign(file, command)
        yield
        file.truncate(0)


def holder(path: Path) -> int | None:
    """The pid of who holds the lock now; None if it is free."""
    if not path.exists():
        return None
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read(path).get("pid")
    return None


def _sign(file: TextIO, command: str) -> None:
    try:
        os.write(
            file.fileno(), json.dumps({"pid": os.getpid(), "command": command}).encode()
        )
    except OSError as error:
        # `down` must work on a full disk; the lock is held all the same, without a name on it.
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise


def _read(path: Path) -> dict[str, int]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError:  # Its holder has just taken it and not yet written.
        return {}
    return content if isinstance(content, dict) else {}


def _described(holder: dict[str, int]) -> str:
    return (
        f"pid {holder['pid']} (make {holder['command']})"
        if "pid" in holder
        else "pid not known yet"
    )
