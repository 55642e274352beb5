"""Exit codes, and the last word about a task that failed for good."""

import logging
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from kindling_airflow.policies import failure, say_what_failed


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
