"""Which synthetic rows may be trained on, and what the batch as a whole is guilty of."""

from dataclasses import dataclass

import numpy as np

from kindling.challenge.discriminator import Separability
from kindling.challenge.diversity import Diversity
from kindling.challenge.memorisation import Copying
from kindling.challenge.sentiment import Adherence, Utility

#: Share of near-copies from which the generator is called a memoriser.
_MEMORISER = 0.05


@dataclass(frozen=True)
class Limits:
    #: A row above this P(synthetic) is refused.
    max_score: float
    #: A row with more than this share of its 5-grams in one real review is refused.
    max_copy_rate: float
    #: Confidence in the opposite pole at which an independent model refuses a row.
    contradiction: float
    #: Macro-F1 that the batch may cost at the lower end of the 95 % interval.
    max_utility_loss: float


@dataclass(frozen=True)
class Evidence:
    """What was measured row by row; arrays [S] in the order of the synthetic rows."""

    scores: np.ndarray
    copying: Copying
    diversity: Diversity
    adherence: Adherence


def row_reasons(evidence: Evidence, limits: Limits) -> list[str]:
    """Why each row is refused; the gravest reason first, "" where nothing speaks against the row."""
    grounds = [
        ("near_copy", evidence.copying.copy_rate > limits.max_copy_rate),
        ("repeats_another", evidence.diversity.repeats),
        ("off_sentiment", evidence.adherence.contradicted(limits.contradiction)),
        ("easily_told", evidence.scores > limits.max_score),
    ]
    rows = range(len(evidence.scores))
    return [
        next((reason for reason, refused in grounds if refused[row]), "")
        for row in rows
    ]


def batch_reason(
    separability: Separability, utility: Utility | None, limits: Limits
) -> str:
    """Why no row of the batch is admitted, whatever the rows are like; "" where the batch may go on."""
    if separability.verdict == "invalid discriminator":
        return "invalid_discriminator"
    if utility and not utility.helps(limits.max_utility_loss):
        return "batch_harms"
    return ""


def findings(
    separability: Separability,
    evidence: Evidence,
    utility: Utility | None,
    limits: Limits,
) -> list[str]:
    """What the generator has to answer for, by name."""
    adherence = evidence.adherence
    polar = adherence.keeps_polarity[adherence.polar]
    named = {
        separability.verdict.replace(" ", "_"): separability.verdict
        != "not told apart",
        "memorises": (evidence.copying.copy_rate > limits.max_copy_rate).mean()
        > _MEMORISER,
        "mode_collapse": evidence.diversity.collapsed,
        "misses_sentiment": len(polar) > 0 and polar.mean() < 0.5,
        "harms": utility is not None and utility.difference.high < 0,
        "harm_not_ruled_out": utility is not None
        and (
            utility.difference.high >= 0
            and utility.difference.low < -limits.max_utility_loss
        ),
    }
    return [name for name, found in named.items() if found]
