"""Two rankings of the same reviews become one."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import fsum

#: Rank constant of Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and
#: individual Rank Learning Methods", SIGIR 2009.
RRF_K = 60


def reciprocal_rank(
    rankings: Sequence[Sequence[str]], k: int = RRF_K
) -> list[tuple[str, Fraction]]:
    """Ids with the sum of 1 / (k + rank) over the rankings that hold them, best first.

    Needs no scores and no labels. Sums are exact, so that a tie is a tie whatever the order of the
    rankings; ties go by id. ValueError when a ranking names an id twice.
    """
    totals: dict[str, Fraction] = {}
    for ranking in rankings:
        if len(set(ranking)) != len(ranking):
            raise ValueError("a ranking names an id twice")
        for rank, item in enumerate(ranking, start=1):
            totals[item] = totals.get(item, Fraction(0)) + Fraction(1, k + rank)
    return sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))


def convex(
    legs: Sequence[Mapping[str, float]], weights: Sequence[float]
) -> list[tuple[str, float]]:
    """Ids with the weighted sum of their min-max scaled scores, best first, ties by id.

    A leg that does not hold an id gives it 0, what its own last one gets. Weights are not negative
    and sum to 1. After Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid
    Retrieval", TOIS 2023: one weight, little data to choose it, and less lost than by rank alone.
    """
    if len(legs) != len(weights) or min(weights) < 0 or abs(fsum(weights) - 1) > 1e-9:
        raise ValueError(
            f"{len(legs)} legs need as many weights, from 0 and summing to 1, got {list(weights)}"
        )
    scaled = [_min_max(leg) for leg in legs]
    items = {item for leg in legs for item in leg}
    totals = {
        item: fsum(
            weight * leg.get(item, 0.0)
            for leg, weight in zip(scaled, weights, strict=True)
        )
        for item in items
    }
    return sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))


def _min_max(scores: Mapping[str, float]) -> dict[str, float]:
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    # All alike: none is worse than the best.
    return {
        item: (score - low) / (high - low) if high > low else 1.0
        for item, score in scores.items()
    }
