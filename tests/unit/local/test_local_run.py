"""Following a run to its end; Airflow is played by a script of states."""

import json
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kindling_local import pipeline, summary
from kindling_local.airflow_client import Task
from kindling_local.errors import Interrupted, SupervisorError
from kindling_local.layout import Layout
from kindling_local.memory import Peak
from kindling_local.once import Wanted, run_once
from kindling_local.progress import PlainView
from kindling_local.startup import Recipe

from .conftest import report, text_console


class ScriptedAirflow:
    """Plays one dictionary of task states a poll; the last one stays."""

    def __init__(
        self,
        *script: Mapping[str, str],
        state: str = "running",
        others: tuple[str, ...] = (),
    ) -> None:
        self._script, self._state, self._others = list(script), state, others
        self.paused, self.failed, self.conf = True, [], {}
        self.failed_of: list[str] = []

    def is_paused(self) -> bool:
        return self.paused

    def set_paused(self, paused: bool) -> None:
        self.paused = paused

    def unfinished_runs(self) -> list[str]:
        return list(self._others)

    def unfinished(self) -> list[tuple[str, str]]:
        return [("settings_search", "s1"), *(("nightly", one) for one in self._others)]

    def trigger(self, conf: Mapping[str, Any]) -> str:
        self.conf = dict(conf)
        return "r1"

    def tasks(self, run: str) -> dict[str, Task]:
        now = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        return {name: Task(name, state, 1, 2.0) for name, state in now.items()}

    def run_state(self, run: str) -> str:
        return self._state if len(self._script) == 1 else "running"

    def fail_run(self, run: str, dag: str = "nightly_retraining") -> None:
        self.failed.append(run)
        self.failed_of.append(dag)

    def report(self, run: str, task: str) -> dict[str, Any]:
        return report(task)

    def log_lines(self, run: str, task: str, attempt: int) -> list[str]:
        return [
            "::group::x",
            *(f"line {n}" for n in range(40)),
            f"AirflowFailException: {task} ended with 3: final",
        ]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "POLL_S", 0.0)
    monkeypatch.setattr(pipeline, "CANCEL_WAIT_S", 0.2)


def follow(airflow: ScriptedAirflow) -> tuple[pipeline.RunOutcome, str, list[str]]:
    console, output = text_console()
    said: list[str] = []
    outcome = pipeline.follow(
        airflow,
        {"recipe": "smoke"},
        PlainView(console, 0.0),
        said.append,
        Path("/logs"),
    )  # type: ignore[arg-type]
    return outcome, output.getvalue(), said


def test_success_has_every_report_and_a_line_for_each_change() -> None:
    airflow = ScriptedAirflow(
        {"scrape": "running", "dedupe": "waiting"},
        {"scrape": "running", "dedupe": "waiting"},
        {"scrape": "success", "dedupe": "running"},
        {"scrape": "success", "dedupe": "success"},
        state="success",
    )
    outcome, output, _ = follow(airflow)
    assert outcome.succeeded and set(outcome.reports) == {"scrape", "dedupe"}
    assert airflow.conf == {"recipe": "smoke"} and not airflow.failed
    shown = [line.split("] ")[1] for line in output.splitlines()]
    assert shown == [
        "scrape      running",
        "scrape      success: 1,200 rows in, 1,000 out",
        "dedupe      running",
        "dedupe      success: 1,200 rows in, 1,000 out",
    ]


STAGE = "airflow.task.operators.kindling_airflow.process_operator.StageProcessOperator"


def test_last_words_of_the_running_task(tmp_path: Path) -> None:
    log = (
        tmp_path
        / "dag_id=nightly_retraining"
        / "run_id=r1"
        / "task_id=train"
        / "attempt=1.log"
    )
    log.parent.mkdir(parents=True)
    said = "2026-11-21 11:35:07,579 INFO kindling.modeling.fitting: step 3 of 56"
    log.write_text(
        f'{{"event": "x"}}\n{json.dumps({"event": said, "logger": STAGE})}\n{{"event": "half a li'
    )
    airflow = ScriptedAirflow(
        {"train": "running"}, {"train": "success"}, state="success"
    )
    shown: list[str] = []

    class Listener(PlainView):
        def show(
            self, tasks: Mapping[str, Task], reports: Mapping[str, Any], last_words: str
        ) -> None:
            shown.append(last_words)

    pipeline.follow(
        airflow, {}, Listener(text_console()[0], 0.0), shown.append, tmp_path
    )  # type: ignore[arg-type]
    assert shown == ["step 3 of 56", ""]


