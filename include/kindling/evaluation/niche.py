"""Is the model worse on the niche, or on one of its categories, of which there are few rows?

Thirty rows of one category say little by themselves. Two things are borrowed. How much rows and
products vary is taken from the whole holdout, so that a category of two products has an error at
all; and a category's difference is drawn towards the niche's, the more so the less its categories
differ (DerSimonian and Laird 1986, as in a random-effects meta-analysis). The difference is that of
balanced accuracy: a model that calls everything positive loses little accuracy and all balance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from kindling.measure.sample import Sample
from kindling.records import SENTIMENTS

#: Rows that a model answers all alike, though so many of them are otherwise, are answered blindly.
BLIND_ROWS = 10
BLIND_OTHERS = 3


@dataclass(frozen=True)
class GroupFinding:
    """A group's balanced accuracy, candidate minus reference: borrowed strength, 95 % interval."""

    name: str
    n: int
    products: int
    difference: float
    low: float
    high: float
    #: The one sentiment that every row of the group was answered with, where others were due.
    blind: str = ""


def niche_findings(
    sample: Sample,
    categories: np.ndarray,
    niche: Sequence[str],
    candidate: np.ndarray,
    reference: np.ndarray,
) -> list[GroupFinding]:
    """The whole niche first, then its categories by name; empty where the holdout has no such row.

    `categories` [n] are the rows' own; answers are probabilities [n, 3].
    """
    inside = np.isin(categories, list(niche))
    if not inside.any():
        return []
    score = _balanced(sample.truth, candidate) - _balanced(sample.truth, reference)
    noise = _noise(score, sample.products)
    names = [name for name in sorted(niche) if (categories == name).any()]
    raw = [_mean(score, sample.products, categories == name, noise) for name in names]
    whole = _mean(score, sample.products, inside, noise)
    rows = [("all niche categories", inside, *whole)]
    for name, (mean, error) in zip(names, _drawn_together(raw), strict=True):
        rows.append((name, categories == name, mean, error))
    return [
        _finding(name, mask, mean, error, sample, candidate)
        for name, mask, mean, error in rows
    ]


def _finding(
    name: str,
    mask: np.ndarray,
    mean: float,
    error: float,
    sample: Sample,
    candidate: np.ndarray,
) -> GroupFinding:
    reach = float(norm.ppf(0.975)) * error
    return GroupFinding(
        name,
        int(mask.sum()),
        len(np.unique(sample.products[mask])),
        mean,
        mean - reach,
        mean + reach,
        _blind(sample.truth[mask], candidate[mask].argmax(1)),
    )


def _balanced(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """A row's part in balanced accuracy: its mean over rows is the mean recall of the classes."""
    counts = np.bincount(truth, minlength=len(SENTIMENTS))
    weight = len(truth) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.asarray((probabilities.argmax(1) == truth) * weight[truth])


def _noise(score: np.ndarray, products: np.ndarray) -> tuple[float, float]:
    """Variance of a row within its product, and of products, by analysis of variance."""
    _, product = np.unique(products, return_inverse=True)
    n = np.bincount(product).astype(float)
    means = np.bincount(product, weights=score) / n
    within = float(((score - means[product]) ** 2).sum() / max(len(score) - len(n), 1))
    between = float((n * (means - score.mean()) ** 2).sum() / max(len(n) - 1, 1))
    size = (n.sum() - (n**2).sum() / n.sum()) / max(len(n) - 1, 1)
    return within, max((between - within) / max(size, 1e-9), 0.0)


def _mean(
    score: np.ndarray,
    products: np.ndarray,
    mask: np.ndarray,
    noise: tuple[float, float],
) -> tuple[float, float]:
    """Mean of the masked rows and its standard error from the holdout's noise."""
    _, counts = np.unique(products[mask], return_counts=True)
    within, between = noise
    variance = within * counts.sum() + between * (counts**2).sum()
    return float(score[mask].mean()), float(variance**0.5 / counts.sum())


def _drawn_together(raw: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Each (mean, error) after shrinkage towards their common mean."""
    means = np.array([mean for mean, _ in raw])
    variances = np.maximum(np.array([error for _, error in raw]) ** 2, 1e-12)
    weights = 1 / variances
    common = (weights * means).sum() / weights.sum()
    excess = (weights * (means - common) ** 2).sum() - (len(means) - 1)
    scale = weights.sum() - (weights**2).sum() / weights.sum()
    spread = max(excess / scale, 0.0) if scale > 0 else 0.0
    weights = 1 / (variances + spread)
    common = (weights * means).sum() / weights.sum()
    trust = spread / (spread + variances)
    shrunk = common + trust * (means - common)
    error = trust * variances + (1 - trust) ** 2 / weights.sum()
    return [
        (float(mean), float(one**0.5)) for mean, one in zip(shrunk, error, strict=True)
    ]


def _blind(truth: np.ndarray, answers: np.ndarray) -> str:
    if len(truth) < BLIND_ROWS or len(np.unique(answers)) > 1:
        return ""
    missed = int((truth != answers[0]).sum())
    return SENTIMENTS[answers[0]] if missed >= BLIND_OTHERS else ""
