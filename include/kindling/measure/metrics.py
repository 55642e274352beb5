"""The figures, each as sums over rows and a value of the sums: one definition serves estimate and interval.

Classes are indices in SENTIMENTS: 0 negative, 1 neutral, 2 positive. A `Metric` carries all that
report and gate need to know of it: whoever adds one adds it here and nowhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kindling.measure.intervals import SHARE, Scale

NEGATIVE, NEUTRAL, POSITIVE = 0, 1, 2
CALIBRATION_BINS = 15
#: Floor of a probability under the logarithm.
EPSILON = 1e-12


def _every_row(truth: np.ndarray) -> np.ndarray:
    return np.ones(len(truth), dtype=bool)


@dataclass(frozen=True)
class Metric:
    """`value(sum of statistics(truth, probabilities) over rows)`."""

    name: str
    title: str
    hint: str
    #: (truth [n], probabilities [n, 3]) -> float64 [n, k].
    statistics: Callable[[np.ndarray, np.ndarray], np.ndarray]
    #: Sums [..., k] -> [...]; NaN where no row counts.
    value: Callable[[np.ndarray], np.ndarray]
    #: Which rows count: truth [n] -> bool [n].
    counts: Callable[[np.ndarray], np.ndarray] = _every_row
    scale: Scale = SHARE
    higher_is_better: bool = True
    #: Sums [..., k] -> true rows [..., classes] of each class that the value weighs by itself;
    #: None where it weighs rows. Of a class without a row nothing is known.
    classes: Callable[[np.ndarray], np.ndarray] | None = None
    #: From the value, in which the interval is taken, to the figure that is printed; rising.
    shown: Callable[[float], float] | None = None

    def __call__(self, truth: np.ndarray, probabilities: np.ndarray) -> float:
        found = float(self.value(self.statistics(truth, probabilities).sum(0)))
        return self.shown(found) if self.shown else found


def three_way_decision(probabilities: np.ndarray) -> np.ndarray:
    return np.asarray(probabilities.argmax(1))


def polarity_decision(probabilities: np.ndarray) -> np.ndarray:
    """Negative where P(negative) > P(positive): both renormalised without neutral, threshold 0.5."""
    return np.where(
        probabilities[:, NEGATIVE] > probabilities[:, POSITIVE], NEGATIVE, POSITIVE
    )


def _three_way_cells(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    return np.asarray(np.eye(9)[truth * 3 + three_way_decision(probabilities)])


def _polarity_cells(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    cells = np.eye(4)[(truth // 2) * 2 + polarity_decision(probabilities) // 2]
    return np.asarray(cells * (truth != NEUTRAL)[:, None])


def confusion(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """int64 [3, 3]: rows are the truth, columns the decision."""
    cells = _three_way_cells(truth, probabilities).sum(0)
    return np.asarray(cells.reshape(3, 3).astype(np.int64))


def _matrix(sums: np.ndarray) -> np.ndarray:
    side = round(sums.shape[-1] ** 0.5)
    return sums.reshape(*sums.shape[:-1], side, side)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Element by element; NaN where the denominator is not above 0."""
    out = np.full(np.shape(numerator), np.nan)
    return np.asarray(np.divide(numerator, denominator, out=out, where=denominator > 0))


def macro_f1(sums: np.ndarray) -> np.ndarray:
    """Unweighted mean of F1 over the classes that were there or were answered."""
    matrix = _matrix(sums)
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    size = matrix.sum(-1) + matrix.sum(-2)
    f1 = np.divide(2 * hits, size, out=np.zeros(np.shape(hits)), where=size > 0)
    return _ratio(f1.sum(-1), (size > 0).sum(-1).astype(float))


def _true_rows(sums: np.ndarray) -> np.ndarray:
    return np.asarray(_matrix(sums).sum(-1))


THREE_WAY = Metric(
    "three_way_macro_f1",
    "Three-way macro-F1",
    "negative, neutral, positive, weighted alike",
    _three_way_cells,
    macro_f1,
    classes=_true_rows,
)
POLARITY = Metric(
    "polarity_macro_f1",
    "Polarity macro-F1",
    "1-2 stars against 4-5, P(negative) against P(positive)",
    _polarity_cells,
    macro_f1,
    lambda truth: truth != NEUTRAL,
    classes=_true_rows,
)
ACCURACY = Metric(
    "accuracy",
    "Accuracy",
    "three-way; large where one class is",
    _three_way_cells,
    lambda sums: _ratio(_matrix(sums).trace(axis1=-2, axis2=-1), sums.sum(-1)),
)


