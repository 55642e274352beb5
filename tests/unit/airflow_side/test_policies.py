"""Exit codes, and the last word about a task that failed for good."""

import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from kindling.catalog import STAGES
from kindling_airflow.policies import failure, say_what_failed, task_policy


@pytest.mark.parametrize(
    ("exit_code", "final", "message"),
    [
        (75, False, "outside service"),
        (-9, False, "SIGKILL"),
        (137, False, "SIGKILL"),
        (-15, False, "SIGTERM"),
        (143, False, "SIGTERM"),
        (-250, False, "signal 250"),
        (None, False, "did not end by itself"),
        (1, True, "ended with 1"),
        (2, True, "ended with 2"),
        (3, True, "ended with 3"),
        (127, True, "ended with 127"),
    ],
)
def test_exit_codes(exit_code: int | None, final: bool, message: str) -> None:
    error = failure("train", exit_code)
    assert isinstance(error, AirflowException)
    assert isinstance(error, AirflowFailException) is final
    assert message in str(error) and str(error).startswith("train")


def test_last_word_names_stage_run_and_log(caplog: pytest.LogCaptureFixture) -> None:
    task = SimpleNamespace(
        task_id="train", run_id="manual__1", log_url="http://127.0.0.1/log"
    )
    with caplog.at_level(logging.ERROR):
        say_what_failed({"task_instance": task})
    assert (
        "train of run manual__1" in caplog.text
        and "http://127.0.0.1/log" in caplog.text
    )


def test_the_cluster_s_word_on_an_end_is_passed_on() -> None:
    assert "SIGKILL (OOMKilled)" in str(failure("train", 137, "OOMKilled"))
    assert "by itself (Evicted: disk" in str(failure("train", None, "Evicted: disk"))


@pytest.mark.parametrize("tries", range(1, 40))
def test_no_retry_waits_longer_than_promised(tries: int) -> None:
    # Airflow counts the tries before a task was cleared too; here its own reckoning.
    policy = task_policy(STAGES[0])
    dag = DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC))
    task = EmptyOperator(dag=dag, **policy)
    end = datetime(2026, 1, 1, tzinfo=UTC)
    instance = SimpleNamespace(
        task=task,
        try_number=tries,
        dag_id="d",
        task_id="t",
        logical_date=None,
        end_date=end,
        retry_delay_override=None,
    )
    delay = TaskInstance.next_retry_datetime(instance) - end  # type: ignore[arg-type]
    assert timedelta(seconds=10) <= delay <= timedelta(seconds=120)
