"""A classifier that tries to tell synthetic rows from real ones, and what its success means.

The classifier two-sample test of Lopez-Paz and Oquab (2017), "Revisiting classifier two-sample tests":
were both sides drawn alike, no classifier could do better than chance on rows that it has not seen.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_array, hstack
from scipy.stats import fisher_exact, rankdata
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression

from kindling.challenge import style
from kindling.challenge.comparison import Comparison, Folds
from kindling.measure.data_hash import data_hash
from kindling.measure.estimates import resampled
from kindling.records import Estimate

Verdict = Literal["invalid discriminator", "told apart", "not told apart"]


@dataclass(frozen=True)
class Features:
    """Style measures and TF-IDF of word and character n-grams; the vocabulary knows no side."""

    #: float [N, F]
    matrix: csr_array
    #: (family, name): a style family and its measure, or "words" / "characters" and the n-gram.
    names: list[tuple[str, str]]


@dataclass(frozen=True)
class Scores:
    """Out-of-fold P(synthetic) [N], and the folds' mean coefficients [F]."""

    synthetic: np.ndarray
    coefficients: np.ndarray


@dataclass(frozen=True)
class Separability:
    verdict: Verdict
    auc: Estimate
    balanced_accuracy: Estimate
    #: Chance of as good a balanced accuracy if the sides were named at random; 1e-300 stands for less.
    p_value: float
    recall_real: float
    recall_synthetic: float


def featurise(texts: tuple[str, ...], max_terms: int = 30_000) -> Features:
    """At most `max_terms` n-grams of words and as many of characters, each in two texts or more."""
    return Counted.of(texts).features(np.arange(len(texts)), max_terms)


@dataclass(frozen=True)
class Counted:
    """n-grams of many texts, counted once: any of their subsets has its features in no time."""

    #: float [N, M], as measured: they are standardised by subset.
    style: np.ndarray
    #: (family, counts [N, terms], terms).
    grams: tuple[tuple[str, csr_array, np.ndarray], ...]

    @classmethod
    def of(cls, texts: tuple[str, ...]) -> "Counted":
        """Of all n-grams, however rare: which are kept is decided by subset."""
        counters = {
            "words": CountVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b"),
            "characters": CountVectorizer(
                analyzer="char", ngram_range=(3, 5), lowercase=False
            ),
        }
        counted = []
        for family, counter in counters.items():
            found = csr_array(counter.fit_transform(texts))
            counted.append((family, found, counter.get_feature_names_out()))
        return cls(style.raw(texts), tuple(counted))

    def features(self, rows: np.ndarray, max_terms: int = 30_000) -> Features:
        """Of the rows [n]: the terms that two of them have, the most frequent `max_terms`."""
        parts = [csr_array(style.standardised(self.style[rows]))]
        names = [*style.names()]
        for family, counts, terms in self.grams:
            here = counts[rows]
            kept = _most_frequent(here, max_terms)
            weights = TfidfTransformer(sublinear_tf=True)
            parts.append(csr_array(weights.fit_transform(here[:, kept])))
            names += [(family, str(terms[at])) for at in kept]
        return Features(hstack(parts, format="csr"), names)


def _most_frequent(counts: csr_array, at_most: int) -> np.ndarray:
    """Terms in two rows or more, those that occur most; in their order."""
    terms = counts.shape[1]
    rows_with = np.bincount(counts.indices, minlength=terms)
    times = np.bincount(counts.indices, weights=counts.data, minlength=terms)
    kept = np.flatnonzero(rows_with >= 2)
    most = kept[np.argsort(-times[kept], kind="stable")[:at_most]]
    return np.sort(most)


def score(
    features: Features, comparison: Comparison, folds: Folds, seed: int
) -> Scores:
    """Every row scored by a model that saw neither it nor what it shares text with."""
    scores = np.zeros(len(comparison.texts))
    coefficients = np.zeros(features.matrix.shape[1])
    for train, test in folds.splits:
        # Balanced weights make 0.5 the even odds, however many real rows each synthetic one is held against.
        model = LogisticRegression(
            C=1.0, class_weight="balanced", solver="liblinear", random_state=seed
        )
        model.fit(features.matrix[train], comparison.synthetic[train])
        scores[test] = model.predict_proba(features.matrix[test])[:, 1]
        coefficients += model.coef_[0] / len(folds.splits)
    return Scores(scores, coefficients)


def judge(
    scores: np.ndarray, comparison: Comparison, replicates: int, seed: int
) -> Separability:
    """What the out-of-fold scores say, with 95 % intervals over rows drawn within each side.

    A discriminator that gives one answer to every row of a side it should find (recall 0) is invalid: its
    accuracy says nothing of the rows. The p-value is Fisher's exact test, which is the permutation
    test of balanced accuracy with the predictions held fixed.
    """
    synthetic, said = comparison.synthetic, scores > 0.5
    hits = np.array(
        [
            [np.sum(said & synthetic), np.sum(~said & synthetic)],
            [np.sum(said & ~synthetic), np.sum(~said & ~synthetic)],
        ]
    )
    recall_synthetic = float(hits[0, 0] / hits[0].sum())
    recall_real = float(hits[1, 1] / hits[1].sum())
    p_value = max(1e-300, float(fisher_exact(hits, alternative="greater").pvalue))
    data = data_hash(zip(comparison.review_ids, comparison.texts, strict=True))
    sides = [scores[~synthetic], scores[synthetic]]
    auc = resampled(_auc, sides, replicates, data, seed)
    accuracy = resampled(_balanced_accuracy, sides, replicates, data, seed)
    verdict: Verdict = (
        "told apart" if auc.low > 0.5 and p_value < 0.05 else "not told apart"
    )
    if min(recall_real, recall_synthetic) == 0:
        verdict = "invalid discriminator"
    return Separability(verdict, auc, accuracy, p_value, recall_real, recall_synthetic)


def _auc(real: np.ndarray, synthetic: np.ndarray) -> float:
    """P(a synthetic row scores above a real one), ties counted half: Mann and Whitney 1947."""
    ranks = rankdata(np.concatenate([real, synthetic]))[len(real) :]
    above = ranks.sum() - len(synthetic) * (len(synthetic) + 1) / 2
    return float(above / (len(real) * len(synthetic)))


def _balanced_accuracy(real: np.ndarray, synthetic: np.ndarray) -> float:
    return float(((synthetic > 0.5).mean() + (real <= 0.5).mean()) / 2)
