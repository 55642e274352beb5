"""End everything of one installation, in the order that leaves no orphan, and prove it.

Airflow's scheduler waits for running tasks when it is told to end, and its tasks live in sessions of
their own: so the tasks go first, then those who schedule, then the API server that they all report
to, then what serves, and the database last.
"""

import errno
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import psutil

from kindling_local import postgres
from kindling_local.components import WATCHER
from kindling_local.layout import Layout
from kindling_local.state import State, alone, load, process, save

#: Those of a phase end at the same time: the API server takes seconds to leave after its last answer.
PHASES = (
    # First, or it would start again what is being stopped.
    (WATCHER,),
    ("scheduler", "triggerer", "dag-processor"),
    ("api-server", "inference", "mlflow", "shop"),
)
SCHEDULER = "scheduler"
GRACE_S = 20.0
#: The API server has answered its last request within a second, and then takes up to twenty to free its
#: objects one by one.
SHORTER_GRACE_S = {"api-server": 3.0}
POLL_S = 0.2

Say = Callable[[str], None]


def stop_all(layout: Layout, say: Say, grace_s: float = GRACE_S) -> list[str]:
    """Names of what was stopped. Works from the state file and, after a crash, without it."""
    state = load(layout.state)
    stopped: list[str] = []
    for names in PHASES:
        stopped += stop_services(layout, state, names, grace_s, say)
    stopped += _kill_leftovers(layout, grace_s, say)
    if postgres.stop(layout.postgres):
        say("postgres stopped")
        stopped.append("postgres")
    _note(layout, State())
    return stopped


def stop_services(
    layout: Layout, state: State, names: Iterable[str], grace_s: float, say: Say
) -> list[str]:
    """TERM to these services at once, after the grace KILL to what is left of their trees; notes it."""
    with alone(layout.state):
        # What is in the file is newer: the watcher may have started one of them again.
        state.services |= load(layout.state).services
        return _stop(layout, state, list(names), grace_s, say)


def _stop(
    layout: Layout, state: State, names: Sequence[str], grace_s: float, say: Say
) -> list[str]:
    wanted = {
        name: found
        for name in names
        if (entry := state.services.get(name)) and (found := process(entry))
    }
    # What the watcher has started again is its child, and ends in a phase of its own.
    trees = {
        name: [found] if name == WATCHER else [found, *_descendants(found)]
        for name, found in wanted.items()
    }
    scheduler = wanted.get(SCHEDULER)
    ending = _Tasks(scheduler)
    ending.tell()
    for found in wanted.values():
        _signal(found, signal.SIGTERM)
    told = time.monotonic()
    while waiting := _within_grace(wanted, grace_s, time.monotonic() - told):
        if not _alive(waiting):
            break
        # One that was started between the first round and the scheduler's own TERM.
        ending.tell()
        time.sleep(POLL_S)
    for name in wanted:
        left = _alive(
            [*trees[name], *ending.told.values()] if name == SCHEDULER else trees[name]
        )
        _kill(left)
        forced = left and name not in SHORTER_GRACE_S
        say(
            f"{name} stopped"
            + (f" ({len(left)} of its processes by force)" if forced else "")
        )
    for name in names:
        state.services.pop(name, None)
    _note(layout, state)
    return list(wanted)


def _within_grace(
    wanted: Mapping[str, psutil.Process], grace_s: float, elapsed_s: float
) -> list[psutil.Process]:
    return [
        found
        for name, found in wanted.items()
        if elapsed_s < min(grace_s, SHORTER_GRACE_S.get(name, grace_s))
    ]


def leftovers(layout: Layout) -> list[psutil.Process]:
    """Every process that belongs to this installation, PostgreSQL and the caller's own family apart."""
    family = {
        process.pid for process in (psutil.Process(), *psutil.Process().parents())
    }
    return [
        one
        for one in psutil.process_iter()
        if one.pid not in family and _is_ours(one, layout)
    ]


class _Tasks:
    """The task runners: children of the executor's workers, which are the scheduler's children."""

    def __init__(self, scheduler: psutil.Process | None) -> None:
        self._scheduler = scheduler
        self.told: dict[int, psutil.Process] = {}

    def tell(self) -> None:
        """TERM to each task runner that has not had one: Airflow's `on_kill` ends its stage."""
        for worker in _children(self._scheduler):
            for runner in _children(worker):
                if runner.pid not in self.told:
                    for one in _descendants(runner):
                        self.told[one.pid] = one
                    self.told[runner.pid] = runner
                    _signal(runner, signal.SIGTERM)


def _kill_leftovers(layout: Layout, grace_s: float, say: Say) -> list[str]:
    found = leftovers(layout)
    for one in found:
        _signal(one, signal.SIGTERM)
    deadline = time.monotonic() + grace_s / 2
    while time.monotonic() < deadline and _alive(found):
        time.sleep(POLL_S)
    # Once more by search: an interrupted service may have started another child meanwhile.
    _kill(_alive([*found, *leftovers(layout)]))
    names = [f"left-over process {one.pid}" for one in found]
    for name in names:
        say(f"{name} stopped")
    return names


def _is_ours(candidate: psutil.Process, layout: Layout) -> bool:
    try:
        if candidate.status() == psutil.STATUS_ZOMBIE:
            return False
        # Linux says so behind the path when somebody has removed the folder meanwhile.
        if candidate.cwd().removesuffix(" (deleted)") == str(layout.processes):
            return True
        # A stage stands in a folder of its own. A person's shell with the same variable has a terminal.
        return (
            candidate.environ().get("KINDLING_KEYWORDS_DIR") == str(layout.keywords)
            and candidate.terminal() is None
            and candidate.name() != "postgres"
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _children(parent: psutil.Process | None) -> list[psutil.Process]:
    try:
        return parent.children() if parent else []
    except psutil.NoSuchProcess:
        return []


def _descendants(parent: psutil.Process) -> list[psutil.Process]:
    try:
        return parent.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _signal(target: psutil.Process, number: int) -> None:
    try:
        target.send_signal(number)
    except psutil.NoSuchProcess:
        pass


def _kill(left: Sequence[psutil.Process]) -> None:
    for one in left:
        _signal(one, signal.SIGKILL)
    psutil.wait_procs(left, timeout=5)


def _note(layout: Layout, state: State) -> None:
    try:
        save(layout.state, state)
    except OSError as error:
        # A full disk must not keep anything running; an old entry is told from a live one by its start time.
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise


def _alive(candidates: Iterable[psutil.Process]) -> list[psutil.Process]:
    return [one for one in candidates if _runs(one)]


def _runs(candidate: psutil.Process) -> bool:
    try:
        candidate.wait(0)  # Reaps a child of ours.
        return False
    except psutil.TimeoutExpired:
        pass
    try:
        return candidate.is_running() and candidate.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
