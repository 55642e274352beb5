"""One run of the DAG: triggered, followed to its end, cancelled when the supervisor is told to end."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kindling_local.airflow_client import DAG, AirflowClient, Task
from kindling_local.errors import Interrupted
from kindling_local.progress import View, in_order
from kindling_local.services import LAST_LINES, last_lines

POLL_S = 1.0
#: Airflow tells a task that its run was failed at its next heartbeat.
CANCEL_WAIT_S = 15.0
#: A report as JSON, a command line: nothing to tell a person.
_NO_SENTENCE = re.compile(r"[\[{]|Stage \w+ starts: ")
#: Who writes a stage's lines into the log; the others are Airflow's own.
_STAGE_LOGGER = "airflow.task.operators.kindling_airflow."

Say = Callable[[str], None]


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended, with the reports of the stages that did."""

    run: str
    succeeded: bool
    tasks: Mapping[str, Task]
    reports: Mapping[str, Mapping[str, Any]]
    elapsed_s: float


@dataclass(frozen=True)
class Failure:
    """The first task that failed for good: what its log ends with, and where all of it is."""

    stage: str
    attempt: int
    reason: str
    lines: list[str] = field(default_factory=list)
    log: str = ""


@contextmanager
def unpaused(client: AirflowClient) -> Iterator[None]:
    """The DAG unpaused for the time being."""
    paused = client.is_paused()
    if paused:
        client.set_paused(False)
    try:
        yield
    finally:
        if paused:
            client.set_paused(True)


def clear_abandoned_runs(client: AirflowClient, say: Say) -> None:
    """Fail runs that an earlier end left unfinished: they would hold the only slot for minutes."""
    for dag, run in client.unfinished():
        client.fail_run(run, dag)
        say(f"run {run} of {dag} was left unfinished by an earlier end; marked failed")


def follow(
    client: AirflowClient,
    conf: Mapping[str, Any],
    view: View,
    say: Say,
    log_folder: Path,
) -> RunOutcome:
    """Trigger a run and show it until it has ended; on an interrupt it is cancelled first."""
    for other in client.unfinished_runs():
        say(f"run {other} is under way; ours waits for it")
    run = client.trigger(conf)
    started = time.monotonic()
    reports: dict[str, Mapping[str, Any]] = {}
    try:
        while True:
            # Before the tasks: once this says it is over, they are as they will stay.
            state = client.run_state(run)
            tasks = client.tasks(run)
            for task in tasks.values():
                if task.state == "success" and task.name not in reports:
                    reports[task.name] = client.report(run, task.name)
            view.show(tasks, reports, _last_words(log_folder, run, tasks))
            if state in {"success", "failed"}:
                break
            if _is_lost(tasks):
                # The scheduler marks the rest one by one, and not at all once the DAG is paused again.
                client.fail_run(run)
                break
            time.sleep(POLL_S)
    except (KeyboardInterrupt, Interrupted):
        cancel(client, run, say)
        raise
    finally:
        view.close()
    succeeded = all(task.state == "success" for task in tasks.values())
    return RunOutcome(run, succeeded, tasks, reports, time.monotonic() - started)


def cancel(client: AirflowClient, run: str, say: Say) -> None:
    """Fail the run and wait until its tasks have heard of it."""
    client.fail_run(run)
    deadline = time.monotonic() + CANCEL_WAIT_S
    while time.monotonic() < deadline:
        if not any(task.state == "running" for task in client.tasks(run).values()):
            break
        time.sleep(POLL_S)
    say(f"run {run} cancelled")


def failure(client: AirflowClient, outcome: RunOutcome, log_folder: Path) -> Failure:
    """What went wrong first."""
    failed = [task for task in in_order(outcome.tasks) if task.state == "failed"]
    if not failed:
        return Failure(
            "", 0, f"the run ended without success: {_states(outcome.tasks)}"
        )
    task = failed[0]
    lines = [
        line
        for line in client.log_lines(outcome.run, task.name, task.attempt)
        if not line.startswith("::")
    ]
    reasons = [
        line
        for line in lines
        if f"{task.name} ended with" in line
        or f"{task.name} was killed" in line
        or f"{task.name} did not end" in line
        or "Timeout" in line
    ]
    path = str(_log(log_folder, outcome.run, task))
    return Failure(
        task.name,
        task.attempt,
        reasons[-1] if reasons else "its log says why",
        lines[-LAST_LINES:],
        path,
    )


def task_url(base: str, run: str, task: str) -> str:
    """Address of a task of a run in Airflow's UI."""
    return f"{base}/dags/{DAG}/runs/{quote(run)}/tasks/{task}"


def _last_words(log_folder: Path, run: str, tasks: Mapping[str, Task]) -> str:
    """The newest line in the log of the running task, which Airflow writes as JSON."""
    for task in tasks.values():
        if task.state == "running":
            for line in reversed(last_lines(_log(log_folder, run, task)).splitlines()):
                # The first and the last may be cut.
                with suppress(json.JSONDecodeError):
                    event = json.loads(line)
                    if not event.get("logger", "").startswith(_STAGE_LOGGER):
                        continue
                    said = str(event.get("event", "")).strip()
                    # `date time LEVEL module: words`, as a stage writes it, becomes `words`.
                    said = re.sub(r"^\S+ \S+ [A-Z]+ [\w.]+: ", "", said)
                    if said and not _NO_SENTENCE.match(said):
                        return said
    return ""


def _log(log_folder: Path, run: str, task: Task) -> Path:
    return (
        log_folder
        / f"dag_id={DAG}"
        / f"run_id={run}"
        / f"task_id={task.name}"
        / f"attempt={task.attempt}.log"
    )


def _is_lost(tasks: Mapping[str, Task]) -> bool:
    """A task failed for good, and nothing is under way that does not depend on it."""
    states = {task.state for task in tasks.values()}
    return "failed" in states and not states & {
        "running",
        "queued",
        "up_for_retry",
        "scheduled",
    }


def _states(tasks: Mapping[str, Task]) -> str:
    return ", ".join(f"{task.name} {task.state}" for task in in_order(tasks))
