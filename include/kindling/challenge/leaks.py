"""What gives a synthetic row's sentiment away without being about it: tokens, and lengths."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import ks_2samp
from sklearn.feature_extraction.text import CountVectorizer

#: A leak is in this share of a sentiment's synthetic rows at least, and this many rows ...
_MIN_COVERAGE = 0.2
_MIN_ROWS = 8
#: ... of all synthetic rows that have it, this share has the sentiment ...
_MIN_PRECISION = 0.95
#: ... and real rows, of whatever sentiment has it most, have it this much more seldom.
_MIN_RATIO = 4.0
#: Kolmogorov-Smirnov distance of the lengths of one sentiment's rows from real ones, and its
#: chance at most. Half of the rows are then of a length that hardly any real row has.
_LENGTHS_APART = 0.5
_CHANCE = 1e-4
#: Marks of a text's ends, so that "well" as a first word differs from "well" elsewhere.
_START, _END = "<s>", "</s>"


@dataclass(frozen=True)
class Leak:
    """A word, or two, that alone tells the sentiment of synthetic rows and not of real ones."""

    token: str
    sentiment: int
    #: Share of the sentiment's rows that have it, and of the real rows of that which has it most.
    synthetic: float
    real: float


def label_leaks(
    synthetic: Sequence[str],
    intended: np.ndarray,
    real: Sequence[str],
    truth: np.ndarray,
) -> tuple[tuple[Leak, ...], np.ndarray]:
    """Leaks, strongest first, and bool [S]: the row has one.

    `intended` [S] and `truth` [R] are sentiments by number.
    """
    grams = CountVectorizer(
        analyzer=_marked, binary=True, min_df=min(_MIN_ROWS, len(synthetic))
    )
    try:
        ours = grams.fit_transform(synthetic)
    except ValueError:  # No token is in so many rows: none can leak.
        return (), np.zeros(len(synthetic), bool)
    theirs = grams.transform(real)
    names = grams.get_feature_names_out()
    having = np.asarray(ours.sum(axis=0)).ravel()
    leaks: list[Leak] = []
    # What tells another sentiment among real rows is a word of that one: a false label, no leak.
    usual = np.max(
        [_coverage(theirs, truth == one) for one in np.unique(truth)], axis=0
    )
    guilty = np.zeros(len(names), bool)
    for sentiment in np.unique(intended):
        inside = np.asarray(ours[intended == sentiment].sum(axis=0)).ravel()
        covered = inside / (intended == sentiment).sum()
        found = (
            (covered >= _MIN_COVERAGE)
            & (inside >= _MIN_ROWS)
            & (inside >= _MIN_PRECISION * having)
            & (covered >= _MIN_RATIO * usual)
        )
        if (intended == sentiment).all():
            continue
        guilty |= found
        leaks += [
            Leak(names[one], int(sentiment), float(covered[one]), float(usual[one]))
            for one in np.flatnonzero(found)
        ]
    leaks.sort(key=lambda leak: (-leak.synthetic, leak.token))
    return tuple(leaks), np.asarray(ours @ guilty.astype(float)).ravel() > 0


def _coverage(rows: csr_array, mask: np.ndarray) -> np.ndarray:
    """Share of the rows under the mask that have each token."""
    return np.asarray(rows[mask].sum(axis=0)).ravel() / max(1, int(mask.sum()))


def length_leaks(
    synthetic: Sequence[str],
    intended: np.ndarray,
    real: Sequence[str],
    truth: np.ndarray,
) -> tuple[dict[int, float], np.ndarray]:
    """Distance of each sentiment's lengths from real ones, and bool [S]: rows of those far off."""
    ours = np.array([len(text.split()) for text in synthetic])
    theirs = np.array([len(text.split()) for text in real])
    distances: dict[int, float] = {}
    refused = np.zeros(len(synthetic), bool)
    for sentiment in np.unique(intended):
        here, there = ours[intended == sentiment], theirs[truth == sentiment]
        if not len(there):
            continue
        found = ks_2samp(here, there)
        distances[int(sentiment)] = round(float(found.statistic), 3)
        if found.statistic >= _LENGTHS_APART and found.pvalue < _CHANCE:
            refused |= intended == sentiment
    return distances, refused


def _marked(text: str) -> list[str]:
    words = [_START, *text.lower().split(), _END]
    pairs = [f"{a} {b}" for a, b in zip(words[:-1], words[1:], strict=True)]
    return [*words[1:-1], *pairs]
