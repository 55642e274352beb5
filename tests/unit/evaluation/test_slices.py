"""Parts of the holdout, sealed rows, and rows that a champion knows by heart."""

from dataclasses import replace

import numpy as np

from kindling.evaluation.evaluator import Answers, evaluate
from kindling.evaluation.sealed import SealedFigures, sealed_figures
from kindling.evaluation.slices import MIN_ROWS, figures, slices
from kindling.measure.sample import Sample
from kindling.records import Example


def test_slices_are_large_enough_and_cover_their_groups(
    examples: list[Example],
) -> None:
    found = slices(examples, ["Vases"])
    assert all(MIN_ROWS <= one.rows.sum() < len(examples) for one in found)
    for group in ("niche", "category", "photo", "text length", "stars"):
        assert sum(one.rows.sum() for one in found if one.group == group) == len(
            examples
        )


def test_a_slice_is_worse_only_when_shown(examples: list[Example], predict) -> None:
    sample, parts = Sample.of(examples), slices(examples, ["Vases"])
    champion = predict(sample.truth, 3.0)
    equal = figures(parts, sample, champion, champion, champion)
    assert not any(one.worse for one in equal)
    candidate = champion.copy()
    vases = np.array([one.category == "Vases" for one in examples])
    candidate[vases] = predict(sample.truth, -2.0)[vases]
    worse = {
        one.name
        for one in figures(parts, sample, candidate, champion, champion)
        if one.worse
    }
    assert "Vases" in worse and "Lamps" not in worse


def test_a_slice_is_held_against_the_baseline_on_the_first_night(
    examples: list[Example], predict
) -> None:
    sample, parts = Sample.of(examples), slices(examples, ["Vases"])
    baseline = predict(sample.truth, 3.0)
    candidate = baseline.copy()
    vases = np.array([one.category == "Vases" for one in examples])
    candidate[vases] = predict(sample.truth, -2.0)[vases]
    worse = {
        one.name
        for one in figures(parts, sample, candidate, baseline, None)
        if one.worse
    }
    assert "Vases" in worse and "Lamps" not in worse


def test_rows_that_the_champion_was_trained_on_are_left_out_of_the_comparison(
    examples: list[Example], predict
) -> None:
    """It knows these by heart; a fair candidate would look worse for it."""
    sample, rng = Sample.of(examples), np.random.default_rng(3)
    saw = rng.random(len(sample)) < 0.3
    equal = predict(sample.truth, 1.5, 5)
    heart = equal.copy()
    heart[saw] = np.eye(3)[sample.truth[saw]]
    none = np.zeros(0, dtype=int)
    other = predict(sample.truth, 0.5, 6)
    given = Answers(equal, other, heart, none, None)
    fooled = evaluate(examples, ("Vases",), given, seed=0)
    fair = evaluate(examples, ("Vases",), replace(given, champion_saw=saw), seed=0)
    assert fooled.differences["champion"]["three_way_macro_f1"].high < 0
    assert fair.differences["champion"]["three_way_macro_f1"].value == 0
    assert fair.champion_saw == saw.sum() and fair.compared
    assert fair.differences["champion"]["three_way_macro_f1"].n == (~saw).sum()
    assert any(one.worse for one in fooled.slices)
    assert not any(one.worse for one in fair.slices)
    most = evaluate(
        examples,
        ("Vases",),
        replace(given, champion_saw=np.ones(len(sample), dtype=bool)),
        seed=0,
    )
    assert not most.compared and "champion" not in most.differences


def test_sealed_rows_without_a_polar_one_tell_of_no_polarity(
    examples: list[Example], predict
) -> None:
    neutral = [one for one in examples if one.sentiment == "neutral"]
    said = predict(Sample.of(neutral).truth, 1.0)
    found = sealed_figures(neutral, said, said, None)
    assert found.rows == len(neutral) and "accuracy" in found.candidate
    assert "polarity_macro_f1" not in found.candidate and not found.champion
    assert sealed_figures([], said, said, None) == SealedFigures()
