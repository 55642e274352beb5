"""`var/state.json`: what was started, written after every start, so that a crash leaves a trail."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

#: A start time is computed from the clock, which may be set meanwhile.
CLOCK_SLACK_S = 5.0


@dataclass(frozen=True)
class Entry:
    """One started service. `created` is its own start time: a pid alone may be somebody else's by now."""

    name: str
    pid: int
    created: float
    url: str
    log: str
    started_at: float = field(default_factory=time.time)


@dataclass
class State:
    """What is in the file."""

    #: `starting`, then `up` or `run`.
    command: str = ""
    #: Of scheduled runs.
    recipe: str = ""
    #: What the shop serves.
    catalogue: str = ""
    services: dict[str, Entry] = field(default_factory=dict)
    #: Service -> port, as it was started; another command may be given others.
    ports: dict[str, int] = field(default_factory=dict)


def load(path: Path) -> State:
    """The state; empty when there is none, or when its last write was cut off by a full disk."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return State()
    services = {name: Entry(**entry) for name, entry in content.pop("services").items()}
    return State(**content, services=services)


def save(path: Path, state: State) -> None:
    """Replace the file in one step."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(json.dumps(asdict(state), indent=2), encoding="utf-8")
    os.replace(temporary, path)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody else starts or stops services meanwhile: the watcher and a command work side by side."""
    with path.with_name("services.lock").open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def process(entry: Entry) -> psutil.Process | None:
    """The entry's process if it still runs."""
    try:
        found = psutil.Process(entry.pid)
        alive = (
            found.status() != psutil.STATUS_ZOMBIE
            and abs(found.create_time() - entry.created) <= CLOCK_SLACK_S
        )
    except psutil.NoSuchProcess:
        return None
    return found if alive else None
