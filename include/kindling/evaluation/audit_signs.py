"""What in a file of answers looks like a leak, and what no such file can show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kindling.evaluation.audit_table import AuditTable
from kindling.records import Estimate

#: Values of a column without a role from which it may tell the truth: a number for each row does
#: so of course.
MIN_ROWS_A_VALUE = 3
#: Share of the truth that a column without a role may tell before it is named.
TELLS = 0.95


@dataclass(frozen=True)
class Suspicion:
    """Something by which the truth may have leaked."""

    code: str
    detail: str


def suspicions(table: AuditTable) -> list[Suspicion]:
    """What in the file itself may have told the model the truth."""
    found = []
    if (table.predicted == table.truth).all():
        found.append(
            Suspicion(
                "perfect",
                "every answer is right: is the prediction column the truth, or was the"
                " model trained on these rows?",
            )
        )
    for name, values in table.others.items():
        told = _told_by(table.truth, values)
        if told is not None and told >= TELLS:
            found.append(
                Suspicion(
                    "column-tells-truth",
                    f"column {name!r} tells the truth of {100 * told:.0f} % of the rows"
                    " that share a value with others: could the model read it?",
                )
            )
    same = _same_rows(table)
    if same:
        found.append(
            Suspicion(
                "repeated-rows",
                f"{same} rows stand in the file more than once: they count as often",
            )
        )
    runs = _order_tells(table.truth)
    if runs >= TELLS:
        found.append(
            Suspicion(
                "sorted",
                f"the row before tells the truth of {100 * runs:.0f} % of the rows: the"
                " file is sorted by truth; a model that read them in order could tell",
            )
        )
    return found


def _told_by(truth: np.ndarray, values: Sequence[str]) -> float | None:
    """Share of rows whose truth the other rows of the same value tell, by majority; None where
    no value has rows enough, or one value has all."""
    _, code, counts = np.unique(values, return_inverse=True, return_counts=True)
    judged = counts[code] >= MIN_ROWS_A_VALUE
    if judged.sum() < len(truth) / 2 or len(counts) < 2:
        return None
    table = np.zeros((len(counts), truth.max() + 1))
    np.add.at(table, (code, truth), 1)
    others = table[code]
    others[np.arange(len(truth)), truth] -= 1
    return float((others.argmax(1) == truth)[judged].mean())


def _same_rows(table: AuditTable) -> int:
    """Rows that stand there twice; 0 where no column would tell two rows apart."""
    n = len(table.truth)
    if not any(len(set(values)) > n / 2 for values in table.others.values()):
        return 0
    _, counts = np.unique(table.digests, return_counts=True)
    return int(counts[counts > 1].sum())


def _order_tells(truth: np.ndarray) -> float:
    return float((truth[1:] == truth[:-1]).mean()) if len(truth) > 20 else 0.0


def not_shown(table: AuditTable, figures: Mapping[str, Estimate]) -> list[str]:
    """What a reader might take these figures to say."""
    said = [
        "how the model does on rows of other sources, times or kinds than those in the file",
        "whether the truth column is true",
        "whether the model, or whoever chose it, has seen these rows before: the file holds"
        " nothing of the training",
    ]
    if not table.grouped_by:
        said.append(
            "that rows are independent: no column names groups (--group), so the intervals"
            " are too narrow if several rows are of one product, person or page"
        )
    refused = figures["accuracy"].refused
    if refused:
        said.append(f"any interval: {refused}")
    if table.second is None:
        said.append(
            "that another model would do worse: the file has no second prediction"
        )
    if table.probabilities is None and table.confidence is None:
        said.append(
            "whether its confidence can be believed: the file has no probabilities"
        )
    counts = np.bincount(table.truth, minlength=len(table.classes))
    rare = [
        f"{name} (n={count})"
        for name, count in zip(table.classes, counts, strict=True)
        if count < 30
    ]
    if rare:
        said.append(f"much of the classes with fewer than 30 rows: {', '.join(rare)}")
    return said
