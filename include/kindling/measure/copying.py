"""How much of a text stands word for word in another: shares of word 5-grams."""

import re
from collections.abc import Sequence
from sys import intern

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

GRAM = 5
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words_of(text: str) -> tuple[str, ...]:
    """Lower-cased words; an apostrophe inside a word belongs to it."""
    # One string a word, not one a place where it stands: a category has few words and many places.
    return tuple(intern(word.replace("’", "'")) for word in WORD.findall(text.lower()))


def five_grams(text: str) -> set[str]:
    """Distinct word 5-grams, case and punctuation aside; of a shorter text, itself."""
    words = words_of(text)
    starts = range(max(1, len(words) - GRAM + 1))
    return (
        {" ".join(words[start : start + GRAM]) for start in starts} if words else set()
    )


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
