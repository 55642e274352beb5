"""Who votes on a review's sentiment, and how independent votes become one probability."""

from collections.abc import Sequence

import numpy as np

from kindling.records import SENTIMENTS, Band, Sentiment

#: No voter rules a sentiment out: a product of votes would let it overrule all the others.
_FLOOR = 1e-6


def codes(sentiments: Sequence[Sentiment]) -> np.ndarray:
    """Positions in SENTIMENTS, int64 [N]."""
    return np.array([SENTIMENTS.index(one) for one in sentiments], dtype=np.int64)


def stated_vote(sentiments: Sequence[Sentiment], reliability: float) -> np.ndarray:
    """[N, 3]: `reliability` for the sentiment that stars (or a generator's intent) state, the rest shared."""
    others = (1 - reliability) / (len(SENTIMENTS) - 1)
    return np.asarray(
        np.full((len(SENTIMENTS), len(SENTIMENTS)), others)[codes(sentiments)]
        + (np.eye(len(SENTIMENTS))[codes(sentiments)] * (reliability - others))
    )


def prior(sentiments: Sequence[Sentiment]) -> np.ndarray:
    """Shares of the sentiments, float64 [3]; one row is added to each, so that none is impossible."""
    counts = np.bincount(codes(sentiments), minlength=len(SENTIMENTS)) + 1
    return np.asarray(counts / counts.sum())


def pool(votes: Sequence[np.ndarray], prior: np.ndarray) -> np.ndarray:
    """p(y) proportional to prior(y) * product over voters of vote(y) / prior(y); all arrays [N, 3].

    The product rule for voters that are independent given the sentiment (Kittler et al. 1998, "On
    combining classifiers", IEEE TPAMI 20(3), eq. 7). The order of the voters is of no consequence.
    """
    log_prior = np.log(prior)
    evidence = sum(
        np.sort(
            [np.log(np.maximum(vote, _FLOOR)) - log_prior for vote in votes], axis=0
        )
    )
    logits = log_prior + evidence
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def band(confidence: float, accept: float, discard: float) -> Band:
    """accept from `accept` on, discard below `discard`, review between."""
    return (
        "accept"
        if confidence >= accept
        else "discard"
        if confidence < discard
        else "review"
    )
