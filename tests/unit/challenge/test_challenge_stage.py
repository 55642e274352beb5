"""The stage: a verdict for every synthetic row, and a reason for every refusal."""

import json
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from kindling import recipe
from kindling.errors import DataError
from kindling.recipe import ChallengeConfig
from kindling.records import (
    ChallengeVerdict,
    DedupeDecision,
    Estimate,
    Rejection,
    StageReport,
    Synthesis,
    sentiment_of,
)
from kindling.stages import challenge
from kindling.stages.contract import Context
from kindling.stages.view import Earlier, RunView
from kindling.stores.memory import MemoryRows

CONFIG = ChallengeConfig(bootstrap=100, retest_rows=60, folds=3)
CONTEXT = Context("r", recipe.load("smoke"), ("Skirts",), 20, 7)


def run(real, validation, synthetic, intended=None, sources=None, config=CONFIG):
    intended = intended or [sentiment_of(row.rating) for row in synthetic]
    decisions = [
        DedupeDecision(row.review_id, row.review_id, True, "unique", 1.0, split)
        for rows, split in ((real, "train"), (validation, "validation"))
        for row in rows
    ]
    made = [
        Synthesis(
            row.review_id, sentiment, "test", (sources or {}).get(row.review_id, ())
        )
        for row, sentiment in zip(synthetic, intended, strict=True)
    ]
    rows = MemoryRows()
    rows.commit(
        StageReport("before", "r", 0, 0),
        [*real, *validation, *synthetic, *decisions, *made],
        [],
    )
    outcome = challenge.run(
        config,
        CONTEXT,
        SimpleNamespace(
            view=RunView(rows, CONTEXT.run_id), earlier=Earlier(rows, CONTEXT.run_id)
        ),
    )
    # One verdict a row, a rejection for each that is refused, and figures that a manifest can hold.
    assert [one.review_id for one in outcome.records] == sorted(
        row.review_id for row in synthetic
    )
    refused = {one.review_id: one.reason for one in outcome.records if not one.admitted}
    assert {one.row_id: one.reason for one in outcome.rejections} == refused
    assert outcome.rows_in == len(synthetic) == outcome.rows_out + len(refused)
    json.dumps(StageReport("challenge", "r", 0, 0, figures=outcome.figures).to_dict())
    return outcome


@pytest.fixture
def world(reviews):
    return reviews(240, 1), reviews(150, 2, "v")


def test_no_synthetic_rows_is_an_outcome(world):
    outcome = run(*world, [])
    assert (outcome.rows_in, outcome.rows_out) == (0, 0) and outcome.figures[
        "synthetic"
    ] == 0


def test_good_rows_are_admitted_with_every_figure(world, reviews):
    outcome = run(*world, reviews(60, 3, "syn-"))
    assert outcome.rows_out > 50 and outcome.figures["batch_admitted"]
    assert outcome.figures["verdict"] == "not told apart"
    estimates = (
        "auc balanced_accuracy dropped near_copies keeps_polarity utility macro_f1_real"
    )
    for name in estimates.split():
        assert isinstance(outcome.figures[name], Estimate), name
    assert set(outcome.figures["auc_without"]) >= {"nothing"}
    assert "not challenged" in outcome.implementation["photos"]


def test_a_copy_generator_gets_nothing_through(world):
    real, _ = world
    copies = [
        replace(row, review_id=f"syn-{row.review_id}", origin="synthetic")
        for row in real[:40]
    ]
    sources = {row.review_id: (row.review_id.removeprefix("syn-"),) for row in copies}
    outcome = run(*world, copies, sources=sources)
    assert Counter(one.reason for one in outcome.rejections) == {"near_copy": 40}
    assert "memorises" in outcome.figures["findings"]
    assert outcome.figures["utility"] == "not measured: no row was left"


def test_a_collapsed_generator_keeps_one_row_of_each_text(world, reviews):
    three = reviews(3, 3, "syn-")
    rows = [
        replace(three[number % 3], review_id=f"syn-{number}") for number in range(45)
    ]
    outcome = run(*world, rows, config=CONFIG.model_copy(update={"max_score": 1.0}))
    assert sum(one.reason == "repeats_another" for one in outcome.rejections) == 42
    assert "mode_collapse" in outcome.figures["findings"]


