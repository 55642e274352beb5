"""What is shown of a run and of its end, and what counts as an answer of the champion."""

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kindling.catalog import STAGE_NAMES
from kindling_local import answer, pipeline, summary
from kindling_local.airflow_client import Task
from kindling_local.memory import Peak
from kindling_local.progress import LiveView, seconds

from .conftest import report, text_console

ESTIMATE = {
    "value": 0.9123,
    "n": 1234,
    "low": 0.881,
    "high": 0.94,
    "data_sha256": "0123456789abcdef",
}


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
    lines = [line for line in text.splitlines()[2:] if not line.startswith("  ")]
    rows = [line.split() for line in lines]
    assert [row[0] for row in rows] == stages
    assert "  near_duplicate: almost the same text as a row that is kept" in text
    assert "near_duplicate 1,500, exact_duplicate 1" in text
    assert rows[0][1:3] == ["1,200", "1,000"]


def test_figures_come_with_interval_n_and_data_or_not_at_all() -> None:
    figures = {
        "polarity_macro_f1": ESTIMATE,
        "candidate_version": "3",
        "loose": 0.5,
        "slices": {"small": ESTIMATE, "deep": {"er": ESTIMATE}},
    }
    text = printed(
        outcome(evaluate=report("evaluate", figures=figures)), "Photos are drawn."
    )
    assert "polarity_macro_f1  0.912  [0.881, 0.940]  1,234  01234567" in text
    assert "slices.small" in text and "deep" not in text and "loose" not in text
    assert "of figures that involve photos: Photos are drawn." in text


ESTIMATE_OF = {
    "value": 0.7,
    "n": 90,
    "low": 0.0,
    "high": 1.0,
    "data_sha256": "abcdef0123",
}


@pytest.mark.parametrize(
    ("promoted", "champion", "before", "expected"),
    [
        (True, "3", None, "gate: version 3 is the champion"),
        (True, "3", "2", "gate: version 3 is the champion, after version 2"),
        (
            False,
            "2",
            "2",
            "gate: version 3 is not let through; the champion stays version 2",
        ),
        (
            False,
            None,
            None,
            "gate: version 3 is not let through; the champion is still to come",
        ),
    ],
)
def test_verdict(
    promoted: bool, champion: str | None, before: str | None, expected: str
) -> None:
    figures = {
        "promoted": promoted,
        "verdict": "pass" if promoted else "fail",
        "reasons": [],
        "serving_version": champion,
        "provisional": False,
        "candidate_version": "3",
        "champion_version": champion,
        "previous_champion": before,
        "checks": [
            checked("bar", "pass" if promoted else "fail", "0.9 [0.8, 1.0]"),
            checked("niche", "cannot tell", "too few products (3)", "5 more products"),
            {**checked("photo", "pass", "no photos"), "asked": False},
        ],
    }
    assert summary.verdict(figures) == [
        expected,
        f"  {'pass' if promoted else 'FAIL'}         bar: 0.9 [0.8, 1.0]",
        "  cannot tell  niche: too few products (3); needed: 5 more products",
        "  not asked    photo: no photos",
    ]


def checked(code: str, verdict: str, detail: str, needed: str = "") -> dict[str, str]:
    return {
        "code": code,
        "name": code,
        "verdict": verdict,
        "detail": detail,
        "needed": needed,
    }


def test_a_provisional_model_is_said_beside_the_verdict() -> None:
    figures = {
        "promoted": False,
        "verdict": "fail",
        "reasons": [],
        "candidate_version": "3",
        "champion_version": None,
        "previous_champion": None,
        "serving_version": "3",
        "provisional": True,
        "checks": [],
    }
    (line,) = summary.verdict(figures)
    assert "version 3 serves" in line and "provisional" in line


def test_a_figure_without_an_interval_is_not_printed() -> None:
    console, output = text_console()
    refused = ESTIMATE_OF | {"refused": "too few products (4)"}
    console.print(summary.figure_table({"accuracy": refused}))
    assert "too few products (4)" in output.getvalue()
    assert "0.7" not in output.getvalue()


def test_the_candidates_headlines_stand_first() -> None:
    figures = {
        "baseline": {"accuracy": ESTIMATE, "polarity_macro_f1": ESTIMATE},
        "candidate": {"accuracy": ESTIMATE, "polarity_macro_f1": ESTIMATE},
    }
    text = printed(outcome(evaluate=report("evaluate", figures=figures)), "")
    names = re.findall(r"(?:candidate|baseline)\.\w+", text)
    assert names[0] == "candidate.polarity_macro_f1" and len(names) == 4


def test_report_uri_with_spaces_is_a_path() -> None:
    uri = Path("/a b/report.html").as_uri()
    result = outcome(evaluate=report("evaluate", uris={"report": uri}))
    assert summary.readable(summary.report_uri(result)) == "/a b/report.html"
    assert summary.readable("s3://bucket/report.html") == "s3://bucket/report.html"
    assert summary.report_uri(outcome()) == ""


def test_peak_names_its_parts() -> None:
    console, output = text_console()
    summary.print_peak(
        console,
        Peak(
            3 * 2**30, {"stage train": 2 * 2**30, "postgres": 2**30, "tiny": 1}, "PSS"
        ),
    )
    assert (
        output.getvalue().strip()
        == "peak memory: 3.00 GiB (PSS; in MiB: stage train 2,048, postgres 1,024)"
    )


@pytest.mark.parametrize(
    ("value", "expected"), [(7.25, "7.2 s"), (125, "2:05 min"), (3725, "1:02:05 h")]
)
def test_seconds(value: float, expected: str) -> None:
    assert seconds(value) == expected


def test_live_view_draws_tasks_and_the_overall_bar() -> None:
    output = StringIO()
    shown = LiveView(Console(file=output, force_terminal=True, width=120), 0.0)
    shown.show(
        {
            "train": Task("train", "running", 2, 61.0),
            "scrape": Task("scrape", "success", 1, 3.0),
        },
        {"scrape": report("scrape")},
        "step 3 of 56",
    )
    shown.close()
    text = output.getvalue()
    assert text.index("scrape") < text.index("train")
    assert all(
        part in text
        for part in (
            "running (attempt 2)",
            "1:01 min",
            "1,200",
            "1/2 tasks",
            "step 3 of 56",
        )
    )


GOOD = {
    "sentiment": "negative",
    "confidence": 0.8,
    "probabilities": {"negative": 0.8, "neutral": 0.15, "positive": 0.05},
    "modality": "text+image",
    "image_used": True,
    "model_version": "3",
    "similar_reviews": [],
    "summary": {},
    "processing_time_ms": 12.0,
}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        (
            {"probabilities": {"negative": 0.8, "neutral": 0.15, "positive": 0.5}},
            "not a distribution",
        ),
        ({"probabilities": {"negative": 1.0}}, "not a distribution"),
        ({"sentiment": "positive"}, "not the likeliest"),
        ({"confidence": 1.2}, "no probability"),
        ({"model_version": "2"}, "not the champion, version 3"),
    ],
)
def test_faults_of_an_answer(change: dict[str, Any], problem: str | None) -> None:
    found = answer.faults(json.loads(json.dumps({**GOOD, **change})), "3")
    assert (found == []) if problem is None else problem in found[0]


def test_answer_without_a_field_is_none() -> None:
    assert answer.faults(
        {key: value for key, value in GOOD.items() if key != "summary"}, "3"
    ) == ["without summary"]
