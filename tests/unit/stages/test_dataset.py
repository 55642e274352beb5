"""What training reads: accepted rows with the weight they were admitted at, and whole studies of conditions."""

import dataclasses

import numpy as np

from kindling.modeling.image_training import image_plan
from kindling.modeling.rows import Rows
from kindling.records import (
    CONDITIONS,
    ChallengeVerdict,
    DedupeDecision,
    Label,
    Photo,
    Review,
    StageReport,
    Synthesis,
)
from kindling.stages.dataset import condition_studies, examples
from kindling.stores.memory import MemoryRows


def committed(*records: object) -> MemoryRows:
    rows = MemoryRows()
    rows.commit(StageReport("scrape", "r", 0, 0), records, [])
    return rows


def test_synthetic_rows_count_what_they_were_admitted_at_and_borders_hide_photos() -> (
    None
):
    real = Review("a", "p", "Teapots", "", "It pours.", 5, "scraped", photo_id="f")
    made = Review("syn-1", "p", "Teapots", "", "It leaks.", 1, "synthetic")
    refused = dataclasses.replace(made, review_id="syn-2")
    rows = committed(
        real,
        made,
        refused,
        Photo("f", "p", "review", "scraped", "u", 1, 1),
        DedupeDecision("a", "a", True, "unique", 1.0, "train", photo_kept=False),
        Synthesis("syn-1", "negative", "m", ("a", "b")),
        Synthesis("syn-2", "negative", "m", ("a", "b")),
        ChallengeVerdict("syn-1", 0.5, True, "", 0.25),
        ChallengeVerdict("syn-2", 0.5, False, "near_copy", 0.25),
        *(
            Label(one, "negative" if one != "a" else "positive", 0.95, "accept", {})
            for one in ("a", "syn-1", "syn-2")
        ),
    )
    found = {one.review_id: one for one in examples(rows, "r")}
    assert {name: one.weight for name, one in found.items()} == {
        "a": 1.0,
        "syn-1": 0.25,
    }
    assert found["a"].photo_uri is None, "the picture also stands on a golden page"


def test_studies_come_in_fours_and_stay_together_in_the_plan() -> None:
    photos = [
        Photo(
            f"{base}{condition}",
            "p",
            "product",
            "synthetic",
            f"{base}/{condition}",
            1,
            1,
            condition=condition,
            base_photo_id="base" if condition == "intact" else f"{base}intact",
        )
        for base in "uvwxyz"
        for condition in reversed(CONDITIONS)
    ]
    incomplete = photos[:-1]
    studies = condition_studies(committed(*incomplete), "r")
    assert len(studies) == 4 * 5, "a study that lacks a condition is left out"
    assert all(one.weight == 0 for one in studies)
    for at in range(0, len(studies), 4):
        four = studies[at : at + 4]
        assert tuple(one.condition for one in four) == CONDITIONS
        assert {one.intact_uri for one in four} == {four[0].photo_uri}

    n = 6 + len(studies)
    rows = Rows(
        ("",) * n,
        np.ones(n, dtype=np.int64),
        np.array([1.0] * 6 + [0.0] * len(studies), dtype=np.float32),
        np.zeros((n, 8, 8, 3), dtype=np.uint8),
        np.arange(n),
        np.zeros(n, dtype=np.int64),
        np.full(n, -1),
    )
    plan = image_plan(rows, rows.with_photo, batch_size=n, epochs=3, seed=1)
    for order in plan:
        assert sorted(order) == list(range(n))
        places = {row: place for place, row in enumerate(order)}
        assert all(
            places[row + 1] == places[row] + 1
            for row in range(6, n)
            if (row - 6) % 4 != 3
        )
