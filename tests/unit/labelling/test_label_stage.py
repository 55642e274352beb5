"""The stage: nothing is relabelled, and what is measured against is left alone."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from kindling import recipe
from kindling.errors import DataError
from kindling.recipe import LabelConfig
from kindling.records import (
    ChallengeVerdict,
    DedupeDecision,
    Review,
    StageReport,
    Synthesis,
    sentiment_of,
)
from kindling.stages import label
from kindling.stages.contract import Context
from kindling.stages.view import Earlier, RunView
from kindling.stores.memory import MemoryRows

CONTEXT = Context("r", recipe.load("smoke"), (), 20, 7)
OPINION = {
    1: "awful flimsy torn",
    3: "average plain ordinary",
    5: "lovely sturdy superb",
}
SPLITS = ("train", "train", "train", "validation", "golden")


def review(number, rating, prefix="r", said=None, product=None):
    rng = np.random.default_rng(number)
    body = f"It is {OPINION[said or rating]} w{rng.integers(9)} w{rng.integers(9)}"
    origin = "synthetic" if prefix == "syn-" else "scraped"
    return Review(
        f"{prefix}{number}",
        product or f"p{number % 15}",
        "Skirts",
        "",
        body,
        rating,
        origin,
    )


def world():
    real = [review(number, (1, 3, 5)[number % 3]) for number in range(300)]
    real[0] = review(0, 1, said=5)
    synthetic = [review(number, 5, "syn-") for number in range(6)]
    return real, synthetic


def run(real, synthetic=(), admitted=(), meant="positive", config=None, llm=None):
    rows = MemoryRows()
    rows.commit(
        StageReport("before", "r", 0, 0),
        [
            *real,
            *synthetic,
            *(
                DedupeDecision(
                    row.review_id,
                    row.review_id,
                    row.review_id != "r20",
                    "unique",
                    1.0,
                    SPLITS[int(row.product_id[1:]) % 5],
                )
                for row in real
            ),
            *(Synthesis(row.review_id, meant, "test", ()) for row in synthetic),
            *(
                ChallengeVerdict(row.review_id, 0.5, row.review_id in admitted, "")
                for row in synthetic
            ),
        ],
        [],
    )
    return label.run(
        config or LabelConfig(star_reliability=0.9),
        CONTEXT,
        SimpleNamespace(
            view=RunView(rows, CONTEXT.run_id),
            earlier=Earlier(rows, CONTEXT.run_id),
            llm=llm,
        ),
    )


def split_of(row):
    return SPLITS[int(row.product_id[1:]) % 5]


def test_every_kept_row_has_a_label_and_none_is_relabelled():
    real, _ = world()
    outcome = run(real)
    sentiments = {one.review_id: one.sentiment for one in outcome.records}
    assert sentiments == {
        row.review_id: sentiment_of(row.rating)
        for row in real
        if row.review_id != "r20"
    }
    assert outcome.rows_in == 299
    assert outcome.rows_out == sum(one.band == "accept" for one in outcome.records)
    json.dumps(StageReport("label", "r", 0, 0, figures=outcome.figures).to_dict())


def test_stars_that_contradict_the_text_are_left_out_with_their_reason():
    real, _ = world()
    outcome = run(real)
    [wrong] = [one for one in outcome.records if one.review_id == "r0"]
    assert (wrong.sentiment, wrong.band) == ("negative", "discard") and wrong.votes[
        "model"
    ] < 0.1
    [told] = outcome.rejections
    assert (told.row_id, told.reason) == ("r0", "label_discard")
    # In one order, or a label that was kept would be told in other words the next night.
    assert told.detail.index("model") < told.detail.index("stars")


def test_a_row_in_doubt_waits_for_a_human_and_keeps_its_label():
    real, _ = world()
    doubtful = run(
        real, config=LabelConfig(star_reliability=0.9, accept=0.999, discard=0.001)
    )
    waiting = {one.review_id for one in doubtful.records if one.band == "review"}
    assert waiting and {one.row_id for one in doubtful.rejections} == waiting
    assert {one.reason for one in doubtful.rejections} == {"label_review"}


def test_validation_and_golden_keep_their_stars_and_are_shown_to_no_model():
    real, _ = world()
    before = {one.review_id: one for one in run(real).records}
    held_out = {row.review_id for row in real if split_of(row) != "train"}
    garbled = [
        replace(row, body="awful awful lovely") if row.review_id in held_out else row
        for row in real
    ]
    after = {one.review_id: one for one in run(garbled).records}
    assert after == before
    for one in held_out - {"r20"}:
        assert (after[one].band, after[one].confidence, after[one].votes) == (
            "accept",
            1.0,
            {"stars": 1.0},
        )


def test_only_admitted_synthetic_rows_are_labelled_by_intent_and_model():
    real, synthetic = world()
    outcome = run(real, synthetic, admitted=("syn-1", "syn-3"))
    found = {
        one.review_id: one
        for one in outcome.records
        if one.review_id.startswith("syn-")
    }
    assert set(found) == {"syn-1", "syn-3"}
    assert all(
        one.band == "accept" and set(one.votes) == {"intended", "model"}
        for one in found.values()
    )
    lying = run(real, synthetic, admitted=("syn-1",), meant="negative")
    [one] = [one for one in lying.records if one.review_id == "syn-1"]
    assert (one.sentiment, one.band) == ("negative", "discard")


def test_synthetic_rows_teach_the_model_nothing():
    real, synthetic = world()
    alone = {one.review_id: one for one in run(real).records}
    beside = {
        one.review_id: one
        for one in run(real, synthetic, admitted=("syn-1", "syn-2")).records
    }
    assert {
        key: one for key, one in beside.items() if not key.startswith("syn-")
    } == alone


def test_counts_are_by_split_sentiment_and_band():
    real, _ = world()
    bands = run(real).figures["bands"]
    praise = [
        row
        for row in real
        if row.rating == 5 and split_of(row) == "golden" and row.review_id != "r20"
    ]
    assert bands["train"]["negative"]["discard"] == 1
    assert (
        sum(sum(by.values()) for counts in bands.values() for by in counts.values())
        == 299
    )
    assert bands["golden"]["positive"] == {
        "accept": len(praise),
        "review": 0,
        "discard": 0,
    }


def test_no_train_row_is_said():
    real = [row for row in world()[0] if split_of(row) != "train"]
    with pytest.raises(DataError, match="no kept train review"):
        run(real)


def test_a_synthetic_row_without_its_making_is_said():
    real, synthetic = world()
    rows = [*real, synthetic[0], ChallengeVerdict("syn-0", 0.5, True, "")]
    rows += [
        DedupeDecision(row.review_id, row.review_id, True, "unique", 1.0, "train")
        for row in real
    ]
    store = MemoryRows()
    store.commit(StageReport("before", "r", 0, 0), rows, [])
    with pytest.raises(DataError, match="syn-0"):
        needs = SimpleNamespace(
            view=RunView(store, CONTEXT.run_id),
            earlier=Earlier(store, CONTEXT.run_id),
            llm=None,
        )
        label.run(LabelConfig(), CONTEXT, needs)