def class_metrics(label: str, at: int) -> tuple[Metric, Metric, Metric]:
    """Precision, recall and F1 of one class."""

    def part(axis: int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda sums: _ratio(
            _matrix(sums)[..., at, at], _matrix(sums).sum(axis)[..., at]
        )

    def f1(sums: np.ndarray) -> np.ndarray:
        matrix = _matrix(sums)
        return _ratio(
            2 * matrix[..., at, at], matrix.sum(-1)[..., at] + matrix.sum(-2)[..., at]
        )

    return (
        Metric(
            f"{label}_precision",
            f"Precision, {label}",
            "of the rows so answered, those that are",
            _three_way_cells,
            part(-2),
        ),
        Metric(
            f"{label}_recall",
            f"Recall, {label}",
            "of the rows that are, those so answered",
            _three_way_cells,
            part(-1),
        ),
        Metric(
            f"{label}_f1",
            f"F1, {label}",
            "harmonic mean of precision and recall",
            _three_way_cells,
            f1,
        ),
    )


def _mean_of(
    per_row: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    def statistics(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        values = per_row(truth, probabilities)
        return np.column_stack([values, np.ones(len(values))])

    return statistics


def _mean(sums: np.ndarray) -> np.ndarray:
    return _ratio(sums[..., 0], sums[..., 1])


def _surprise(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    likelihood = probabilities[np.arange(len(truth)), truth]
    return np.asarray(-np.log(np.maximum(likelihood, EPSILON)))


def _squared_distance(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    classes = np.eye(probabilities.shape[1])
    return np.asarray(((probabilities - classes[truth]) ** 2).sum(1))


LOG_LOSS = Metric(
    "log_loss",
    "Log-loss",
    "nats, 0 best; ln 3 = 1.099 says nothing",
    _mean_of(_surprise),
    _mean,
    scale=Scale("positive", float(-np.log(EPSILON))),
    higher_is_better=False,
)
#: Brier 1950, summed over classes: 0 best, 2 worst.
BRIER = Metric(
    "brier",
    "Brier score",
    "0 best, 2 worst",
    _mean_of(_squared_distance),
    _mean,
    scale=Scale("share", 2.0),
    higher_is_better=False,
)


def calibration_edges(
    probabilities: np.ndarray, bins: int = CALIBRATION_BINS
) -> np.ndarray:
    """Inner edges of bins that hold equally many confidences (adaptive: Nguyen and O'Connor 2015)."""
    return np.unique(
        np.quantile(probabilities.max(1), np.linspace(0, 1, bins + 1)[1:-1])
    )


def calibration_error(edges: np.ndarray) -> Metric:
    """Root mean square calibration error of the answer's confidence, over bins fixed beforehand.

    Debiased as in Kumar, Liang and Ma 2019, "Verified Uncertainty Calibration", section 5: what
    chance alone puts between confidence and accuracy in a bin of n rows, accuracy * (1 - accuracy)
    / (n - 1), is taken off its squared gap. The sum may fall below 0, which is printed as 0.
    """
    bins = len(edges) + 1

    def value(sums: np.ndarray) -> np.ndarray:
        parts = sums.reshape(*sums.shape[:-1], bins, 3)
        confidence, right, n = parts[..., 0], parts[..., 1], parts[..., 2]
        rows = np.maximum(n, 1)
        accuracy = right / rows
        chance = accuracy * (1 - accuracy) / np.maximum(n - 1, 1)
        gap = (confidence / rows - accuracy) ** 2 - chance
        return _ratio((n * gap).sum(-1), n.sum(-1))

    return Metric(
        "calibration_error",
        "Calibration error",
        "root mean square gap between confidence and accuracy, debiased",
        lambda truth, probabilities: _bin_sums(truth, probabilities, edges),
        value,
        scale=Scale("difference"),
        higher_is_better=False,
        shown=lambda squared: max(squared, 0.0) ** 0.5,
    )


def _bin_sums(
    truth: np.ndarray, probabilities: np.ndarray, edges: np.ndarray
) -> np.ndarray:
    right = three_way_decision(probabilities) == truth
    return bin_sums(probabilities.max(1), right, edges)


def bin_sums(
    confidence: np.ndarray, right: np.ndarray, edges: np.ndarray
) -> np.ndarray:
    """By row [n, bins * 3], in the row's bin: its confidence [n], whether it was right [n], and 1."""
    of_row = np.stack([confidence, right, np.ones(len(right))], axis=1)
    result = np.zeros((len(right), len(edges) + 1, 3))
    place = np.searchsorted(edges, confidence, side="right")
    result[np.arange(len(right)), place] = of_row
    return result.reshape(len(right), -1)


@dataclass(frozen=True)
class CalibrationBin:
    confidence: float
    accuracy: float
    n: int


def reliability(truth: np.ndarray, probabilities: np.ndarray) -> list[CalibrationBin]:
    """Mean confidence and accuracy in equally filled bins, from least to most confident."""
    edges = calibration_edges(probabilities)
    sums = _bin_sums(truth, probabilities, edges).sum(0).reshape(-1, 3)
    return [CalibrationBin(float(c / n), float(a / n), int(n)) for c, a, n in sums if n]


#: What the report draws for every system and the summary names first, in this order.
HEADLINES = (POLARITY, THREE_WAY, ACCURACY)
#: What claims of a probability are judged by; the bins of the first are each system's own.
PROBABILITY = (calibration_error(np.zeros(0)), BRIER, LOG_LOSS)
#: A gate's bar may be set on any of these; differences between systems are taken in them.
GATED = (THREE_WAY, POLARITY)
