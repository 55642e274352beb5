"""Heads above frozen sentence vectors: zero-shot, linear, and few-shot by contrastive pairs."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from kindling.records import SENTIMENTS

Array = NDArray[np.float64]
#: Texts -> float [n, d] of unit length.
Embed = Callable[[Sequence[str]], NDArray[np.float32]]

CLASSES = len(SENTIMENTS)
#: Inverse strength of the penalty: vectors of unit length need weights above 1.
_C = 10.0
#: Cosines of whole sentences lie close together: what they are multiplied by for a softmax.
_SHARPNESS = 20.0
#: What a review of each sentiment says at its plainest.
_SAYINGS = (
    (
        "I am very disappointed. It is bad quality and I returned it.",
        "Terrible. It does not work for me, do not buy it.",
        "I do not like it at all, a waste of money.",
    ),
    (
        "It is okay, nothing special.",
        "I like some things about it and dislike others.",
        "It is all right, but not as good as I had hoped.",
    ),
    (
        "I love it. It is great quality and I recommend it.",
        "Perfect, exactly what I wanted.",
        "I am very happy with it and would buy it again.",
    ),
)


def zero_shot(embed: Embed, vectors: Array) -> Array:
    """P(sentiment) [n, 3] by the cosine to the mean of sentences that say it."""
    means = np.stack([embed(some).mean(0) for some in _SAYINGS])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    odds = np.exp(_SHARPNESS * vectors @ means.T)
    return np.asarray(odds / odds.sum(1, keepdims=True))


def linear(
    vectors: Array, truth: NDArray[np.int64], weights: Array, test: Array
) -> Array:
    """P(sentiment) [n, 3] of `test` by logistic regression, all sentiments weighted alike."""
    present = np.unique(truth)
    found = np.zeros((len(test), CLASSES))
    if len(present) == 1:
        found[:, present[0]] = 1.0
        return found
    model = LogisticRegression(C=_C, class_weight="balanced", max_iter=300)
    model.fit(vectors, truth, weights)
    found[:, model.classes_] = model.predict_proba(test)
    return found
