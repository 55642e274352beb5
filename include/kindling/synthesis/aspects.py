"""What sentences speak of: aspects induced by clustering the sentences themselves."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from kindling.synthesis.sentences import Fragment

_MOST_ASPECTS = 12
#: Sentences an aspect should have on average, so that a small corpus gets few.
_SENTENCES_EACH = 40
_DIMENSIONS = 32
_MOST_TERMS = 5_000


@dataclass(frozen=True)
class Aspects:
    """An aspect for every sentence, int [N], and each aspect's name: the three words that set it apart."""

    of: np.ndarray
    names: tuple[str, ...]


def induce(fragments: Sequence[Fragment], seed: int) -> Aspects:
    """Cluster sentences in the space of latent semantic analysis (Deerwester et al. 1990) by k-means."""
    contents = [_content(fragment.words) for fragment in fragments]
    terms = _terms(contents)
    count = min(_MOST_ASPECTS, len(fragments) // _SENTENCES_EACH, len(terms) // 3)
    if count < 2:
        return Aspects(np.zeros(len(fragments), dtype=int), ("all",))
    x = TfidfVectorizer(
        analyzer=lambda words: words,
        vocabulary=terms,
        sublinear_tf=True,
        dtype=np.float32,
    ).fit_transform(contents)
    # One thread: sums in another order would give other clusters on another machine.
    with threadpool_limits(1):
        latent = TruncatedSVD(
            min(_DIMENSIONS, len(terms) - 1), n_iter=3, random_state=seed
        ).fit_transform(x)
        clusters = MiniBatchKMeans(
            count, random_state=seed, n_init=3, batch_size=4096
        ).fit(normalize(latent))
    overall = np.asarray(x.mean(axis=0)).ravel()
    names = []
    for cluster in range(count):
        mine = clusters.labels_ == cluster
        above = (
            np.asarray(x[mine].mean(axis=0)).ravel() - overall
            if mine.any()
            else overall
        )
        names.append(
            " ".join(terms[index] for index in np.argsort(-above, kind="stable")[:3])
        )
    return Aspects(clusters.labels_.astype(int), tuple(names))


def _terms(contents: Sequence[Sequence[str]]) -> list[str]:
    """Words of three sentences at least, and of a tenth of them at most."""
    counts = Counter(word for words in contents for word in set(words))
    eligible = [
        word
        for word, count in counts.items()
        if 3 <= count <= max(3, len(contents) / 10)
    ]
    return sorted(
        sorted(eligible, key=lambda word: (-counts[word], word))[:_MOST_TERMS]
    )


def _content(words: Sequence[str]) -> list[str]:
    return [
        word
        for word in words
        if len(word) > 2 and "'" not in word and word not in ENGLISH_STOP_WORDS
    ]
