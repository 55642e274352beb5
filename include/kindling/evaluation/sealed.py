"""Figures of rows that no gate reads: what is printed of a model that was chosen on the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kindling.measure.estimates import difference, estimate
from kindling.measure.metrics import (
    ACCURACY,
    GATED,
    LOG_LOSS,
    Metric,
    calibration_edges,
    calibration_error,
)
from kindling.measure.sample import Sample
from kindling.records import Estimate, Example


@dataclass(frozen=True)
class SealedFigures:
    """No rows: the sealed products are too few for any interval, and the gate reads all."""

    rows: int = 0
    products: int = 0
    #: Metric -> figure; without those of which no sealed row tells.
    candidate: Mapping[str, Estimate] = field(default_factory=dict)
    champion: Mapping[str, Estimate] = field(default_factory=dict)
    #: Metric -> candidate minus TF-IDF.
    over_baseline: Mapping[str, Estimate] = field(default_factory=dict)


def sealed_figures(
    examples: Sequence[Example],
    candidate: np.ndarray,
    baseline: np.ndarray,
    champion: np.ndarray | None,
) -> SealedFigures:
    """Of sealed rows; probabilities are [n, 3]."""
    if not examples:
        return SealedFigures()
    sample = Sample.of(examples)
    return SealedFigures(
        rows=len(sample),
        products=len(np.unique(sample.products)),
        candidate=_figures(sample, candidate),
        champion={} if champion is None else _figures(sample, champion),
        over_baseline={
            metric.name: difference(metric, sample, candidate, baseline)
            for metric in GATED
            if metric.counts(sample.truth).any()
        },
    )


def _figures(sample: Sample, said: np.ndarray) -> dict[str, Estimate]:
    calibration = calibration_error(calibration_edges(said))
    metrics: list[Metric] = [*GATED, ACCURACY, LOG_LOSS, calibration]
    return {
        metric.name: estimate(metric, sample, said)
        for metric in metrics
        if metric.counts(sample.truth).any()
    }