def test_lost_run_is_ended_and_not_waited_for() -> None:
    airflow = ScriptedAirflow(
        {"scrape": "failed", "dedupe": "upstream_failed", "train": "waiting"}
    )
    outcome, _, _ = follow(airflow)
    assert not outcome.succeeded
    assert airflow.failed == ["r1"], (
        "a run left running would hold the only slot of the next"
    )


def test_retry_is_not_the_end() -> None:
    airflow = ScriptedAirflow(
        {"scrape": "up_for_retry"},
        {"scrape": "running"},
        {"scrape": "success"},
        state="success",
    )
    assert follow(airflow)[0].succeeded


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, Interrupted])
def test_interrupt_cancels_the_run(
    interrupt: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow = ScriptedAirflow({"scrape": "running"})

    def strike(_: float) -> None:
        if not airflow.failed:
            raise interrupt

    monkeypatch.setattr(pipeline.time, "sleep", strike)
    with pytest.raises(interrupt):
        follow(airflow)
    assert airflow.failed == ["r1"]


def test_another_run_under_way_is_named() -> None:
    assert (
        "run nightly is under way; ours waits for it"
        in follow(
            ScriptedAirflow({"scrape": "success"}, state="success", others=("nightly",))
        )[2]
    )


@pytest.mark.parametrize("paused", [True, False])
def test_dag_is_left_as_it_was(paused: bool) -> None:
    airflow = ScriptedAirflow({})
    airflow.paused = paused
    with pytest.raises(ZeroDivisionError), pipeline.unpaused(airflow):  # type: ignore[arg-type]
        assert airflow.paused is False
        raise ZeroDivisionError
    assert airflow.paused is paused


def test_abandoned_runs_are_failed() -> None:
    airflow = ScriptedAirflow({}, others=("a", "b"))
    pipeline.clear_abandoned_runs(airflow, lambda line: None)  # type: ignore[arg-type]
    assert airflow.failed == ["s1", "a", "b"]
    assert airflow.failed_of == ["settings_search", "nightly", "nightly"]


def test_failure_tells_stage_reason_last_lines_and_log() -> None:
    airflow = ScriptedAirflow(
        {"scrape": "success", "dedupe": "failed", "train": "upstream_failed"}
    )
    failed = pipeline.failure(airflow, follow(airflow)[0], Path("/logs"))  # type: ignore[arg-type]
    assert (failed.stage, failed.reason) == (
        "dedupe",
        "AirflowFailException: dedupe ended with 3: final",
    )
    assert len(failed.lines) == 25 and failed.lines[0] == "line 16"
    assert (
        failed.log
        == "/logs/dag_id=nightly_retraining/run_id=r1/task_id=dedupe/attempt=1.log"
    )
    console, output = text_console()
    summary.print_failure(console, failed, "http://ui")
    assert {"FAILED: dedupe", "line 39", f"--- all of it: {failed.log}"} <= set(
        output.getvalue().splitlines()
    )


def test_a_refused_model_is_an_error_and_time_and_memory_are_told_all_the_same(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "report.html"
    page.write_text("<p>figures</p>")
    airflow = ScriptedAirflow({"evaluate": "success"}, state="success")
    evaluated = report("evaluate", uris={"report": page.as_uri()})
    monkeypatch.setattr(airflow, "report", lambda run, task: evaluated)
    installation = SimpleNamespace(
        layout=layout,
        say=lambda line: None,
        client=lambda: nullcontext(airflow),
        champion=lambda: None,
        product={"KINDLING_CHROMIUM": "", "KINDLING_LIGHTPANDA": ""},
    )
    console, output = text_console()
    memory = SimpleNamespace(peak=Peak(3 * 2**30, {"stage train": 2**31}))
    with pytest.raises(SupervisorError, match="the gate let no model through"):
        run_once(
            console,
            installation,
            Recipe("smoke", "c", ""),
            Wanted("smoke", "", "", None),
            memory,
            time.monotonic(),
        )  # type: ignore[arg-type]
    lines = output.getvalue().splitlines()
    assert f"report: {page}" in lines and any(
        line.startswith("time: ") for line in lines
    )
    assert any(line.startswith("peak memory: 3.00 GiB") for line in lines)
