"""How much of a synthetic row stands word for word in one real review."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from kindling.measure.copying import overlap

_SHINGLE = 5
_CANDIDATES = 3
_BLOCK = 256


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
    shingles: dict[int, set[str]] = {}
    nearest = np.zeros(len(synthetic))
    count = min(_CANDIDATES, len(real))
    for start in range(0, len(synthetic), _BLOCK):
        similar = (rows[start : start + _BLOCK] @ real_rows.T).toarray()
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


def nearest_before(texts: Sequence[str]) -> np.ndarray:
    """float64 [N]: Jaccard similarity of each text to the nearest of those before it.

    Exact for the three before it that are nearest by TF-IDF cosine; 0 for the first.
    """
    rows = TfidfVectorizer(min_df=1, sublinear_tf=True, token_pattern=r"\S+")
    features = rows.fit_transform(texts)
    shingles = [_shingles(text) for text in texts]
    nearest = np.zeros(len(texts))
    for start in range(0, len(texts), _BLOCK):
        similar = (features[start : start + _BLOCK] @ features.T).toarray()
        for row in range(max(1, start), min(len(texts), start + _BLOCK)):
            cosines = similar[row - start, :row]
            count = min(_CANDIDATES, row)
            near = np.argpartition(-cosines, count - 1)[:count].tolist()
            nearest[row] = max(_jaccard(shingles[row], shingles[one]) for one in near)
    return nearest


def _shingles(text: str) -> set[str]:
    text = " ".join(text.lower().split())
    return {
        text[start : start + _SHINGLE]
        for start in range(max(1, len(text) - _SHINGLE + 1))
    }


def _jaccard(first: set[str], second: set[str]) -> float:
    return len(first & second) / len(first | second)
