"""A language model is asked about the rows in doubt, and believed as far as a sample shows it right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from kindling.labelling.asking import Voter
from kindling.labelling.model import calibrated, calibrator_of
from kindling.records import SENTIMENTS

#: Fewer answers on rows with stars say too little of how far the model is to be believed.
SAMPLE_AT_LEAST = 50


@dataclass(frozen=True)
class Opinion:
    """What the model said of some of the rows."""

    #: Positions of the rows that were asked about, int64 [m].
    at: np.ndarray
    #: Their calibrated votes, float64 [m, 3].
    votes: np.ndarray

    def beside(self, prior: np.ndarray, rows: int) -> np.ndarray:
        """float64 [rows, 3] for pooling: a row that was not asked about has the prior, which says nothing."""
        full = np.tile(prior, (rows, 1))
        full[self.at] = self.votes
        return full


@dataclass(frozen=True)
class Trusted:
    """A voter's answers on a random sample of rows with stars, and what they are worth."""

    calibrator: LogisticRegression
    #: Positions in the rows, int64 [m], and the answers as given, float64 [m, 3].
    at: np.ndarray
    raw: np.ndarray


def trusted(
    voter: Voter, texts: Sequence[str], stated: np.ndarray, count: int, seed: int
) -> Trusted | None:
    """Ask about `count` rows drawn at random; None where the answers are too few to go by.

    `stated` are the codes [N] of what the stars say. The answers are calibrated against them
    (Dirichlet calibration, as the other model's), so that a model that cannot read the texts ends
    at the prior and moves no label.
    """
    order = np.random.default_rng(seed).permutation(len(texts))[:count]
    raw = voter.affordable([texts[one] for one in order], seed)
    at = order[: len(raw)]
    if len(at) < SAMPLE_AT_LEAST or len(np.unique(stated[at])) < 2:
        return None
    return Trusted(calibrator_of(raw, stated[at]), at, raw)


def doubtful(
    confidence: np.ndarray, accept: float, known: np.ndarray, count: int
) -> np.ndarray:
    """Positions of at most `count` rows below `accept` that were not asked about, the surest first.

    The surest of them are those that one more vote can decide.
    """
    open_rows = np.setdiff1d(np.flatnonzero(confidence < accept), known)
    return open_rows[np.argsort(-confidence[open_rows], kind="stable")][:count]


def opinion(
    voter: Voter,
    texts: Sequence[str],
    at: np.ndarray,
    calibrator: LogisticRegression,
    seed: int,
) -> Opinion:
    """Calibrated votes on the rows at `at`, as many as the budget covers."""
    raw = voter.affordable([texts[one] for one in at], seed)
    if not len(raw):
        return Opinion(np.zeros(0, np.int64), np.zeros((0, len(SENTIMENTS))))
    return Opinion(at[: len(raw)], calibrated(calibrator, raw))
