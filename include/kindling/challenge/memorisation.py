"""How much of a synthetic row stands word for word in one real review."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

_WORDS = 5
_SHINGLE = 5
_CANDIDATES = 3


@dataclass(frozen=True)
class Copying:
    """float64 [S] each, in the order of the synthetic rows."""

    #: Share of a row's word 5-grams that stand in one real review.
    copy_rate: np.ndarray
    #: Jaccard similarity of its character 5-grams to the nearest real review's.
    nearest_jaccard: np.ndarray


def copying(synthetic: Sequence[str], real: Sequence[str]) -> Copying:
    """Both measured against the real review that is worst for the row.

    The Jaccard similarity (of character 5-grams) is exact for the candidates that it looks at: the
    review with the most 5-grams in common and the three nearest by TF-IDF cosine.
    """
    rate, most_copied = overlap(synthetic, real)
    tfidf = TfidfVectorizer(min_df=1, sublinear_tf=True)
    real_rows, rows = tfidf.fit_transform(real), tfidf.transform(synthetic)
    shingles = {}
    nearest = np.zeros(len(synthetic))
    count = min(_CANDIDATES, len(real))
    for start in range(0, len(synthetic), 256):
        similar = (rows[start : start + 256] @ real_rows.T).toarray()
        for offset, cosines in enumerate(similar):
            row = start + offset
            candidates = {
                int(most_copied[row]),
                *np.argpartition(-cosines, count - 1)[:count].tolist(),
            }
            for one in candidates - shingles.keys():
                shingles[one] = _shingles(real[one])
            own = _shingles(synthetic[row])
            nearest[row] = max(_jaccard(own, shingles[one]) for one in candidates)
    return Copying(rate, nearest)


def overlap(
    rows: Sequence[str], others: Sequence[str], same: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """[N] largest share of a row's word 5-grams found in one of `others`, and which one that is.

    With `same`, `rows` and `others` are the same texts and a row is not held against itself.
    """
    grams = CountVectorizer(analyzer=five_grams, binary=True, dtype=np.int32)
    here = grams.fit_transform(rows)
    shared = (here @ grams.transform(others).T).tocsr()
    if same:
        shared.setdiag(0)
    most = np.asarray(shared.argmax(axis=1)).ravel()
    largest = shared.max(axis=1).toarray().ravel()
    return largest / np.maximum(1, np.diff(here.indptr)), most


def five_grams(text: str) -> Iterable[str]:
    """Word 5-grams, case and punctuation aside; a shorter text is one gram as it stands."""
    words = re.findall(r"\w+", text.lower())
    return [
        " ".join(words[start : start + _WORDS])
        for start in range(max(1, len(words) - _WORDS + 1))
    ]


def _shingles(text: str) -> set[str]:
    text = " ".join(text.lower().split())
    return {
        text[start : start + _SHINGLE]
        for start in range(max(1, len(text) - _SHINGLE + 1))
    }


def _jaccard(first: set[str], second: set[str]) -> float:
    return len(first & second) / len(first | second)
