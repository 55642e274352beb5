"""Following a run, telling how it stands, and what it ends with; Airflow is played by a script of states."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from kindling.catalog import STAGE_NAMES
from kindling_airflow.local import answer, pipeline, summary
from kindling_airflow.local.airflow_client import Task
from kindling_airflow.local.errors import Interrupted
from kindling_airflow.local.memory import MemorySampler, Peak, family, measure
from kindling_airflow.local.progress import LiveView, PlainView, seconds
from rich.console import Console

ESTIMATE = {"value": 0.9123, "n": 1234, "low": 0.881, "high": 0.94, "data_sha256": "0123456789abcdef"}


def report(stage: str, rows_in: int = 1200, rows_out: int = 1000, **more: Any) -> dict[str, Any]:
    return {"stage": stage, "rows_in": rows_in, "rows_out": rows_out, "rejected": {}, "figures": {}, "uris": {},
            "implementation": {}, "unchanged": False, **more}


class ScriptedAirflow:
    """Plays one dictionary of task states a poll; the last one stays."""

    def __init__(self, *script: Mapping[str, str], state: str = "running", others: tuple[str, ...] = ()) -> None:
        self._script, self._state, self._others = list(script), state, others
        self.paused, self.failed, self.conf = True, [], {}

    def is_paused(self) -> bool:
        return self.paused

    def set_paused(self, paused: bool) -> None:
        self.paused = paused

    def unfinished_runs(self) -> list[str]:
        return list(self._others)

    def trigger(self, conf: Mapping[str, Any]) -> str:
        self.conf = dict(conf)
        return "r1"

    def tasks(self, run: str) -> dict[str, Task]:
        now = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        return {name: Task(name, state, 1, 2.0) for name, state in now.items()}

    def run_state(self, run: str) -> str:
        return self._state if len(self._script) == 1 else "running"

    def fail_run(self, run: str) -> None:
        self.failed.append(run)

    def report(self, run: str, task: str) -> dict[str, Any]:
        return report(task)

    def log_lines(self, run: str, task: str, attempt: int) -> list[str]:
        return ["::group::x", *(f"line {n}" for n in range(40)), f"AirflowFailException: {task} ended with 3: final"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "POLL_S", 0.0)
    monkeypatch.setattr(pipeline, "CANCEL_WAIT_S", 0.2)


def text_console() -> tuple[Console, StringIO]:
    output = StringIO()
    return Console(file=output, width=140, highlight=False), output


def follow(airflow: ScriptedAirflow) -> tuple[pipeline.RunOutcome, str, list[str]]:
    console, output = text_console()
    said: list[str] = []
    outcome = pipeline.follow(airflow, {"recipe": "smoke"}, PlainView(console, 0.0), said.append, Path("/logs"))  # type: ignore[arg-type]
    return outcome, output.getvalue(), said


def test_success_has_every_report_and_a_line_for_each_change() -> None:
    airflow = ScriptedAirflow(
        {"scrape": "running", "dedupe": "waiting"}, {"scrape": "running", "dedupe": "waiting"},
        {"scrape": "success", "dedupe": "running"}, {"scrape": "success", "dedupe": "success"}, state="success")
    outcome, output, _ = follow(airflow)
    assert outcome.succeeded and set(outcome.reports) == {"scrape", "dedupe"}
    assert airflow.conf == {"recipe": "smoke"} and not airflow.failed
    shown = [line.split("] ")[1] for line in output.splitlines()]
    assert shown == ["scrape      running", "scrape      success: 1,200 rows in, 1,000 out", "dedupe      running",
                     "dedupe      success: 1,200 rows in, 1,000 out"]


def test_last_words_of_the_running_task(tmp_path: Path) -> None:
    log = tmp_path / "dag_id=nightly_retraining" / "run_id=r1" / "task_id=train" / "attempt=1.log"
    log.parent.mkdir(parents=True)
    said = "2026-11-21 11:35:07,579 INFO kindling.modeling.fitting: step 3 of 56"
    log.write_text(f'{{"event": "x"}}\n{json.dumps({"event": said})}\n{{"event": "half a li')
    airflow = ScriptedAirflow({"train": "running"}, {"train": "success"}, state="success")
    shown: list[str] = []

    class Listener(PlainView):
        def show(self, tasks: Mapping[str, Task], reports: Mapping[str, Any], last_words: str) -> None:
            shown.append(last_words)

    pipeline.follow(airflow, {}, Listener(text_console()[0], 0.0), shown.append, tmp_path)  # type: ignore[arg-type]
    assert shown == ["step 3 of 56", ""]


def test_lost_run_is_ended_and_not_waited_for() -> None:
    airflow = ScriptedAirflow({"scrape": "failed", "dedupe": "upstream_failed", "train": "waiting"})
    outcome, _, _ = follow(airflow)
    assert not outcome.succeeded
    assert airflow.failed == ["r1"], "a run left running would hold the only slot of the next"


def test_retry_is_not_the_end() -> None:
    airflow = ScriptedAirflow({"scrape": "up_for_retry"}, {"scrape": "running"}, {"scrape": "success"}, state="success")
    assert follow(airflow)[0].succeeded


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, Interrupted])
def test_interrupt_cancels_the_run(interrupt: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    airflow = ScriptedAirflow({"scrape": "running"})

    def strike(_: float) -> None:
        if not airflow.failed:
            raise interrupt

    monkeypatch.setattr(pipeline.time, "sleep", strike)
    with pytest.raises(interrupt):
        follow(airflow)
    assert airflow.failed == ["r1"]


def test_another_run_under_way_is_named() -> None:
    assert "run nightly is under way; ours waits for it" in follow(
        ScriptedAirflow({"scrape": "success"}, state="success", others=("nightly",)))[2]


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
    assert airflow.failed == ["a", "b"]


def test_failure_tells_stage_reason_last_lines_and_log() -> None:
    airflow = ScriptedAirflow({"scrape": "success", "dedupe": "failed", "train": "upstream_failed"})
    failed = pipeline.failure(airflow, follow(airflow)[0], Path("/logs"))  # type: ignore[arg-type]
    assert (failed.stage, failed.reason) == ("dedupe", "AirflowFailException: dedupe ended with 3: final")
    assert len(failed.lines) == 25 and failed.lines[0] == "line 16"
    assert failed.log == "/logs/dag_id=nightly_retraining/run_id=r1/task_id=dedupe/attempt=1.log"
    console, output = text_console()
    summary.print_failure(console, failed, "http://ui")
    assert {"FAILED: dedupe", "line 39", f"--- all of it: {failed.log}"} <= set(output.getvalue().splitlines())


def outcome(**reports: dict[str, Any]) -> pipeline.RunOutcome:
    tasks = {name: Task(name, "success", 1, 3.0) for name in reports}
    return pipeline.RunOutcome("r1", True, tasks, reports, 9.0)


def printed(result: pipeline.RunOutcome, photo_note: str = "") -> str:
    console, output = text_console()
    summary.print_outcome(console, result, photo_note)
    return output.getvalue()


def test_stages_stand_in_the_order_of_the_pipeline_with_their_rejections() -> None:
    stages = [name for name in STAGE_NAMES if name not in {"evaluate", "promote"}]
    reports = {name: report(name) for name in reversed(stages)}
    reports["dedupe"]["rejected"] = {"exact_duplicate": 1, "near_duplicate": 1_500}
    text = printed(outcome(**reports))
    rows = [line.split() for line in text.splitlines()[2:]]
    assert [row[0] for row in rows] == stages
    assert "near_duplicate 1,500, exact_duplicate 1" in text
    assert rows[0][1:3] == ["1,200", "1,000"]


def test_figures_come_with_interval_n_and_data_or_not_at_all() -> None:
    figures = {"polarity_macro_f1": ESTIMATE, "candidate_version": "3", "loose": 0.5,
               "slices": {"small": ESTIMATE, "deep": {"er": ESTIMATE}}}
    text = printed(outcome(evaluate=report("evaluate", figures=figures)), "Photos are drawn.")
    assert "polarity_macro_f1  0.912  [0.881, 0.940]  1,234  01234567" in text
    assert "slices.small" in text and "deep" not in text and "loose" not in text
    assert "of figures that involve photos: Photos are drawn." in text


@pytest.mark.parametrize(("promoted", "champion", "before", "expected"), [
    (True, "3", None, "gate: version 3 is the champion"),
    (True, "3", "2", "gate: version 3 is the champion, after version 2"),
    (False, "2", "2", "gate: version 3 is not let through; the champion stays version 2"),
    (False, None, None, "gate: version 3 is not let through; the champion is still to come"),
])
def test_verdict(promoted: bool, champion: str | None, before: str | None, expected: str) -> None:
    figures = {"promoted": promoted, "candidate_version": "3", "champion_version": champion, "previous_champion": before,
               "checks": [{"name": "bar", "passed": promoted, "detail": "0.9 [0.8, 1.0]"}]}
    assert summary.verdict(figures) == [expected, f"  {'pass' if promoted else 'FAIL'}  bar: 0.9 [0.8, 1.0]"]


def test_report_uri_with_spaces_is_a_path() -> None:
    uri = Path("/a b/report.html").as_uri()
    result = outcome(evaluate=report("evaluate", uris={"report": uri}))
    assert summary.readable(summary.report_uri(result)) == "/a b/report.html"
    assert summary.readable("s3://bucket/report.html") == "s3://bucket/report.html"
    assert summary.report_uri(outcome()) == ""


def test_peak_names_its_parts() -> None:
    console, output = text_console()
    summary.print_peak(console, Peak(3 * 2**30, {"stage train": 2 * 2**30, "postgres": 2**30, "tiny": 1}, "PSS"))
    assert output.getvalue().strip() == "peak memory: 3.00 GiB (PSS; in MiB: stage train 2,048, postgres 1,024)"


@pytest.mark.parametrize(("value", "expected"), [(7.25, "7.2 s"), (125, "2:05 min"), (3725, "1:02:05 h")])
def test_seconds(value: float, expected: str) -> None:
    assert seconds(value) == expected


def test_live_view_draws_tasks_and_the_overall_bar() -> None:
    output = StringIO()
    shown = LiveView(Console(file=output, force_terminal=True, width=120), 0.0)
    shown.show({"train": Task("train", "running", 2, 61.0), "scrape": Task("scrape", "success", 1, 3.0)},
               {"scrape": report("scrape")}, "step 3 of 56")
    shown.close()
    text = output.getvalue()
    assert text.index("scrape") < text.index("train")
    assert all(part in text for part in ("running (attempt 2)", "1:01 min", "1,200", "1/2 tasks", "step 3 of 56"))


GOOD = {"sentiment": "negative", "confidence": 0.8, "probabilities": {"negative": 0.8, "neutral": 0.15, "positive": 0.05},
        "modality": "text+image", "image_used": True, "model_version": "3", "similar_reviews": [], "summary": {},
        "processing_time_ms": 12.0}


@pytest.mark.parametrize(("change", "problem"), [
    ({}, None),
    ({"probabilities": {"negative": 0.8, "neutral": 0.15, "positive": 0.5}}, "not a distribution"),
    ({"probabilities": {"negative": 1.0}}, "not a distribution"),
    ({"sentiment": "positive"}, "not the likeliest"),
    ({"confidence": 1.2}, "no probability"),
    ({"model_version": "2"}, "not the champion, version 3"),
])
def test_faults_of_an_answer(change: dict[str, Any], problem: str | None) -> None:
    found = answer.faults(json.loads(json.dumps({**GOOD, **change})), "3")
    assert (found == []) if problem is None else problem in found[0]


def test_answer_without_a_field_is_none() -> None:
    assert answer.faults({key: value for key, value in GOOD.items() if key != "summary"}, "3") == ["without summary"]


def test_memory_of_a_tree_is_its_sum(launch: Any) -> None:
    process = launch("shop", "plain", "child", "plain")
    child = process.children()[0]
    both, alone = (measure(family({one.pid: "shop"}, {})) for one in (process, child))
    assert set(both.parts) == {"shop"}
    assert both.total > alone.total > 0
    split = measure(family({process.pid: "shop", child.pid: "child"}, {}))
    assert set(split.parts) == {"shop", "child"}
    assert split.total == sum(split.parts.values())


def test_sampler_sees_a_peak_that_is_gone_in_the_end() -> None:
    program = "import time; held = bytearray(200 * 2**20); held[::4096] = bytes(len(held[::4096])); time.sleep(1.5)"
    with MemorySampler(lambda: {os.getpid(): "test"}, interval_s=0.1) as sampler:
        time.sleep(0.3)
        before = sampler.peak.total
        subprocess.run([sys.executable, "-c", program, "-m", "kindling", "train"], check=True)
    assert sampler.peak.total - before > 190 * 2**20
    assert sampler.peak.parts["stage train"] > 190 * 2**20
