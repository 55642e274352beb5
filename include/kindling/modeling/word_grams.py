"""A fitted bag of word n-grams as plain numbers: an answer needs a dictionary and a product, not scikit-learn.

A server that imported it for this alone would start 0.8 s later and hold 127 MB more.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

#: Words of two characters and more, as scikit-learn's vectorizer takes them by default.
_WORD = re.compile(r"\b\w\w+\b")


class WordGrams:
    """Words and pairs of words, sublinear counts, rows of length 1: what `word_features` fits."""

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        idf: Numbers,
        coefficients: Numbers,
        intercepts: Numbers,
    ) -> None:
        self.vocabulary = vocabulary
        #: [terms], [classes, terms] and [classes].
        self.idf, self.coefficients, self.intercepts = idf, coefficients, intercepts
        # A term's numbers lie side by side: a text asks for few terms.
        self._by_term = np.ascontiguousarray(coefficients.T)

    def logits(self, texts: Sequence[str]) -> Numbers:
        """float64 [n, classes]."""
        found = np.empty((len(texts), len(self.intercepts)))
        for row, text in enumerate(texts):
            found[row] = self._logits(text)
        return found

    def _logits(self, text: str) -> Numbers:
        counts = Counter(self._terms(text))
        terms = np.fromiter(counts, np.int64, len(counts))
        weights = np.fromiter(
            (1.0 + math.log(count) for count in counts.values()), float, len(counts)
        )
        weights *= self.idf[terms]
        length = math.sqrt(float(weights @ weights)) or 1.0
        found: Numbers = weights @ self._by_term[terms] / length + self.intercepts
        return found

    def _terms(self, text: str) -> list[int]:
        words = _WORD.findall(_plain(text.lower()))
        pairs = map(" ".join, zip(words, words[1:], strict=False))
        known = self.vocabulary
        return [known[one] for one in (*words, *pairs) if one in known]


def _plain(text: str) -> str:
    """Without accents."""
    if text.isascii():
        return text
    return "".join(
        one
        for one in unicodedata.normalize("NFKD", text)
        if not unicodedata.combining(one)
    )
