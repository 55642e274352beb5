"""What a run is doing: a live table on a terminal, a line for each change elsewhere."""

import time
from collections.abc import Mapping
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kindling.catalog import STAGE_NAMES
from kindling_local import words
from kindling_local.airflow_client import ENDED, Task

HEARTBEAT_S = 30.0
STYLES = {
    "success": "green",
    "running": "cyan",
    "failed": "bold red",
    "upstream_failed": "red",
    "up_for_retry": "yellow",
    "queued": "yellow",
    "scheduled": "yellow",
}

Reports = Mapping[str, Mapping[str, Any]]


class View(Protocol):
    def show(
        self, tasks: Mapping[str, Task], reports: Reports, last_words: str
    ) -> None:
        """Say how things stand now; called about once a second. `last_words`: of the running task's log."""

    def close(self) -> None: ...


def view(console: Console, started: float) -> View:
    """The view that fits the console; `started` is the monotonic time that its clock counts from."""
    return (
        LiveView(console, started)
        if console.is_terminal
        else PlainView(console, started)
    )


class LiveView:
    """One table that is drawn anew in place, with an overall bar under it."""

    def __init__(self, console: Console, started: float) -> None:
        self._started = started
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._live.start()

    def show(
        self, tasks: Mapping[str, Task], reports: Reports, last_words: str
    ) -> None:
        done = sum(task.state in ENDED for task in tasks.values())
        elapsed = time.monotonic() - self._started
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=max(1, len(tasks)), completed=done, width=40),
            f"{done}/{len(tasks)} tasks",
            seconds(elapsed),
        )
        words = Text(last_words, "dim", overflow="ellipsis", no_wrap=True)
        self._live.update(Group(task_table(tasks, reports), words, bar), refresh=True)

    def close(self) -> None:
        self._live.stop()


class PlainView:
    """A line a change of state, and one every half minute while nothing changes."""

    def __init__(self, console: Console, started: float) -> None:
        self._console = console
        self._started = started
        self._spoke = time.monotonic()
        self._known: dict[str, tuple[str, int]] = {}

    def show(
        self, tasks: Mapping[str, Task], reports: Reports, last_words: str
    ) -> None:
        for task in in_order(tasks):
            if task.state != "waiting" and self._known.get(task.name) != (
                task.state,
                task.attempt,
            ):
                self._known[task.name] = (task.state, task.attempt)
                self._say(
                    f"{task.name:<11} {described(task)}{_rows(task.name, reports.get(task.name))}"
                )
        if time.monotonic() - self._spoke >= HEARTBEAT_S:
            working = [
                _at_work(task)
                for task in in_order(tasks)
                if task.state not in ENDED | {"waiting"}
            ]
            done = sum(task.state in ENDED for task in tasks.values())
            said = f'. It last said: "{last_words}"' if last_words else ""
            self._say(
                f"{done} of {len(tasks)} stages done; "
                f"{', '.join(working) or 'the scheduler starts the next one'}{said}"
            )

    def close(self) -> None:
        """Nothing is held."""

    def _say(self, line: str) -> None:
        self._spoke = time.monotonic()
        print_at(self._console, self._started, line)


def print_at(console: Console, started: float, line: str) -> None:
    """A line with the seconds since `started` before it."""
    console.print(
        f"[{time.monotonic() - started:6.1f} s] {line}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def task_table(tasks: Mapping[str, Task], reports: Reports) -> Table:
    """Tasks in the order of the pipeline: state, rows in and out, time."""
    table = Table("stage", "state", box=None, header_style="bold")
    for column in ("rows in", "rows out", "elapsed"):
        table.add_column(column, justify="right")
    for task in in_order(tasks):
        report = reports.get(task.name)
        counts = (
            (f"{report['rows_in']:,}", f"{report['rows_out']:,}")
            if report
            else ("", "")
        )
        table.add_row(
            task.name,
            Text(described(task), STYLES.get(task.state, "dim")),
            *counts,
            seconds(task.elapsed_s) if task.elapsed_s else "",
        )
    return table


def in_order(tasks: Mapping[str, Task]) -> list[Task]:
    """The pipeline's order; a task that is no stage comes last."""
    order = {name: position for position, name in enumerate(STAGE_NAMES)}
    return sorted(
        tasks.values(), key=lambda task: (order.get(task.name, len(order)), task.name)
    )


def described(task: Task) -> str:
    """The state, with the attempt from the second on."""
    return words.state(task.state) + (
        f" (attempt {task.attempt})" if task.attempt > 1 else ""
    )


def _at_work(task: Task) -> str:
    if task.state == "running":
        return f"{task.name} has been running for {seconds(task.elapsed_s)}"
    return f"{task.name}: {words.state(task.state)}"


def seconds(value: float) -> str:
    """`7.3 s`, `2:05 min` or `1:02:05 h`."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def _rows(stage: str, report: Mapping[str, Any] | None) -> str:
    if report is None:
        return ""
    unchanged = ", as committed before" if report.get("unchanged") else ""
    why = words.emptiness(stage, report)
    empty = f" ({why})" if why else ""
    return (
        f": {report['rows_in']:,} rows in, {report['rows_out']:,} out{unchanged}{empty}"
    )
