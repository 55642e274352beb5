"""Every look at the golden rows is written down, and what the looks before allow tonight's to decide.

A gate that asks the same rows every night is fooled in two ways. A champion that was lucky on them
is never equalled, so that equal models are refused for good; and a model that sinks a little less
than the tolerance every night is let through every night. So a candidate is held against two things:
tonight's champion, by what the two differ on, and the level at which the first nights stood, by the
mean of the latest nights, which noise moves less. The level is that of the distance to one pinned
model, the reference, which answers the same rows every night: golden rows that came since move both
alike. Alarms ("shown worse") spend an error budget that lasts however many nights there are. What is
printed of a champion is read from rows that no gate reads: see `sealed_rows`.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import pi
from typing import Literal

import numpy as np
from scipy.stats import norm

from kindling.measure.intervals import MIN_IN_EFFECT, in_effect
from kindling.records import Estimate

Decision = Literal["promoted", "held", "alarm"]
#: Chance of any false alarm, over all nights together.
BUDGET = 0.05
#: Nights whose mean is the level: the first ones, and the latest.
FIRST, LATEST = 10, 8
#: How far the latest nights may stand below the first, as a share of the tolerance.
LEVEL = 0.4
#: Share of the products whose golden rows only ever print.
SEALED = 1 / 3


@dataclass(frozen=True)
class Look:
    """One candidate that was held against the golden rows."""

    run_id: str
    version: str
    #: The recipe's figure, by name.
    metric: str
    #: Hash of the rows that the gate read.
    data_sha256: str
    #: Version of the pinned model that answered the same rows.
    reference: str
    #: The recipe's figure of the candidate on them, and how far it is above the reference's.
    value: float
    over_reference: float
    #: Candidate minus champion on the same rows, and its standard error; None without a champion.
    over_champion: float | None
    error: float
    #: Products that no gate had read before.
    opened: tuple[str, ...] = ()


@dataclass(frozen=True)
class Advice:
    """What the ledger says of tonight's candidate."""

    decision: Decision
    detail: str


def sealed_rows(products: Sequence[str], opened: Collection[str]) -> np.ndarray:
    """bool [n]: rows that no gate reads, by the product of each.

    A third of the products, by a hash of their ids, of those that no gate has read before
    (`opened` are those that one has): what was read is never sealed again, whatever is added.
    None is sealed where they are too few products in effect for any interval.
    """
    known = set(products)
    unread = sorted(known - set(opened), key=_hash)
    hidden = set(unread[: round(SEALED * len(known))])
    found = np.array([one in hidden for one in products], dtype=bool)
    _, rows = np.unique(np.array(products, dtype=str)[found], return_counts=True)
    if not len(rows) or in_effect(rows) < MIN_IN_EFFECT:
        return np.zeros(len(products), dtype=bool)
    return found


def _hash(product_id: str) -> str:
    return hashlib.sha256(f"sealed\0{product_id}".encode()).hexdigest()


def tonight(before: Sequence[Look], look: Look, tolerance: float) -> Advice:
    """Promote, hold or alarm tonight's `look`, given the looks before, oldest first.

    Looks of another figure or beside another reference do not count: the level is found anew.
    """
    known = (look.metric, look.reference)
    same = [one for one in before if (one.metric, one.reference) == known]
    values = np.array([one.over_reference for one in (*same, look)])
    over = np.asarray(look.over_champion or 0.0)
    ruling = rule(values, over, np.asarray(look.error), tolerance)
    decision: Decision = (
        "alarm" if ruling.alarm else "held" if ruling.held else "promoted"
    )
    return Advice(decision, _found(look, len(values), float(ruling.behind), tolerance))


def _found(look: Look, night: int, behind: float, tolerance: float) -> str:
    found = f"look {night}, beside reference version {look.reference}"
    if look.over_champion is not None:
        found += (
            f"; {look.metric} minus the champion's: {look.over_champion:+.3f}"
            f" (standard error {look.error:.3f})"
        )
    if night > FIRST:
        found += (
            f"; the latest {LATEST} nights stand {behind:+.3f} from the first {FIRST}"
        )
    return found + (
        f"; allowed are -{tolerance:g} against the champion,"
        f" -{LEVEL * tolerance:g} from the first"
    )


@dataclass(frozen=True)
class Ruling:
    """Arrays of equal shape [...]: bool, bool, and the latest nights minus the first."""

    alarm: np.ndarray
    held: np.ndarray
    behind: np.ndarray


def rule(
    values: np.ndarray, over_champion: np.ndarray, error: np.ndarray, tolerance: float
) -> Ruling:
    """One night's ruling; leading axes are other years of nights.

    `values` [..., nights] are all nights' figures above the reference's, tonight's last;
    `over_champion` [...] is tonight's candidate minus the champion, `error` [...] its standard
    error, 0 where they never differ.
    """
    nights = values.shape[-1]
    behind = level(values)
    worst = norm.ppf(spent(nights)) * error
    alarm = (error > 0) & (over_champion < worst)
    held = (over_champion < -tolerance) | (behind < -LEVEL * tolerance)
    return Ruling(alarm, held & ~alarm, behind)


def standard_error(found: Estimate | None) -> float:
    """From the interval's width, a little large where products are few; 0 without a figure."""
    if found is None:
        return 0.0
    return (found.high - found.low) / (2 * float(norm.ppf(0.975)))


def level(values: np.ndarray) -> np.ndarray:
    """Mean of the latest nights minus that of the first [...]; 0 while they are the same nights."""
    if values.shape[-1] <= FIRST:
        return np.zeros(values.shape[:-1])
    latest = values[..., -LATEST:].mean(-1)
    return np.asarray(latest - values[..., :FIRST].mean(-1))


def spent(night: int) -> float:
    """One-sided error that an alarm may have on the n-th look: 6 / (pi n)^2 of the budget.

    These sum to the budget over infinitely many nights, so that no number of looks uses it up.
    """
    return BUDGET * 6 / (pi * night) ** 2
