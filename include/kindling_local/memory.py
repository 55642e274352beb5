"""Peak memory of everything together: the sum of proportional set sizes (PSS).

Resident sizes are looked at each second, the PSS whenever their sum is a new high, and every five
seconds. PSS counts a page that forked processes share once in all; where the kernel does not tell it (macOS)
resident sizes stand in, which count it once a process.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

import psutil

INTERVAL_S = 1.0
EXACT_INTERVAL_S = 5.0

Names = dict[psutil.Process, str]


@dataclass(frozen=True)
class Peak:
    """The highest sum seen, in bytes, and the part of each service and stage in it, largest first."""

    total: int = 0
    parts: Mapping[str, int] = field(default_factory=dict)
    measure: str = "PSS"


class MemorySampler:
    """Samples in a thread of its own between `__enter__` and `__exit__`."""

    def __init__(
        self, roots: Callable[[], Mapping[int, str]], interval_s: float = INTERVAL_S
    ) -> None:
        self._roots = roots
        self._interval_s = interval_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)
        self.peak = Peak()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(5)

    def _sample(self) -> None:
        names: Names = {}
        highest, exact_at = 0, 0.0
        while not self._end.is_set():
            started = time.monotonic()
            found = family(self._roots(), names)
            # The kernel walks every page to tell a PSS; a resident size it just knows.
            resident = sum(_resident(one) for one in found)
            if resident > highest or started - exact_at >= EXACT_INTERVAL_S:
                highest, exact_at = max(highest, resident), started
                taken = measure(found)
                self.peak = max(self.peak, taken, key=lambda peak: peak.total)
            self._end.wait(max(0.0, self._interval_s - (time.monotonic() - started)))


def family(roots: Mapping[int, str], names: Names) -> dict[psutil.Process, str]:
    """Every process under `roots` (pid -> name) with its service or stage; `names` keeps what was found."""
    processes = {one.pid: one for one in psutil.process_iter()}
    parents = {pid: _parent(one) for pid, one in processes.items()}
    found = {}
    for pid, one in processes.items():
        if not (root := _root(pid, parents, roots)):
            continue
        if one not in names:
            parent = processes.get(parents[pid] or 0)
            names[one] = (
                roots.get(pid)
                or _stage(one)
                or (names.get(parent, "") if parent else "")
                or roots[root]
            )
        # A process that forked from Airflow's worker becomes a stage only when it executes it.
        elif names[one] == roots[root] and pid not in roots:
            names[one] = _stage(one) or names[one]
        found[one] = names[one]
    return found


def _parent(one: psutil.Process) -> int | None:
    # Not `.info`: psutil hands the same objects to every caller, and another thread's search (for
    # PostgreSQL, while it starts) replaces what is in it.
    try:
        return one.ppid()
    except psutil.Error:
        return None


def measure(found: Mapping[psutil.Process, str]) -> Peak:
    """The sum over these processes now, by name."""
    parts: dict[str, int] = {}
    exact = True
    for one, name in found.items():
        try:
            size, is_pss = _size(one)
        except psutil.NoSuchProcess:
            continue
        exact = exact and is_pss
        parts[name] = parts.get(name, 0) + size
    ordered = dict(sorted(parts.items(), key=lambda part: -part[1]))
    return Peak(sum(ordered.values()), ordered, "PSS" if exact else "RSS")


def _resident(one: psutil.Process) -> int:
    try:
        return int(one.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _size(one: psutil.Process) -> tuple[int, bool]:
    """Bytes, and whether they are the proportional set."""
    try:
        full = one.memory_full_info()
    except psutil.AccessDenied:
        return one.memory_info().rss, False
    return (full.pss, True) if hasattr(full, "pss") else (full.rss, False)


def _root(
    pid: int, parents: Mapping[int, int | None], roots: Mapping[int, str]
) -> int | None:
    seen: set[int] = set()
    current: int | None = pid
    while current and current not in roots:
        # A pid may be reused between two reads and close a circle.
        if current in seen:
            return None
        seen.add(current)
        current = parents.get(current)
    return current or None


def _stage(candidate: psutil.Process) -> str:
    try:
        arguments = candidate.cmdline()
    except psutil.Error:
        return ""
    for first, second, name in zip(
        arguments, arguments[1:], arguments[2:], strict=False
    ):
        if (first, second) == ("-m", "kindling"):
            return f"stage {name}"
    return ""
