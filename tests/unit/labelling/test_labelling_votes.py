"""Laws of pooling and of the bands."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.labelling import votes
from kindling.records import SENTIMENTS

SHARE = st.floats(0.01, 1)
ROW = st.tuples(SHARE, SHARE, SHARE)


def distribution(rows):
    rows = np.array(rows)
    return rows / rows.sum(axis=-1, keepdims=True)


@given(st.lists(ROW, min_size=2, max_size=5), ROW, st.randoms())
def test_the_order_of_voters_is_of_no_consequence(rows, prior, random):
    ballots = [distribution([row]) for row in rows]
    pooled = votes.pool(ballots, distribution(prior))
    random.shuffle(ballots)
    assert np.array_equal(votes.pool(ballots, distribution(prior)), pooled)
    assert pooled.sum() == pytest.approx(1)


@given(ROW, ROW)
def test_one_voter_is_believed_and_one_that_knows_only_the_prior_adds_nothing(
    row, prior
):
    ballot, known = distribution([row]), distribution(prior)
    assert np.allclose(votes.pool([ballot], known), ballot)
    assert np.allclose(votes.pool([ballot, known[None]], known), ballot)


@given(ROW, ROW, st.integers(0, 2), st.floats(0.4, 0.98), st.floats(0.001, 0.01))
def test_more_reliable_stars_are_believed_more(row, prior, stated, reliability, more):
    own, ballot = [SENTIMENTS[stated]], distribution([row])
    sure = [
        votes.pool([votes.stated_vote(own, one), ballot], distribution(prior))[
            0, stated
        ]
        for one in (reliability, reliability + more)
    ]
    assert sure[0] <= sure[1]


def test_a_vote_of_zero_overrules_nobody():
    certain, opposite = np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 1.0]])
    pooled = votes.pool([certain, opposite], np.full(3, 1 / 3))
    assert np.allclose(pooled[0, [0, 2]], 0.5, atol=1e-3)


@given(st.floats(0, 1), st.floats(0, 1))
def test_bands_rise_with_confidence(first, second):
    order = ("discard", "review", "accept")
    ranks = [
        order.index(votes.band(one, accept=0.9, discard=0.7))
        for one in sorted((first, second))
    ]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize(
    ("confidence", "band"),
    [(0.9, "accept"), (0.8999, "review"), (0.7, "review"), (0.6999, "discard")],
)
def test_band_borders(confidence, band):
    assert votes.band(confidence, accept=0.9, discard=0.7) == band


@given(st.lists(st.sampled_from(SENTIMENTS), max_size=30))
def test_no_sentiment_is_impossible_beforehand(sentiments):
    assert votes.prior(sentiments).min() > 0 and votes.prior(
        sentiments
    ).sum() == pytest.approx(1)


def test_stated_vote_shares_the_rest_evenly():
    assert np.allclose(votes.stated_vote(["neutral"], 0.8), [[0.1, 0.8, 0.1]])
