"""What runs where: one row a service, from the state file and the services' own health."""

import time

import psutil
from rich.console import Console
from rich.table import Table

from kindling_local import postgres
from kindling_local.components import health_of
from kindling_local.layout import Layout
from kindling_local.progress import seconds
from kindling_local.state import load, process

ALL_HEALTHY, SOME_ILL, NOTHING_RUNS = 0, 1, 3


def print_status(console: Console, layout: Layout) -> int:
    """0 when everything that was started is healthy, 1 when something is not, 3 when nothing runs."""
    state = load(layout.state)
    table = Table("service", box=None, header_style="bold")
    for column in ("pid", "address", "health", "up for", "RSS"):
        table.add_column(
            column,
            justify="right" if column in {"pid", "up for", "RSS"} else "left",
            overflow="fold",
        )
    alive = ill = 0
    if server := postgres.find(layout.postgres):
        alive += 1
        ill += _add(
            table,
            "postgres",
            server,
            str(postgres.socket_dir(layout.postgres)),
            postgres.ready(layout.postgres),
        )
    for name, entry in state.services.items():
        if found := process(entry):
            alive += 1
            ill += _add(table, name, found, entry.url, health_of(layout, name)())
        else:
            ill += 1
            table.add_row(
                name, str(entry.pid), entry.url, f"gone; its log: {entry.log}", "", ""
            )
    if not alive:
        console.print(
            "nothing runs"
            + (
                " (something did, and ended by itself: make down tidies up)"
                if ill
                else ""
            )
        )
        return NOTHING_RUNS
    console.print(table)
    return SOME_ILL if ill else ALL_HEALTHY


def _add(
    table: Table, name: str, found: psutil.Process, address: str, problem: str
) -> int:
    resident = found.memory_info().rss + sum(
        child.memory_info().rss for child in found.children(recursive=True)
    )
    table.add_row(
        name,
        str(found.pid),
        address,
        problem or "healthy",
        seconds(time.time() - found.create_time()),
        f"{resident / 2**20:,.0f} MiB",
    )
    return int(bool(problem))
