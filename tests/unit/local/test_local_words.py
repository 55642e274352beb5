"""States, empty results and codes are said in words where they appear."""

import json
from pathlib import Path

import pytest

from kindling_local import words
from kindling_local.airflow_client import Task
from kindling_local.pipeline import _last_words
from kindling_local.progress import PlainView

from .conftest import report, text_console


def shown(task: Task, **reports: object) -> str:
    console, output = text_console()
    PlainView(console, 0.0).show({task.name: task}, reports, "")  # type: ignore[arg-type]
    return output.getvalue()


def test_a_retry_says_when() -> None:
    line = shown(Task("train", "up_for_retry", 1, 0.0))
    assert "failed, is tried again within two minutes" in line


@pytest.mark.parametrize(
    ("stage", "meaning"),
    [("challenge", "no synthetic row was let through"), ("promote", "champion stays")],
)
def test_no_row_out_says_why(stage: str, meaning: str) -> None:
    empty = report(stage, rows_in=1117, rows_out=0)
    assert meaning in shown(Task(stage, "success", 1, 1.0), **{stage: empty})
    full = report(stage, rows_in=1117, rows_out=3)
    assert meaning not in shown(Task(stage, "success", 1, 1.0), **{stage: full})


def test_each_code_is_explained_once() -> None:
    codes = ["no_rating", "beyond_niche_seeds", "beyond_niche_seeds"]
    (line,) = words.legend(codes)
    assert line.startswith("beyond_niche_seeds: ") and "cold start" in line


@pytest.mark.parametrize("code", sorted(words.CODES))
def test_every_code_exists_in_the_product(code: str, repository: Path) -> None:
    sources = (repository / "include/kindling").rglob("*.py")
    assert any(f'"{code}"' in one.read_text(encoding="utf-8") for one in sources)


@pytest.mark.parametrize(
    "noise",
    [
        "Stage train starts: /usr/bin/python -m kindling train --run=r1",
        '{"stage": "train", "rows_in": 3}',
        '["a", "list"]',
    ],
)
def test_a_heartbeat_repeats_no_command_line_and_no_json(
    noise: str, tmp_path: Path
) -> None:
    parts = ("dag_id=nightly_retraining", "run_id=r1", "task_id=train", "attempt=1.log")
    log = tmp_path.joinpath(*parts)
    log.parent.mkdir(parents=True)
    stage = (
        "airflow.task.operators.kindling_airflow.process_operator.StageProcessOperator"
    )
    events = [
        {"event": "step 3 of 56", "logger": stage},
        {"event": noise, "logger": stage},
        {"event": "Worker startup parse complete", "logger": "task"},
    ]
    log.write_text("\n".join(json.dumps(one) for one in events))
    tasks = {"train": Task("train", "running", 1, 2.0)}
    assert _last_words(tmp_path, "r1", tasks) == "step 3 of 56"
