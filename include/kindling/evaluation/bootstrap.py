"""95 % intervals by the percentile bootstrap over products (clusters), plain and paired.

Reviews of one product share their product, so products are resampled, not reviews: Field and Welsh
2007, "Bootstrapping clustered data". Below five products, where that interval collapses, rows are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kindling.errors import DataError
from kindling.evaluation.metrics import Metric
from kindling.evaluation.sample import Sample
from kindling.records import Estimate

MIN_PRODUCTS = 5


@dataclass(frozen=True)
class Bootstrap:
    resamples: int
    seed: int

    def estimate(
        self, metric: Metric, sample: Sample, probabilities: np.ndarray
    ) -> Estimate:
        """The figure with its interval. DataError when none of the rows counts for it."""
        statistics = metric.statistics(sample.truth, probabilities)
        drawn = metric.value(self._resampled(sample, statistics))
        return self._result(
            metric, sample, float(metric.value(statistics.sum(0))), drawn
        )

    def difference(
        self,
        metric: Metric,
        sample: Sample,
        ours: np.ndarray,
        theirs: np.ndarray | Sequence[np.ndarray],
        level: float = 0.95,
    ) -> Estimate:
        """Ours minus theirs on the same rows, both read from the same resamples.

        Of several `theirs` (each [n, 3]) the mean figure is subtracted. `level` other than .95 is for
        decisions over many comparisons, not for print.
        """
        others = [theirs] if isinstance(theirs, np.ndarray) else list(theirs)
        statistics = [
            metric.statistics(sample.truth, probabilities)
            for probabilities in (ours, *others)
        ]
        values = [float(metric.value(one.sum(0))) for one in statistics]
        drawn = [metric.value(self._resampled(sample, one)) for one in statistics]
        return self._result(
            metric,
            sample,
            values[0] - float(np.mean(values[1:])),
            drawn[0] - np.mean(drawn[1:], axis=0),
            level,
        )

    def _resampled(self, sample: Sample, statistics: np.ndarray) -> np.ndarray:
        """Sums of the statistics [resamples, k]; equal draws for equal samples."""
        clusters = np.unique(sample.products, return_inverse=True)[1]
        if clusters.max() + 1 < MIN_PRODUCTS:
            clusters = np.argsort(
                np.argsort(np.array(sample.digests), kind="stable"), kind="stable"
            )
        count = int(clusters.max()) + 1
        sums = np.zeros((count, statistics.shape[1]))
        np.add.at(sums, clusters, statistics)
        draws = np.random.default_rng(self.seed).multinomial(
            count, np.full(count, 1 / count), size=self.resamples
        )
        return draws @ sums

    def _result(
        self,
        metric: Metric,
        sample: Sample,
        value: float,
        drawn: np.ndarray,
        level: float = 0.95,
    ) -> Estimate:
        counted = metric.counts(sample.truth)
        if not counted.any():
            raise DataError(
                f"{metric.name}: none of the {len(sample)} rows counts for it"
            )
        tail = (1 - level) / 2
        low, high = np.nanquantile(drawn, [tail, 1 - tail])
        return Estimate(
            value,
            int(counted.sum()),
            float(low),
            float(high),
            sample.where(counted).sha256,
        )
