"""What holds for every stage whatever its runtime: retries, exit codes, the report, the last word."""

import json
import logging
import signal
from datetime import timedelta
from typing import Any

from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
)
from airflow.sdk.timezone import utcnow

from kindling.catalog import EXIT_RETRY, Stage

log = logging.getLogger(__name__)

#: XCom is a row in Airflow's database and, from a pod, the output of one `cat`: keep it small.
MAX_REPORT_BYTES = 48 * 1024

#: What is final ends at once; these are for services that are away and for whatever kills a stage. Airflow
#: takes a try for each of its own deaths too (a scheduler that is killed takes the stage with it).
RETRIES = 4
#: Seconds before the first retry: 10 to 20, then 60 to 120 (Airflow adds up to as much again), then 120.
RETRY_DELAY = timedelta(seconds=10)
RETRY_FACTOR = 6
#: Airflow counts the tries before a task was cleared too: without a bound the fourth would wait an hour.
MAX_RETRY_DELAY = timedelta(seconds=120)
#: Before a task goes on that ended through no fault of its stage. A task that starts before the scheduler
#: has heard of its last end (six seconds later, on a busy machine) is taken for one that died: a lost try.
RESUME_AFTER = timedelta(seconds=30)


def task_policy(stage: Stage) -> dict[str, Any]:
    """Arguments that every operator of this stage takes."""
    return {
        "task_id": stage.name,
        "doc_md": stage.summary,
        "pool": stage.pool,
        "retries": RETRIES,
        "retry_delay": RETRY_DELAY,
        "retry_exponential_backoff": RETRY_FACTOR,
        "max_retry_delay": MAX_RETRY_DELAY,
        "execution_timeout": timedelta(minutes=stage.timeout_minutes),
        "on_failure_callback": say_what_failed,
    }


def failure(stage: str, exit_code: int | None, reason: str = "") -> AirflowException:
    """The exception that tells Airflow what the exit code means: another try, or the end.

    Killed by a signal is -n from a process and 128 + n from a container; None is a container that
    never ended by itself (evicted, deadline passed, image not pulled). `reason`: what whoever ran it
    says of its end.
    """
    why = f" ({reason})" if reason else ""
    if exit_code is None:
        return AirflowException(f"{stage} did not end by itself{why}; trying again")
    number = -exit_code if exit_code < 0 else exit_code - 128
    if number > 0:
        return AirflowException(
            f"{stage} was killed by {_signal_name(number)}{why}; trying again"
        )
    if exit_code == EXIT_RETRY:
        meaning = "an outside service did not answer"
        return AirflowException(
            f"{stage} ended with {EXIT_RETRY}: {meaning}; trying again"
        )
    return AirflowFailException(
        f"{stage} ended with {exit_code}: final, a retry would end the same way"
    )


def resumed(after: timedelta = RESUME_AFTER) -> AirflowRescheduleException:
    """What ends a task through no fault of its stage: it goes on later, and loses no try by it."""
    return AirflowRescheduleException(utcnow() + after)  # type: ignore[no-untyped-call]


def checked_report(stage: str, content: str | None) -> dict[str, Any]:
    """The stage's report from its JSON; AirflowFailException if it is missing, foreign or too large."""
    if not content:
        raise AirflowFailException(
            f"{stage} ended with 0 and left no report at KINDLING_REPORT_PATH"
        )
    if (size := len(content.encode())) > MAX_REPORT_BYTES:
        raise AirflowFailException(
            f"{stage}: the report has {size} bytes, more than {MAX_REPORT_BYTES}"
        )
    try:
        report = json.loads(content)
    except json.JSONDecodeError as error:
        raise AirflowFailException(
            f"{stage}: the report is not JSON: {error}"
        ) from error
    if not isinstance(report, dict) or report.get("stage") != stage:
        raise AirflowFailException(
            f"{stage}: the report is not this stage's: {content[:200]}"
        )
    return report


def say_what_failed(context: dict[str, Any]) -> None:
    """Called once a task has failed for good: which stage, in which run, and where to read on."""
    task = context["task_instance"]
    log.error(
        "%s of run %s failed for good. Log: %s What to do: the DAG's documentation, section %s.",
        task.task_id,
        task.run_id,
        task.log_url,
        task.task_id,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
