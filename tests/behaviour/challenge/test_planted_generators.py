"""Generators whose fault is known, made from real reviews: each has to get its own verdict."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from kindling.recipe import ChallengeConfig, LabelConfig
from kindling.records import sentiment_of
from kindling.stages import challenge, label

CONFIG = ChallengeConfig(bootstrap=200, retest_rows=400)


@pytest.fixture
def world(clothing):
    """Real rows with 600 of the train split held back: what a perfect generator would have written."""
    order = np.random.default_rng(1).permutation(len(clothing["train"]))
    train = [clothing["train"][row] for row in order]
    return clothing | {"train": train[600:4_600]}, pretend(train[:600])


def pretend(rows):
    return [
        replace(row, review_id=f"syn-{row.review_id}", origin="synthetic")
        for row in rows
    ]


def reasons(outcome):
    return Counter(one.reason for one in outcome.rejections)


def test_a_perfect_generator_is_not_told_apart_and_is_admitted(world, run_stage):
    real, fresh = world
    outcome = run_stage(challenge, CONFIG, real, fresh)
    figures = outcome.figures
    assert figures["verdict"] == "not told apart" and figures["p_value"] > 0.05
    assert figures["auc"].low < 0.5 and abs(figures["auc"].value - 0.5) < 0.05
    assert figures["findings"] == [] and outcome.rows_out > 540


def test_a_copier_is_stopped_by_its_copies(world, run_stage):
    real, _ = world
    copies = pretend(real["train"][:300])
    sources = {row.review_id: (row.review_id.removeprefix("syn-"),) for row in copies}
    outcome = run_stage(challenge, CONFIG, real, copies, sources)
    assert outcome.rows_out == 0 and set(reasons(outcome)) == {"near_copy"}
    assert "memorises" in outcome.figures["findings"]


def test_a_collapsed_generator_is_named(world, run_stage):
    real, fresh = world
    rows = [
        replace(row, body=fresh[number % 10].body, title="")
        for number, row in enumerate(fresh)
    ]
    outcome = run_stage(challenge, CONFIG, real, rows)
    assert "mode_collapse" in outcome.figures["findings"]
    assert outcome.rows_out <= 10 and reasons(outcome)["repeats_another"] == 590


def test_a_length_leak_is_the_first_cue_and_goes_with_length(world, run_stage):
    real, fresh = world
    real = {
        split: [replace(row, title="") for row in rows] for split, rows in real.items()
    }
    short = [
        replace(row, title="", body=" ".join(row.body.split()[:12]) + ".")
        for row in fresh
    ]
    figures = run_stage(challenge, CONFIG, real, short).figures
    assert figures["verdict"] == "told apart" and figures["auc"].low > 0.9
    assert figures["cues"][0]["name"] == "length"
    assert (
        figures["auc_without"]["length"].value
        < figures["auc_without"]["nothing"].value - 0.15
    )


def test_false_labels_are_refused_as_a_batch(world, run_stage):
    real, fresh = world
    few = real | {"train": real["train"][:1_000]}
    wrong = {"negative": "positive", "neutral": "negative", "positive": "neutral"}
    meant = {row.review_id: wrong[sentiment_of(row.rating)] for row in fresh}
    outcome = run_stage(challenge, CONFIG, few, fresh, intended=meant)
    assert outcome.rows_out == 0
    assert reasons(outcome)["misses_sentiment"] > 200
    assert "misses_sentiment" in outcome.figures["findings"]


def test_praise_sold_as_blame_is_refused_row_by_row(world, run_stage):
    real, fresh = world
    praise = [row for row in fresh if row.rating == 5]
    lying = {row.review_id: "negative" for row in praise[::2]}
    outcome = run_stage(challenge, CONFIG, real, praise, intended=lying)
    caught = {one.row_id for one in outcome.rejections if one.reason == "off_sentiment"}
    assert len(caught & lying.keys()) > 0.5 * len(lying)
    assert len(caught - lying.keys()) < 0.02 * len(praise)


def test_two_thousand_rows_against_the_whole_train_split_are_told_apart(
    clothing, run_stage
):
    """Sentences of real reviews put together anew, as an offline generator would."""
    rng = np.random.default_rng(0)
    by_rating = {
        rating: [row for row in clothing["train"] if row.rating == rating]
        for rating in (1, 3, 5)
    }
    synthetic, sources = [], {}
    for number in range(2_000):
        pool = by_rating[(1, 3, 5)[number % 3]]
        used = [pool[row] for row in rng.integers(len(pool), size=rng.integers(2, 5))]
        body = " ".join(
            str(rng.choice(re.split(r"(?<=[.!?])\s+", row.body))) for row in used
        )
        synthetic.append(
            replace(
                used[0],
                review_id=f"syn-{number}",
                origin="synthetic",
                title="",
                body=body,
            )
        )
        sources[f"syn-{number}"] = tuple(row.review_id for row in used)
    figures = run_stage(
        challenge, ChallengeConfig(), clothing, synthetic, sources
    ).figures
    assert figures["verdict"] == "told apart" and figures["fold_rule"] == "first source"
    assert figures["utility"].n == len(clothing["train"]) + len(clothing["validation"])
    assert figures["utility_verdict"] == "not known"


def test_labels_of_real_reviews_are_calibrated_and_few_wait(clothing, run_stage):
    figures = run_stage(label, LabelConfig(), clothing).figures
    assert figures["model_calibration_error"].high < 0.03
    assert (
        figures["model_calibration_error"].value
        < figures["model_calibration_error_raw"].value / 2
    )
    assert (
        figures["model_macro_f1"].low > 0.58
        and figures["star_model_agreement"].low > 0.8
    )
    bands = Counter()
    for counts in figures["bands"]["train"].values():
        bands.update(counts)
    assert (
        bands["accept"] / bands.total() > 0.97
        and bands["review"] > bands["discard"] > 0
    )
