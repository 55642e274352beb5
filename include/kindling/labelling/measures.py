"""How good the model's vote is; intervals draw whole products, whose reviews are not independent."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from kindling.records import SENTIMENTS, Estimate

_REPLICATES = 500
_BINS = 15


def macro_f1(
    truth: np.ndarray,
    votes: np.ndarray,
    groups: Sequence[str],
    data_sha256: str,
    seed: int,
) -> Estimate:
    """Three-way macro-F1 of the likeliest sentiment, over the sentiments that occur."""
    present = np.unique(truth)
    predicted = votes.argmax(axis=1)

    def figure(rows: np.ndarray) -> float:
        confusion = np.bincount(
            truth[rows] * len(SENTIMENTS) + predicted[rows],
            minlength=len(SENTIMENTS) ** 2,
        ).reshape(len(SENTIMENTS), len(SENTIMENTS))
        support = confusion.sum(axis=0) + confusion.sum(axis=1)
        return float((2 * np.diag(confusion) / np.maximum(support, 1))[present].mean())

    return _estimate(figure, groups, data_sha256, seed)


def agreement(
    truth: np.ndarray,
    votes: np.ndarray,
    groups: Sequence[str],
    data_sha256: str,
    seed: int,
) -> Estimate:
    """Share of rows whose likeliest sentiment is the stars' own."""
    right = votes.argmax(axis=1) == truth
    return _estimate(lambda rows: float(right[rows].mean()), groups, data_sha256, seed)


def calibration_error(
    truth: np.ndarray,
    votes: np.ndarray,
    groups: Sequence[str],
    data_sha256: str,
    seed: int,
) -> Estimate:
    """Expected calibration error of the likeliest sentiment, in bins of equal mass (Guo et al. 2017)."""
    confidence, right = votes.max(axis=1), votes.argmax(axis=1) == truth

    def figure(rows: np.ndarray) -> float:
        bins = np.array_split(rows[np.argsort(confidence[rows], kind="stable")], _BINS)
        gaps = [
            abs(confidence[one].mean() - right[one].mean()) * len(one)
            for one in bins
            if len(one)
        ]
        return float(sum(gaps) / len(rows))

    return _estimate(figure, groups, data_sha256, seed)


def data_hash(rows: Sequence[tuple[str, str]]) -> str:
    """SHA-256 of (id, text) pairs, whatever their order."""
    digest = hashlib.sha256()
    for key, text in sorted(rows):
        digest.update(f"{key}\0{text}\0".encode())
    return digest.hexdigest()


def _estimate(
    figure: Callable[[np.ndarray], float],
    groups: Sequence[str],
    data_sha256: str,
    seed: int,
) -> Estimate:
    """The figure on all rows, and its percentile interval when whole groups are drawn with replacement."""
    _, inverse = np.unique(np.asarray(groups), return_inverse=True)
    members = np.split(
        np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1]
    )
    rng = np.random.default_rng(seed)
    drawn = [
        figure(
            np.concatenate(
                [
                    members[group]
                    for group in rng.integers(len(members), size=len(members))
                ]
            )
        )
        for _ in range(_REPLICATES)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(
        figure(np.arange(len(inverse))),
        len(inverse),
        float(low),
        float(high),
        data_sha256,
    )
