"""A figure over several draws, whose interval knows of both: which products, and which draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from kindling.coldstart.heads import Array
from kindling.measure.intervals import LEVEL, MIN_IN_EFFECT, POWER, Scale, jackknife
from kindling.measure.metrics import Metric
from kindling.measure.sample import Sample
from kindling.records import Estimate


@dataclass(frozen=True)
class Answered:
    """What one draw answered on its judged rows; `theirs` where a difference is asked."""

    #: Places in the sample.
    rows: NDArray[np.int64]
    ours: Array
    theirs: Array | None = None


def over_draws(metric: Metric, sample: Sample, draws: Sequence[Answered]) -> Estimate:
    """Mean of the figure over draws (ours minus theirs, paired, where both are given).

    The variance is that of leaving each product out of every draw at once (the jackknife of
    `measure.intervals`), and that of the mean over draws, added: the first holds the draws still,
    the second the products. Degrees of freedom after Welch and Satterthwaite.
    """
    names, product = np.unique(sample.products, return_inverse=True)
    values, without, seen = [], [], np.zeros(len(sample), bool)
    for draw in draws:
        ours, ours_without = _values(
            metric, sample, product, len(names), draw.rows, draw.ours
        )
        if draw.theirs is not None:
            theirs, theirs_without = _values(
                metric, sample, product, len(names), draw.rows, draw.theirs
            )
            ours, ours_without = ours - theirs, ours_without - theirs_without
        values.append(ours)
        without.append(ours_without)
        seen[draw.rows] = True
    counted = seen & metric.counts(sample.truth)
    rows = np.bincount(product[counted], minlength=len(names))
    classes = np.bincount(sample.truth[counted], minlength=1)
    rarest = np.array(classes[classes > 0].min() if classes.any() else 0)
    value = np.asarray(np.mean(values))
    found = jackknife(
        value, np.mean(without, axis=0), rows, Scale("difference"), rarest=rarest
    )
    paired = draws[0].theirs is not None
    return _estimate(
        (float(value), np.array(values)),
        (float(found.error), float(found.degrees), float(found.in_effect)),
        sample.where(counted),
        paired,
    )


def _values(
    metric: Metric,
    sample: Sample,
    product: NDArray[np.int64],
    products: int,
    rows: NDArray[np.int64],
    probabilities: Array,
) -> tuple[float, Array]:
    """The figure of one draw, and [G] without each product."""
    truth = sample.truth[rows]
    counts = metric.counts(truth)
    statistics = metric.statistics(truth[counts], probabilities[counts])
    sums = np.zeros((products, statistics.shape[1]))
    np.add.at(sums, product[rows][counts], statistics)
    total = sums.sum(0)
    value = float(metric.value(total))
    without = np.asarray(metric.value(total - sums))
    # Without its only rows a draw says what it said with them.
    return value, np.where(np.isfinite(without), without, value)


def _estimate(
    values: tuple[float, Array],
    products: tuple[float, float, float],
    sample: Sample,
    paired: bool,
) -> Estimate:
    value, each = values
    error, degrees, effective = products
    spread = float(each.var(ddof=1) / len(each)) if len(each) > 1 else 0.0
    both = error**2 + spread
    refused = ""
    if effective < MIN_IN_EFFECT:
        count = len(np.unique(sample.products))
        refused = f"too few products ({count}, in effect {effective:.1f})"
    bottom = -1.0 if paired else 0.0
    if refused or both == 0:
        low, high = (bottom, 1.0) if refused else (value, value)
        detectable = None
    else:
        shares = error**4 / degrees + spread**2 / max(1, len(each) - 1)
        freedom = both**2 / shares
        far = float(t.ppf((1 + LEVEL) / 2, freedom))
        size = both**0.5
        low, high = max(bottom, value - far * size), min(1.0, value + far * size)
        detectable = (far + float(t.ppf(POWER, freedom))) * size
    count = len(np.unique(sample.products))
    return Estimate(
        value,
        len(sample),
        low,
        high,
        sample.sha256,
        count,
        effective,
        detectable,
        refused,
    )
