"""Planted leaks are told and named; equal sides, and models with one answer, earn no verdict."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from kindling.challenge import cues, discriminator, style
from kindling.challenge.comparison import Comparison, fold


def compare(real, synthetic):
    rows = [*real, *synthetic]
    return Comparison(
        tuple(row.review_id for row in rows),
        tuple(row.text for row in rows),
        np.arange(len(rows)) >= len(real),
        tuple((row.product_id,) for row in rows),
        ((),) * len(rows),
        tuple(f"{row.category} {row.rating}" for row in rows),
    )


def tell_apart(comparison, seed=0):
    features = discriminator.featurise(comparison.texts)
    scores = discriminator.score(features, comparison, fold(comparison, 5, seed), seed)
    return (
        features,
        scores,
        discriminator.judge(scores.synthetic, comparison, 200, seed),
    )


def test_rows_from_one_source_are_not_told_apart(reviews):
    rows = reviews(1_000, 1)
    _, _, found = tell_apart(compare(rows[::2], rows[1::2]))
    assert found.verdict == "not told apart"
    assert found.auc.low < 0.5 < found.auc.high
    assert found.p_value > 0.05


@pytest.mark.parametrize("seed", range(4))
def test_few_rows_raise_no_false_alarm(reviews, seed):
    """Cross-fitting leans below 0.5 when rows are few and alike; it may not lean the other way."""
    rows = reviews(200, seed)
    _, _, found = tell_apart(compare(rows[::2], rows[1::2]), seed)
    assert found.verdict == "not told apart" and found.auc.low < 0.5


def leak(family):
    return {
        "length": lambda body: " ".join(body.split()[: len(body.split()) // 2]) + ".",
        "punctuation": lambda body: body.replace(".", "!"),
        "capitals": str.lower,
        "digits": lambda body: body.replace(" ", " 12 ", 1),
        "spacing": lambda body: body.replace(" ", "  "),
        "symbols": lambda body: body.replace(" ", " é ", 1),
    }[family]


@pytest.mark.parametrize(
    "family", ["length", "punctuation", "capitals", "digits", "spacing", "symbols"]
)
def test_a_planted_leak_is_the_first_cue_and_goes_when_it_is_removed(reviews, family):
    rows = reviews(240, 5)
    planted = compare(
        rows[::2], [replace(row, body=leak(family)(row.body)) for row in rows[1::2]]
    )
    features, scores, found = tell_apart(planted)
    assert found.verdict == "told apart" and found.auc.low > 0.8
    assert cues.rank(features, scores, planted.synthetic, 10)[0].name == family
    again = cues.retest(planted, [family], 3, 100, 120, 0)
    assert again[family].value < again["nothing"].value - 0.2
    assert again[family].low < 0.6


def test_a_planted_phrase_is_named(reviews):
    rows = reviews(400, 6)
    planted = compare(
        rows[::2], [replace(row, body=f"Zounds {row.body}") for row in rows[1::2]]
    )
    features, scores, found = tell_apart(planted)
    first = next(
        cue
        for cue in cues.rank(features, scores, planted.synthetic, 10)
        if cue.kind == "words"
    )
    assert found.auc.low > 0.9
    assert first.name == "zounds" and first.synthetic > first.real == 0


@pytest.mark.parametrize("answer", [0.1, 0.9])
def test_a_discriminator_with_one_answer_is_invalid(reviews, answer):
    rows = reviews(60, 1)
    found = discriminator.judge(
        np.full(60, answer), compare(rows[:30], rows[30:]), 100, 0
    )
    assert found.verdict == "invalid discriminator"
    assert found.balanced_accuracy.value == 0.5 == found.auc.value


def test_scores_come_from_models_that_did_not_see_the_row():
    """Sides named at random, each row with a word of its own: only a model that saw the row could know it."""
    rng = np.random.default_rng(0)
    texts = tuple(f"unique{number} unique{number} shared" for number in range(200))
    sides = rng.permutation(np.arange(200) < 100)
    blind = Comparison(
        tuple(map(str, range(200))), texts, sides, ((),) * 200, ((),) * 200, ("",) * 200
    )
    _, _, found = tell_apart(blind)
    assert found.verdict == "not told apart" and found.auc.value < 0.6


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.booleans()), min_size=4, max_size=60
    ).filter(lambda rows: len({side for _, side in rows}) == 2)
)
def test_auc_is_the_usual_one_ties_and_all(rows):
    scores, synthetic = (
        np.array([score for score, _ in rows]) / 5,
        np.array([side for _, side in rows]),
    )
    assert discriminator._auc(scores[~synthetic], scores[synthetic]) == pytest.approx(
        roc_auc_score(synthetic, scores)
    )


@given(st.lists(st.text(), min_size=1, max_size=6))
def test_style_is_measured_for_any_text_and_removed_families_leave_no_trace(texts):
    assert np.isfinite(style.measure(texts)).all()
    columns = [family for family, _ in style.names()]
    for family in ("capitals", "digits", "spacing", "symbols"):
        measures = style.MEASURES[family].values()
        for text in style.without(
            [text for text in texts if text.isascii()] or ["a"], family
        ):
            if family != "capitals":
                assert all(function(text) == 0 for function in measures)
            else:
                assert text == text.lower()
    assert set(columns) == set(style.MEASURES)


def test_features_of_a_subset_are_those_of_its_texts_alone(reviews):
    """Many draws from one pool cost one count; the pool's other texts leave no trace."""
    texts = tuple(row.text for row in reviews(60, 1))
    rows = np.arange(0, 60, 2)
    pooled = discriminator.Counted.of(texts).features(rows)
    alone = discriminator.featurise(tuple(texts[row] for row in rows))
    assert pooled.names == alone.names
    assert np.allclose(pooled.matrix.toarray(), alone.matrix.toarray())
    few = discriminator.featurise(texts, max_terms=50)
    kinds = [family for family, _ in few.names]
    assert kinds.count("words") == kinds.count("characters") == 50
