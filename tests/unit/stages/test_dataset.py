"""What training reads: accepted rows with the weight they were admitted at, and whole studies of conditions."""

import dataclasses

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
from kindling.stages.dataset import examples, studies
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


def test_a_study_has_every_condition_or_is_left_out() -> None:
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
    found = studies(committed(*photos[:-1]), "r")
    assert [one.study_id for one in found] == [f"{base}intact" for base in "uvwxy"]
    for one in found:
        assert one.base_photo_id == "base"
        assert one.uris == {
            condition: f"{one.study_id[0]}/{condition}" for condition in CONDITIONS
        }