def test_rows_that_say_the_opposite_are_refused(world, reviews):
    synthetic = reviews(60, 3, "syn-")
    meant = [sentiment_of(row.rating) for row in synthetic]
    meant[0] = "positive"
    outcome = run(
        *world,
        synthetic,
        meant,
        config=CONFIG.model_copy(update={"contradiction": 0.6}),
    )
    assert {one.row_id: one.reason for one in outcome.rejections}[
        synthetic[0].review_id
    ] == "off_sentiment"


def test_a_batch_of_false_labels_is_refused_as_a_whole(world, reviews):
    synthetic = reviews(240, 3, "syn-")
    wrong = {"negative": "positive", "neutral": "negative", "positive": "neutral"}
    meant = [wrong[sentiment_of(row.rating)] for row in synthetic]
    outcome = run(
        *world,
        synthetic,
        meant,
        config=CONFIG.model_copy(update={"contradiction": 1.0}),
    )
    assert outcome.rows_out == 0
    assert "misses_sentiment" in outcome.figures["findings"]
    assert Counter(one.reason for one in outcome.rejections)["misses_sentiment"] > 200


def test_a_batch_that_harms_is_refused_as_a_whole(world, reviews, monkeypatch):
    """Nothing is found in the rows: what they do to a model is enough."""
    synthetic = reviews(480, 3, "syn-")
    wrong = {"negative": "positive", "neutral": "negative", "positive": "neutral"}
    meant = [wrong[sentiment_of(row.rating)] for row in synthetic]
    stars = {"negative": 1, "neutral": 3, "positive": 5}
    synthetic = [
        replace(row, rating=stars[asked])
        for row, asked in zip(synthetic, meant, strict=True)
    ]
    monkeypatch.setattr(
        challenge,
        "missed",
        lambda _, intended, *__: ({}, np.zeros(len(intended), bool)),
    )
    outcome = run(
        *world,
        synthetic,
        meant,
        config=CONFIG.model_copy(update={"contradiction": 1.0}),
    )
    assert outcome.rows_out == 0 and not outcome.figures["batch_admitted"]
    assert (
        outcome.figures["utility"].high < 0 and "harms" in outcome.figures["findings"]
    )
    assert Counter(one.reason for one in outcome.rejections)["batch_harms"] > 200


def test_too_few_rows_are_not_waved_through(world, reviews):
    outcome = run(*world, reviews(9, 3, "syn-"))
    assert {one.reason for one in outcome.rejections} == {
        "too_few_to_challenge"
    } and outcome.rows_out == 0


def test_an_always_real_discriminator_admits_nothing(world, reviews, monkeypatch):
    class AlwaysReal(challenge.discriminator.LogisticRegression):
        def predict_proba(self, rows):
            chances = super().predict_proba(rows)
            chances[:] = [0.9, 0.1]
            return chances

    monkeypatch.setattr(challenge.discriminator, "LogisticRegression", AlwaysReal)
    outcome = run(*world, reviews(30, 3, "syn-"))
    assert outcome.figures["verdict"] == "invalid discriminator"
    assert {one.reason for one in outcome.rejections} == {
        "invalid_discriminator"
    } and outcome.rows_out == 0


@pytest.mark.parametrize("source", ["v0", "nowhere"])
def test_a_source_outside_the_train_split_is_a_leak(world, reviews, source):
    with pytest.raises(DataError, match=source):
        run(*world, reviews(30, 3, "syn-"), sources={"syn-7": (source,)})


def test_a_second_run_says_the_same(world, reviews):
    synthetic = reviews(30, 3, "syn-")
    assert run(*world, synthetic) == run(*world, synthetic)


def test_records_are_what_the_tables_hold(world, reviews):
    outcome = run(*world, reviews(30, 3, "syn-"))
    assert all(
        isinstance(one, ChallengeVerdict) and 0 <= one.score <= 1
        for one in outcome.records
    )
    assert all(isinstance(one, Rejection) and one.detail for one in outcome.rejections)


def test_a_row_whose_own_stars_are_not_what_was_asked_is_refused_by_that_name(
    world, reviews
):
    synthetic = reviews(90, 3, "syn-")
    meant = [sentiment_of(row.rating) for row in synthetic]
    meant[4] = "neutral" if meant[4] != "neutral" else "positive"
    outcome = run(*world, synthetic, meant)
    told = {one.row_id: one for one in outcome.rejections}[synthetic[4].review_id]
    assert told.reason == "misses_sentiment"
    assert told.detail == f"stars {synthetic[4].rating} are not {meant[4]}, as asked"
