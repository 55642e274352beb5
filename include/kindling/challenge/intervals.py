"""95 % intervals behind every figure of the challenge."""

import hashlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.stats import binomtest

from kindling.records import Estimate


def bootstrap(
    figure: Callable[[np.ndarray], float],
    strata: Sequence[np.ndarray],
    replicates: int,
    data_sha256: str,
    seed: int,
) -> Estimate:
    """The figure of all row numbers, and its percentile interval over draws within each stratum."""
    rng = np.random.default_rng(seed)
    drawn = [
        figure(
            np.concatenate(
                [
                    stratum[rng.integers(len(stratum), size=len(stratum))]
                    for stratum in strata
                ]
            )
        )
        for _ in range(replicates)
    ]
    rows = np.concatenate(strata)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(
        float(figure(rows)), len(rows), float(low), float(high), data_sha256
    )


def share(hits: np.ndarray, data_sha256: str) -> Estimate:
    """Share of True in bool [N], with Wilson's interval."""
    found = int(hits.sum())
    interval = binomtest(found, len(hits)).proportion_ci(method="wilson")
    return Estimate(
        found / len(hits),
        len(hits),
        float(interval.low),
        float(interval.high),
        data_sha256,
    )


def data_hash(rows: Iterable[tuple[str, str]]) -> str:
    """SHA-256 of (id, text) pairs, whatever their order."""
    digest = hashlib.sha256()
    for key, text in sorted(rows):
        digest.update(f"{key}\0{text}\0".encode())
    return digest.hexdigest()
