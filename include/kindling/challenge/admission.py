"""Which synthetic rows may be trained on, and what the batch as a whole is guilty of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from kindling.challenge.discriminator import Separability
from kindling.challenge.diversity import Diversity
from kindling.challenge.memorisation import Copying
from kindling.challenge.sentiment import Adherence
from kindling.challenge.utility import Utility

#: Share of rows with a fault from which it is the generator's.
_HABIT = 0.05
#: Share of copies from which a generator is known to copy, and the part of `max_jaccard` from which
#: its other rows are copies too. No real clothing review is as near to another (.20 at most).
_KNOWN_TO_COPY, _FURTHER_OFF = 0.2, 0.65


@dataclass(frozen=True)
class Limits:
    #: A row above this P(synthetic) is refused.
    max_score: float
    #: A row with more than this share of its 5-grams in one real review is refused.
    max_copy_rate: float
    #: Confidence in the opposite pole at which an independent model refuses a row.
    contradiction: float
    #: A row with a higher Jaccard similarity (character 5-grams) to one real review is refused.
    max_jaccard: float = 0.35


@dataclass(frozen=True)
class Evidence:
    """What was measured row by row; arrays [S] in the order of the synthetic rows."""

    scores: np.ndarray
    copying: Copying
    diversity: Diversity
    adherence: Adherence
    #: Fault -> bool [S]: rows that have it. See FAULTS.
    faults: Mapping[str, np.ndarray] = field(default_factory=dict)


#: What is found of a batch, by the name under which its rows are refused; gravest first.
FAULTS = ("label_leak", "length_leak", "word_salad", "misses_sentiment")


def row_reasons(evidence: Evidence, limits: Limits) -> list[str]:
    """Why each row is refused; the gravest reason first, "" where nothing speaks against the row."""
    none = np.zeros(len(evidence.scores), bool)
    found = {name: evidence.faults.get(name, none) for name in FAULTS}
    grounds = [
        ("near_copy", _copies(evidence, limits)),
        ("repeats_another", evidence.diversity.repeats),
        ("label_leak", found["label_leak"]),
        ("length_leak", found["length_leak"]),
        ("word_salad", found["word_salad"]),
        ("off_sentiment", evidence.adherence.contradicted(limits.contradiction)),
        ("misses_sentiment", found["misses_sentiment"]),
        ("easily_told", evidence.scores > limits.max_score),
    ]
    rows = range(len(evidence.scores))
    return [
        next((reason for reason, refused in grounds if refused[row]), "")
        for row in rows
    ]


def batch_reason(separability: Separability, utility: Utility | None) -> str:
    """Why no row of the batch is admitted, whatever the rows are like; "" where the batch may go on.

    A batch that is not known to help or to harm goes on: few real rows would refuse a perfect
    generator, and many would admit one that copies. What is wrong with rows is found in them.
    """
    if separability.verdict == "invalid discriminator":
        return "invalid_discriminator"
    if utility and utility.verdict == "harms":
        return "batch_harms"
    return ""


def _copies(evidence: Evidence, limits: Limits) -> np.ndarray:
    """Rows that are copies; of a generator that is known to copy, also those a little further off."""
    copied = evidence.copying
    many: np.ndarray = copied.copy_rate > limits.max_copy_rate
    near = many | (copied.nearest_jaccard > limits.max_jaccard)
    if near.mean() > _KNOWN_TO_COPY:
        near = near | (copied.nearest_jaccard > _FURTHER_OFF * limits.max_jaccard)
    return np.asarray(near, dtype=bool)


def _has(evidence: Evidence, fault: str) -> bool:
    """Whether more rows have the fault than real ones by chance."""
    return fault in evidence.faults and evidence.faults[fault].mean() > _HABIT


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
        "memorises": _copies(evidence, limits).mean() > _HABIT,
        "mode_collapse": evidence.diversity.collapsed,
        "misses_sentiment": (len(polar) > 0 and polar.mean() < 0.5)
        or _has(evidence, "misses_sentiment"),
        "label_leak": _has(evidence, "label_leak"),
        "word_salad": _has(evidence, "word_salad"),
        "length_leak": _has(evidence, "length_leak"),
        "helps": utility is not None and utility.verdict == "helps",
        "harms": utility is not None and utility.verdict == "harms",
    }
    return [name for name, found in named.items() if found]
