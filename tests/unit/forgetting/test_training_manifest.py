"""A model's manifest names every row it was shown, by hashes that change with what was shown."""

from dataclasses import replace

import pytest

from kindling import recipe as recipes
from kindling.observe.row_hashes import row_sha256
from kindling.ports.classifier import TrainingData
from kindling.records import (
    ChallengeVerdict,
    DedupeDecision,
    Example,
    Label,
    Record,
    Review,
    StageReport,
    Study,
    Synthesis,
)
from kindling.stages.contract import Context
from kindling.stages.training_set import training_set
from kindling.stages.view import RunView
from kindling.stores.memory import MemoryRows

CONTEXT = Context("night-1", recipes.load("smoke"), ("Teapots",), 20, seed=1)


def rows() -> MemoryRows:
    store = MemoryRows()
    records: list[Record] = [
        Study("study-1", "p1", "photo-1", {}),
        Synthesis("syn-1", "negative", "w", ("r1", "r2")),
        ChallengeVerdict("syn-1", 0.5, True, "", 0.3),
    ]
    for review_id, split in (("r1", "train"), ("r2", "train"), ("r3", "validation"), ("r4", "golden"), ("syn-1", "")):  # fmt: skip
        origin = "scraped" if split else "synthetic"
        records += [
            Review(review_id, "p1", "c", "", f"text of {review_id}", 1, origin),  # type: ignore[arg-type]
            Label(review_id, "negative", 1.0, "accept", {}),
        ]
        if split:
            records.append(DedupeDecision(review_id, review_id, True, "unique", 1.0, split))  # type: ignore[arg-type]  # fmt: skip
    report = StageReport("label", "night-1", 5, 5, inputs_sha256="in", code_sha256="co")
    store.commit(report, records, [])
    return store


def test_every_row_and_nothing_of_golden_is_in_the_manifest() -> None:
    view = RunView(rows(), "night-1")
    data = TrainingData(
        view.examples("train"), view.examples("validation"), view.studies()
    )
    found = training_set(CONTEXT, data, view)
    assert [(one.review_id, one.part, one.weight) for one in found.rows] == [
        ("r1", "train", 1.0),
        ("r2", "train", 1.0),
        ("syn-1", "train", 0.3),
        ("r3", "validation", 1.0),
    ]
    assert found.studies == {"study-1": "photo-1"}
    assert found.versions == {"label.inputs": "in", "label.code": "co"}
    seen = found.with_review(["r1", "r4"])
    assert [one.review_id for one in seen["r1"]] == ["r1", "syn-1"]
    assert "r4" not in seen


EXAMPLE = Example(
    "r1", "p1", "c", "text", "negative", 1, "scraped", "train", photo_id="a"
)


@pytest.mark.parametrize(
    "changed",
    [
        {"text": "another"},
        {"sentiment": "neutral"},
        {"weight": 0.5},
        {"photo_id": None},
        {"condition": "torn"},
    ],
    ids=str,
)
def test_the_hash_of_a_row_changes_with_what_training_is_shown(changed: dict) -> None:
    assert row_sha256(replace(EXAMPLE, **changed)) != row_sha256(EXAMPLE)


def test_the_hash_of_a_row_is_the_same_under_another_name() -> None:
    other = replace(EXAMPLE, review_id="r9", product_id="p9", category="d")
    assert row_sha256(other) == row_sha256(EXAMPLE)
