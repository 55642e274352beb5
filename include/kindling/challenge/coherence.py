"""Whether a row's words stand in an order that people write: word salad is told by its pairs."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

#: Quantile of real rows that a row may not fall below ...
_ROW = 0.005
#: ... or, in a batch of which a share of `_GUILTY` is below the quantile `_LOW`, their median.
_LOW, _GUILTY = 0.05, 0.25
#: Pairs of a row below which its share says nothing.
_MIN_PAIRS = 8


def known_pairs(
    synthetic: Sequence[str], real: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Share of each row's word pairs that a real review has too: float [S], float [R].

    Of pairs whose words are known, so that new names cost nothing. A real review is held
    against the others, not against itself. NaN where a row has too few pairs.
    """
    pairs = CountVectorizer(
        ngram_range=(2, 2), binary=True, token_pattern=r"(?u)\b\w+\b"
    )
    words = CountVectorizer(binary=True, token_pattern=r"(?u)\b\w+\b")
    words.fit(real)
    pairs.fit([*real, *synthetic])
    names = pairs.get_feature_names_out()
    familiar = np.array(
        [all(word in words.vocabulary_ for word in name.split()) for name in names]
    )
    here, there = pairs.transform(real), pairs.transform(synthetic)
    times = np.asarray(here.sum(axis=0)).ravel()
    return (
        _share(there, familiar, times >= 1),
        _share(here, familiar, times >= 2),
    )


def word_salad(synthetic: Sequence[str], real: Sequence[str]) -> np.ndarray:
    """bool [S]: fewer of the row's pairs are known than of nearly all real rows'.

    Where many rows of the batch have few known pairs, the generator is known for it, and a row
    has to have as many as half of the real ones.
    """
    ours, theirs = known_pairs(synthetic, real)
    theirs = theirs[np.isfinite(theirs)]
    if not len(theirs):
        return np.zeros(len(synthetic), bool)
    ours = np.nan_to_num(ours, nan=1.0)
    guilty = (ours < np.quantile(theirs, _LOW)).mean() > _GUILTY
    bound = np.quantile(theirs, 0.5 if guilty else _ROW)
    return np.asarray(ours < bound)


def _share(rows: np.ndarray, familiar: np.ndarray, known: np.ndarray) -> np.ndarray:
    counted = np.asarray(rows @ familiar.astype(float)).ravel()
    found = np.asarray(rows @ (familiar & known).astype(float)).ravel()
    return np.where(counted >= _MIN_PAIRS, found / np.maximum(counted, 1), np.nan)
