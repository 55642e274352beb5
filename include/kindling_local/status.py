"""What runs where: one row a service, from the state file and the services' own health."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
from rich.console import Console
from rich.table import Table

from kindling_local import postgres
from kindling_local.components import HEARTBEATS, health_of
from kindling_local.layout import Layout
from kindling_local.progress import seconds
from kindling_local.state import Entry, load, process
from kindling_local.summary import plain

ALL_HEALTHY, SOME_ILL, NOTHING_RUNS = 0, 1, 3
POSTGRES = "postgres"
_ENDED = " (something did, and ended by itself: make down tidies up)"


def print_status(console: Console, layout: Layout) -> int:
    """0 when everything that was started is healthy, 1 when something is not, 3 when nothing runs."""
    state = load(layout.state)
    rows = [
        _postgres(layout),
        *(_service(layout, one) for one in state.services.values()),
    ]
    rows = [row for row in rows if row.process is not None or state.services]
    if not any(row.process for row in rows):
        console.print("nothing runs" + (_ENDED if rows else ""))
        return NOTHING_RUNS
    _explain(rows)
    table = Table("service", box=None, header_style="bold")
    for column in ("pid", "address", "health", "up for", "RSS"):
        table.add_column(
            column,
            justify="right" if column in {"pid", "up for", "RSS"} else "left",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*row.cells())
    console.print(table)
    plain(console, f"environment of a stage run by hand: . {layout.environment}")
    return SOME_ILL if any(row.is_ill for row in rows) else ALL_HEALTHY


@dataclass
class _Row:
    """One service: `process` is None when it is gone; `problem` is empty when it is healthy."""

    name: str
    address: str
    process: psutil.Process | None
    problem: str
    #: False where the fault is a neighbour's.
    is_ill: bool = True

    def cells(self) -> tuple[str, ...]:
        if self.process is None:
            return (self.name, "", self.address, self.problem, "", "")
        resident = self.process.memory_info().rss + sum(
            child.memory_info().rss for child in self.process.children(recursive=True)
        )
        return (
            self.name,
            str(self.process.pid),
            self.address,
            self.problem or "healthy",
            seconds(time.time() - self.process.create_time()),
            f"{resident / 2**20:,.0f} MiB",
        )


def _postgres(layout: Layout) -> _Row:
    server = postgres.find(layout.postgres)
    if server is None:
        gone = f"gone; its log: {layout.postgres / 'log'}"
        return _Row(POSTGRES, "", None, gone)
    problem = postgres.ready(layout.postgres)
    address = str(postgres.socket_dir(layout.postgres))
    return _Row(POSTGRES, address, server, problem, bool(problem))


def _service(layout: Layout, entry: Entry) -> _Row:
    found = process(entry)
    if found is None:
        return _Row(entry.name, entry.url, None, f"gone; its log: {entry.log}")
    problem = health_of(layout, entry.name)()
    return _Row(entry.name, entry.url, found, problem, bool(problem))


def _explain(rows: Sequence[_Row]) -> None:
    """Name who is at fault: what cannot be asked because another is down is not ill itself."""
    ill = {row.name for row in rows if row.is_ill}
    for row in rows:
        if row.process is None or not row.is_ill or row.name == POSTGRES:
            continue
        if POSTGRES in ill:
            row.problem, row.is_ill = "runs; waits for postgres", False
        elif row.name in HEARTBEATS and "api-server" in ill:
            row.problem, row.is_ill = "runs; only the api-server could tell more", False
