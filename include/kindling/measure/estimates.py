"""From answers to figures that may be printed: estimates and paired differences over products."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import binomtest, bootstrap

from kindling.errors import DataError
from kindling.measure.intervals import (
    LEVEL,
    MIN_IN_EFFECT,
    Interval,
    Scale,
    jackknife,
)
from kindling.measure.metrics import Metric
from kindling.measure.sample import Sample
from kindling.records import Estimate


def estimate(metric: Metric, sample: Sample, probabilities: np.ndarray) -> Estimate:
    """The figure with its interval. DataError when none of the rows counts for it."""
    counted = _counted(metric, sample)
    sums = _sums(metric, counted, probabilities[metric.counts(sample.truth)])
    value, without = _with_and_without(metric, sums)
    rarest = _rarest(metric, sums)
    interval = jackknife(value, without, counted.rows, metric.scale, rarest=rarest)
    return _printable(value, interval, counted, rarest, metric.shown)


def difference(
    metric: Metric,
    sample: Sample,
    ours: np.ndarray,
    theirs: np.ndarray | Sequence[np.ndarray],
    level: float = LEVEL,
) -> Estimate:
    """Ours minus theirs on the same rows, each product left out of both at once.

    Of several `theirs` (each [n, 3]) the mean figure is subtracted. `level` other than .95 is for
    decisions over many comparisons, not for print.
    """
    counted = _counted(metric, sample)
    rows = metric.counts(sample.truth)
    sums = _sums(metric, counted, ours[rows])
    rarest = _rarest(metric, sums)
    value, without = _with_and_without(metric, sums)
    others = [theirs] if isinstance(theirs, np.ndarray) else list(theirs)
    for other in others:
        sums = _sums(metric, counted, other[rows])
        their_value, their_without = _with_and_without(metric, sums)
        value = value - their_value / len(others)
        without = without - their_without / len(others)
    # Equal answers differ by nothing, not by the rounding of a mean.
    if all(np.array_equal(ours, other) for other in others):
        value, without = np.zeros_like(value), np.zeros_like(without)
    apart = Scale("difference", metric.scale.top)
    interval = jackknife(value, without, counted.rows, apart, level, rarest)
    return _printable(value, interval, counted, rarest)


def negated(found: Estimate) -> Estimate:
    """The same difference read the other way round."""
    return Estimate(
        -found.value,
        found.n,
        -found.high,
        -found.low,
        found.data_sha256,
        found.products,
        found.in_effect,
        found.detectable,
        found.refused,
    )


def share(hits: np.ndarray, data_sha256: str) -> Estimate:
    """Share of True in bool [N] rows taken to be independent, with Wilson's interval (1927)."""
    found = int(hits.sum())
    interval = binomtest(found, len(hits)).proportion_ci(method="wilson")
    return Estimate(
        found / len(hits),
        len(hits),
        float(interval.low),
        float(interval.high),
        data_sha256,
    )


def resampled(
    figure: Callable[..., float],
    strata: Sequence[np.ndarray],
    resamples: int,
    data_sha256: str,
    seed: int,
) -> Estimate:
    """`figure(*strata)` and its percentile interval over independent draws within each stratum.

    For figures that are no sums over rows, such as an AUC. Rows [N] are numbers or row numbers.
    """
    value = float(figure(*strata))
    drawn = bootstrap(
        tuple(strata),
        figure,
        n_resamples=resamples,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    rows = sum(len(stratum) for stratum in strata)
    return Estimate(value, rows, float(drawn.low), float(drawn.high), data_sha256)


class _Counted:
    """The rows that count for a metric, by product."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        _, self.product = np.unique(sample.products, return_inverse=True)
        #: Rows of each product, int64 [G].
        self.rows = np.bincount(self.product)

    def by_product(self, statistics: np.ndarray) -> np.ndarray:
        """[n, k] -> their sums [G, k]."""
        sums = np.zeros((len(self.rows), statistics.shape[1]))
        np.add.at(sums, self.product, statistics)
        return sums


def _counted(metric: Metric, sample: Sample) -> _Counted:
    counts = metric.counts(sample.truth)
    if not counts.any():
        raise DataError(f"{metric.name}: none of the {len(sample)} rows counts for it")
    return _Counted(sample.where(counts))


def _sums(metric: Metric, counted: _Counted, probabilities: np.ndarray) -> np.ndarray:
    return counted.by_product(metric.statistics(counted.sample.truth, probabilities))


def _with_and_without(
    metric: Metric, sums: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The figure [] of all products, and [G] of all but each."""
    total = sums.sum(0)
    return np.asarray(metric.value(total)), metric.value(total - sums)


def _rarest(metric: Metric, sums: np.ndarray) -> np.ndarray | None:
    """Rows [] of the rarest class that the metric weighs by itself; None where it weighs rows."""
    if metric.classes is None:
        return None
    return np.asarray(metric.classes(sums.sum(0)).min())


def _printable(
    value: np.ndarray,
    interval: Interval,
    counted: _Counted,
    rarest: np.ndarray | None,
    shown: Callable[[float], float] | None = None,
) -> Estimate:
    ends = [float(value), float(interval.low), float(interval.high)]
    detectable = float(interval.detectable)
    if shown:
        detectable = shown(max(ends[0], 0) + detectable) - shown(ends[0])
        ends = [shown(end) for end in ends]
    products, effective = len(counted.rows), float(interval.in_effect)
    refused = "a class has no row" if rarest is not None and rarest == 0 else ""
    if effective < MIN_IN_EFFECT:
        refused = f"too few products ({products}, in effect {effective:.1f})"
    return Estimate(
        ends[0],
        len(counted.sample),
        ends[1],
        ends[2],
        counted.sample.sha256,
        products,
        effective,
        None if refused or interval.error == 0 else detectable,
        refused,
    )
