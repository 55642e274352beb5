"""The model's vote is out of fold, calibrated, and measured as is usual."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from kindling.errors import DataError
from kindling.labelling import model, votes
from kindling.measure.estimates import estimate
from kindling.measure.metrics import (
    THREE_WAY,
    calibration_edges,
    calibration_error,
)
from kindling.measure.sample import Sample
from kindling.records import SENTIMENTS

OPINION = {
    "negative": "awful flimsy",
    "neutral": "average plain",
    "positive": "lovely sturdy",
}


def corpus(count, seed):
    """Texts with an opinion that is the label's; ten products."""
    rng = np.random.default_rng(seed)
    labels = [SENTIMENTS[number % 3] for number in range(count)]
    texts = [
        f"it is {OPINION[one]} w{rng.integers(9)} w{rng.integers(9)}" for one in labels
    ]
    return texts, labels, [f"p{rng.integers(10)}" for _ in labels]


def by_product(truth, products):
    rows = np.arange(len(truth))
    return Sample(truth, rows % products, tuple(map(str, rows)))


def test_votes_are_right_where_the_text_tells():
    texts, labels, products = corpus(150, 1)
    found = model.out_of_fold(texts, labels, products, 5, 0)
    assert (found.votes.argmax(axis=1) == votes.codes(labels)).mean() > 0.95
    assert np.allclose(found.votes.sum(axis=1), 1) and found.folds == 5


def test_no_vote_comes_from_a_model_that_knows_the_product():
    """Every product has a word of its own and one sentiment: only its own reviews could teach that."""
    rng = np.random.default_rng(0)
    products = [f"p{number // 10}" for number in range(300)]
    sentiment = rng.choice(SENTIMENTS, size=30)
    texts = [
        f"product{number // 10} product{number // 10} shared words"
        for number in range(300)
    ]
    labels = [str(sentiment[number // 10]) for number in range(300)]
    found = model.out_of_fold(texts, labels, products, 5, 0)
    assert (found.votes.argmax(axis=1) == votes.codes(labels)).mean() < 0.6


def test_calibration_undoes_bluster_and_bias():
    rng = np.random.default_rng(0)
    honest = rng.dirichlet([1, 1, 3], size=4_000)
    truth = np.array([rng.choice(3, p=row) for row in honest])
    distorted = honest**2.5 * [0.3, 1, 2]
    distorted = np.maximum(distorted / distorted.sum(axis=1, keepdims=True), 1e-6)
    mended = model._probabilities(
        model.calibrator_of(distorted, truth), np.log(distorted)
    )
    assert np.abs(distorted - honest).mean() > 0.1
    assert np.abs(mended - honest).mean() < 0.03


def test_a_vote_on_other_texts_uses_all_that_was_learned():
    texts, labels, products = corpus(150, 1)
    found = model.out_of_fold(texts, labels, products, 5, 0)
    voted = model.vote(
        texts,
        labels,
        ["it is lovely sturdy", "it is awful flimsy"],
        found.calibrator,
        0,
    )
    assert voted.argmax(axis=1).tolist() == [2, 0]


def test_a_sentiment_that_never_occurs_gets_next_to_nothing():
    texts, labels, products = corpus(150, 1)
    kept = [row for row in range(150) if labels[row] != "neutral"]
    found = model.out_of_fold(
        *([one[row] for row in kept] for one in (texts, labels, products)), 5, 0
    )
    assert 0 < found.votes[:, 1].max() < 1e-4


@pytest.mark.parametrize(
    ("labels", "products", "message"),
    [
        (["positive", "negative"] * 10, ["p"] * 20, "two products"),
        (["positive"] * 20, [f"p{number}" for number in range(20)], "positive"),
    ],
)
def test_what_cannot_be_cross_fitted_is_said(labels, products, message):
    with pytest.raises(DataError, match=message):
        model.out_of_fold(["good good words"] * 20, labels, products, 5, 0)


def test_macro_f1_is_the_usual_one():
    rng = np.random.default_rng(0)
    truth, ballots = rng.integers(3, size=200), rng.random((200, 3))
    found = estimate(THREE_WAY, by_product(truth, 20), ballots)
    assert found.value == pytest.approx(
        f1_score(truth, ballots.argmax(axis=1), average="macro")
    )
    assert found.low < found.value < found.high and found.n == 200


def test_calibration_error_tells_honest_confidence_from_bluster():
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.5, 1, size=6_000)
    truth = np.where(rng.random(6_000) < chance, 0, 1)
    honest = np.stack([chance, 1 - chance, np.zeros(6_000)], axis=1)
    bluster = np.tile([0.99, 0.01, 0.0], (6_000, 1))
    sample = by_product(truth, 300)
    for ballots, low, high in ((honest, 0, 0.03), (bluster, 0.2, 1)):
        metric = calibration_error(calibration_edges(ballots))
        assert low <= estimate(metric, sample, ballots).value < high
