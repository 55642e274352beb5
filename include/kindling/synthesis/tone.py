"""Whether a sentence praises or complains: smoothed log-odds of words and word pairs, learned from the stars."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer

from kindling.measure.copying import words_of
from kindling.records import Review, sentiment_of
from kindling.synthesis.sentences import Fragment

#: Reviews that every word is credited with beforehand, shared out by class size: Laplace smoothing whose
#: pseudo-counts agree with "as frequent in both".
_PRIOR = 5.0
#: Squared z-score at which a word's log-odds count for half.
_HALF_TRUSTED = 0.3


@dataclass(frozen=True)
class ToneModel:
    """Counts of reviews by feature and class, from which each sentence is judged without its own review."""

    vectorizer: CountVectorizer
    #: Reviews that hold a feature, float [2, V]: negative, positive.
    counts: np.ndarray
    #: Reviews a class, float [2].
    reviews: np.ndarray

    @classmethod
    def fit(cls, reviews: Sequence[Review]) -> "ToneModel":
        """Learn from the positive and negative reviews; three-star ones take no side."""
        vectorizer = CountVectorizer(
            analyzer=_features,
            binary=True,
            min_df=2 if len(reviews) > 200 else 1,
            dtype=np.float64,
        )
        x = vectorizer.fit_transform([words_of(review.text) for review in reviews])
        sides = np.array([sentiment_of(review.rating) for review in reviews])
        classes = [sides == "negative", sides == "positive"]
        return cls(
            vectorizer,
            np.vstack([np.asarray(x[rows].sum(axis=0)) for rows in classes]),
            np.array([rows.sum() for rows in classes], dtype=float),
        )

    def score(self, fragments: Sequence[Fragment]) -> np.ndarray:
        """log P(words | positive) - log P(words | negative), float [N]; the sentence's own review is left out.

        Word pairs overlap their words, so the sum is divided by two.
        """
        x: csr_matrix = self.vectorizer.transform(
            [fragment.words for fragment in fragments]
        )
        sides = np.array([np.sign(fragment.rating - 3) for fragment in fragments])
        scores = np.zeros(len(fragments))
        for side in (-1, 0, 1):
            own = np.array([side < 0, side > 0], dtype=float)
            rows = sides == side
            scores[rows] = x[rows] @ self._log_odds(own)
        return scores / 2

    def _log_odds(self, left_out: np.ndarray) -> np.ndarray:
        counts = np.maximum(self.counts - left_out[:, None], 0)
        reviews = np.maximum(self.reviews - left_out, 1)
        smoothed = counts + _PRIOR * reviews[:, None] / reviews.sum()
        ratio = np.log(smoothed[1] / reviews[1]) - np.log(smoothed[0] / reviews[0])
        # Shrunk by its z-score (the standard error as in Monroe, Colaresi and Quinn 2008), so that
        # rare words say next to nothing, however unequal the classes.
        z_squared = ratio**2 / (1 / smoothed).sum(axis=0)
        return np.asarray(ratio * z_squared / (_HALF_TRUSTED + z_squared))


def _features(words: Sequence[str]) -> list[str]:
    return [*words, *(f"{a} {b}" for a, b in pairwise(words))]
