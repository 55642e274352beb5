"""What a file of answers shows of a model, and what would look the same if it knew nothing.

The intervals are the product's own, over groups. Whatever the model was, it is held against three
that know nothing of a row: the most frequent class, the same answers dealt to other rows, and the
same answers dealt to other rows of the same group.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import binomtest

from kindling.evaluation.audit_signs import Suspicion, not_shown, suspicions
from kindling.evaluation.audit_table import AuditTable
from kindling.measure.estimates import difference, estimate
from kindling.measure.metrics import (
    ACCURACY,
    BRIER,
    LOG_LOSS,
    Metric,
    bin_sums,
    calibration_edges,
    calibration_error,
    class_metrics,
    macro_f1,
)
from kindling.measure.sample import Sample
from kindling.records import Estimate

DEALS = 200
FLIPS = 10_000


@dataclass(frozen=True)
class Dealt:
    """The same answers dealt to other rows at random."""

    #: Mean macro-F1 over the deals, and the chance that a deal is as good as the model.
    macro_f1: float
    p_value: float


@dataclass(frozen=True)
class Paired:
    """First model minus second, on the same rows."""

    differences: Mapping[str, Estimate]
    only_first_right: int
    only_second_right: int
    #: McNemar's exact test, of independent rows.
    mcnemar_p: float
    #: The models' names exchanged in whole groups at random: rows of a group need not be independent.
    groups_exchanged_p: float


@dataclass(frozen=True)
class Bin:
    confidence: float
    accuracy: float
    n: int


@dataclass(frozen=True)
class Calibration:
    #: calibration_error; log_loss and brier too where every class has a probability.
    figures: Mapping[str, Estimate]
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Audit:
    rows: int
    groups: int
    grouped_by: str
    columns: Mapping[str, str]
    #: Class -> rows whose truth it is.
    class_rows: Mapping[str, int]
    figures: Mapping[str, Estimate]
    #: Class -> precision, recall, F1.
    classes: Mapping[str, Mapping[str, Estimate]]
    #: Macro-F1 minus that of the most frequent class.
    over_constant: Estimate
    dealt: Dealt
    #: None without groups.
    dealt_within_groups: Dealt | None
    paired: Paired | None
    calibration: Calibration | None
    suspicions: tuple[Suspicion, ...]
    not_shown: tuple[str, ...]


def audit(table: AuditTable, seed: int = 0) -> Audit:
    """Everything that the file can tell; equal files and seeds give equal audits."""
    rng = np.random.default_rng(seed)
    sample = Sample(table.truth, table.groups, table.digests)
    k = len(table.classes)
    whole, right = _macro_f1(k), _accuracy(k)
    said = np.eye(k)[table.predicted]
    common = np.bincount(table.truth, minlength=k).argmax()
    constant = np.tile(np.eye(k)[common], (len(said), 1))
    figures = {one.name: estimate(one, sample, said) for one in (right, whole)}
    dealt = _dealt(table, rng, np.zeros_like(table.groups))
    grouped = bool(table.grouped_by)
    return Audit(
        rows=len(sample),
        groups=len(np.unique(table.groups)) if grouped else len(sample),
        grouped_by=table.grouped_by,
        columns=table.columns,
        class_rows=_class_rows(table),
        figures=figures,
        classes=_by_class(table, sample, said),
        over_constant=difference(whole, sample, said, constant),
        dealt=dealt,
        dealt_within_groups=_dealt(table, rng, table.groups) if grouped else None,
        paired=_paired(table, sample, rng),
        calibration=_calibration(table, sample),
        suspicions=tuple(suspicions(table)),
        not_shown=tuple(not_shown(table, figures)),
    )


def _class_rows(table: AuditTable) -> dict[str, int]:
    counts = np.bincount(table.truth, minlength=len(table.classes))
    return dict(zip(table.classes, counts.tolist(), strict=True))


def _cells(k: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda truth, said: np.asarray(np.eye(k * k)[truth * k + said.argmax(1)])


def _macro_f1(k: int) -> Metric:
    return Metric(
        "macro_f1", "Macro-F1", "all classes weighted alike", _cells(k), macro_f1
    )


def _accuracy(k: int) -> Metric:
    return replace(ACCURACY, statistics=_cells(k))


def _by_class(
    table: AuditTable, sample: Sample, said: np.ndarray
) -> dict[str, dict[str, Estimate]]:
    cells = _cells(len(table.classes))
    found: dict[str, dict[str, Estimate]] = {}
    for at, label in enumerate(table.classes):
        precision, recall, _ = class_metrics(label, at)
        found[label] = {
            name: estimate(replace(metric, statistics=cells), sample, said)
            for name, metric, rows in (
                ("precision", precision, table.predicted),
                ("recall", recall, table.truth),
            )
            if (rows == at).any()
        }
    return found


def _score(truth: np.ndarray, predicted: np.ndarray, k: int) -> float:
    cells = np.bincount(truth * k + predicted, minlength=k * k)
    return float(macro_f1(cells.astype(float)))


def _dealt(table: AuditTable, rng: np.random.Generator, within: np.ndarray) -> Dealt:
    """Answers dealt anew among rows with the same number in `within` [n]."""
    k, own = (
        len(table.classes),
        _score(table.truth, table.predicted, len(table.classes)),
    )
    order = np.argsort(within, kind="stable")
    found = []
    for _ in range(DEALS):
        # By group first and chance second: each group's places are filled with its own answers.
        shuffled = np.lexsort((rng.random(len(within)), within))
        dealt = np.empty_like(table.predicted)
        dealt[order] = table.predicted[shuffled]
        found.append(_score(table.truth, dealt, k))
    as_good = sum(one >= own for one in found)
    return Dealt(float(np.mean(found)), (1 + as_good) / (1 + DEALS))


def _paired(
    table: AuditTable, sample: Sample, rng: np.random.Generator
) -> Paired | None:
    if table.second is None:
        return None
    k = len(table.classes)
    ours, theirs = np.eye(k)[table.predicted], np.eye(k)[table.second]
    first = table.predicted == table.truth
    second = table.second == table.truth
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    apart = only_first + only_second
    return Paired(
        differences={
            metric.name: difference(metric, sample, ours, theirs)
            for metric in (_accuracy(k), _macro_f1(k))
        },
        only_first_right=only_first,
        only_second_right=only_second,
        mcnemar_p=float(binomtest(only_first, apart).pvalue) if apart else 1.0,
        groups_exchanged_p=_exchanged(table.groups, first, second, rng),
    )


def _exchanged(
    groups: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    rng: np.random.Generator,
) -> float:
    """Two-sided chance of as large a difference were the models' names drawn group by group."""
    apart = np.bincount(groups, weights=first.astype(float) - second.astype(float))
    apart = apart[apart != 0]
    seen = abs(apart.sum())
    as_large = 0
    for _ in range(FLIPS // 100):
        signs = rng.choice((-1.0, 1.0), size=(100, len(apart)))
        as_large += int((np.abs(signs @ apart) >= seen - 1e-9).sum())
    return (1 + as_large) / (1 + FLIPS)


def _calibration(table: AuditTable, sample: Sample) -> Calibration | None:
    """Of the predicted class's probability; None where the file has no probabilities."""
    if table.probabilities is not None:
        sure = table.probabilities[np.arange(len(sample)), table.predicted]
    elif table.confidence is not None:
        sure = table.confidence
    else:
        return None
    right = table.predicted == table.truth
    edges = calibration_edges(sure[:, None])
    gap = replace(
        calibration_error(edges),
        statistics=lambda truth, given: bin_sums(given[:, 0], given[:, 1], edges),
    )
    given = np.column_stack([sure, right])
    figures = {gap.name: estimate(gap, sample, given)}
    if table.probabilities is not None:
        for metric in (LOG_LOSS, BRIER):
            figures[metric.name] = estimate(metric, sample, table.probabilities)
    place = np.searchsorted(edges, sure, side="right")
    bins = tuple(
        Bin(float(sure[rows].mean()), float(right[rows].mean()), int(rows.sum()))
        for rows in (place == one for one in range(len(edges) + 1))
        if rows.any()
    )
    return Calibration(figures, bins)
