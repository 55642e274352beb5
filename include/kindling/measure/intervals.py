"""Intervals of a figure over products, whose reviews are not independent, that cover as they say.

The delete-one-product jackknife (the cluster variance CV3 of MacKinnon, Nielsen and Webb 2023, "Fast
and reliable jackknife and bootstrap methods for cluster-robust inference") with Student's t, whose
degrees of freedom are near Satterthwaite's, not the number of products. A percentile bootstrap
over products, which was here before, covers .83 to .92 at clothing's sizes; tests/bench/intervals.py
prints what this one does. Everything takes leading axes, so that many draws cost one call.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, logit
from scipy.stats import beta, t

#: Products in effect (see `in_effect`) below which no method here covers: no interval is given.
MIN_IN_EFFECT = 5.0
METHOD = "delete-one-product jackknife, Student's t, Satterthwaite's degrees of freedom"
LEVEL = 0.95
#: Chance of seeing a difference as large as the smallest that is called detectable.
POWER = 0.8
#: Weight, on logarithms, of Satterthwaite's degrees of freedom against the products in effect.
#: His alone follow the noise of few products and cover up to .974, the others alone down to .935.
_SATTERTHWAITE = 0.75


@dataclass(frozen=True)
class Scale:
    """What values a figure can have."""

    #: share: between 0 and `top`; positive: above 0; difference: of two such figures.
    kind: Literal["share", "positive", "difference"]
    top: float = 1.0

    @property
    def range(self) -> tuple[float, float]:
        """What a figure may be before anything is known of it."""
        return (-self.top if self.kind == "difference" else 0.0), self.top


SHARE = Scale("share")


@dataclass(frozen=True)
class Interval:
    """Arrays of equal shape [...]; `error` is the standard error, `detectable` the smallest
    difference that would be seen with a chance of POWER."""

    low: np.ndarray
    high: np.ndarray
    error: np.ndarray
    detectable: np.ndarray
    in_effect: np.ndarray
    degrees: np.ndarray


def in_effect(rows: np.ndarray) -> np.ndarray:
    """How many products of equal size tell as much as those with `rows` [..., G] rows (Kish 1965)."""
    total = rows.sum(-1)
    return np.asarray(total**2 / np.maximum((rows.astype(float) ** 2).sum(-1), 1))


def jackknife(
    value: np.ndarray,
    without: np.ndarray,
    rows: np.ndarray,
    scale: Scale = SHARE,
    level: float = LEVEL,
    rarest: np.ndarray | None = None,
) -> Interval:
    """The interval of `value` [...] from its values `without` [..., G] each product.

    `rows` [..., G] counts the rows of each product that the figure is about; a product without
    any takes no part. `rarest` [...] is the number of rows
    of the rarest class that the figure weighs, where it weighs classes. Where `in_effect` is
    below MIN_IN_EFFECT, or a class has no row, the interval is the figure's whole range: nothing
    is known of it.
    """
    present = rows > 0
    # Without one product a figure may have no row left to count: that product is all there is.
    apart = np.where(present & np.isfinite(without), without - value[..., None], 0.0)
    products = np.maximum(present.sum(-1), 1)
    squares = apart**2
    error = np.sqrt((products - 1) / products * squares.sum(-1))
    effective = in_effect(rows)
    degrees = _degrees(squares, rows, effective)
    far = t.ppf((1 + level) / 2, degrees)
    low, high = _ends(value, error, far, scale)
    if scale.kind == "share":
        fewest = rows.sum(-1) if rarest is None else np.minimum(rarest, rows.sum(-1))
        low, high = _at_the_edge(value, error, fewest, (low, high), scale.top, level)
    unknown = effective < MIN_IN_EFFECT
    if rarest is not None:
        unknown = unknown | (rarest == 0)
    bottom, ceiling = scale.range
    return Interval(
        np.where(unknown, bottom, low),
        np.where(unknown, ceiling, high),
        error,
        (far + t.ppf(POWER, degrees)) * error,
        effective,
        degrees,
    )


def _degrees(
    squares: np.ndarray, rows: np.ndarray, effective: np.ndarray
) -> np.ndarray:
    """Degrees of freedom of the variance, after Satterthwaite (1946), 1 at least.

    His are (sum of v)^2 / (sum of v^2) for the variance v of what each product contributes, here
    a * rows + b * rows^2, the rows' own noise and the product's, fitted by two moments.
    """
    n = rows.astype(float)
    first, second, count = n.sum(-1), (n**2).sum(-1), (n > 0).sum(-1)
    seen = squares.sum(-1)
    seen_a_row = (squares / np.maximum(n, 1)).sum(-1)
    # a * first + b * second = seen;  a * count + b * first = seen_a_row
    spread = second * count - first**2
    solvable = spread > 1e-9 * np.maximum(first**2, 1)
    divisor = np.where(solvable, spread, 1.0)
    own = np.where(solvable, (second * seen_a_row - first * seen) / divisor, 1.0)
    shared = np.where(solvable, (count * seen - first * seen_a_row) / divisor, 0.0)
    only_shared, only_own = own < 0, shared < 0
    own, shared = np.where(only_shared, 0, own), np.where(only_own, 0, shared)
    own = np.where(only_own | ((own == 0) & (shared == 0)), 1, own)
    shared = np.where(only_shared, 1, shared)
    variance = own[..., None] * n + shared[..., None] * n**2
    total = (variance**2).sum(-1)
    freedom = variance.sum(-1) ** 2 / np.maximum(total, np.finfo(float).tiny)
    mixed = freedom**_SATTERTHWAITE * effective ** (1 - _SATTERTHWAITE)
    return np.asarray(np.maximum(mixed, 1.0))


def _ends(
    value: np.ndarray, error: np.ndarray, far: np.ndarray, scale: Scale
) -> tuple[np.ndarray, np.ndarray]:
    """Shares are taken on their logits and positive figures on their logarithms: a product that
    is read well moves them less than one that is read badly, and no end leaves the range."""
    if scale.kind == "difference":
        low, high = value - far * error, value + far * error
    elif scale.kind == "positive":
        safe = np.maximum(value, np.finfo(float).tiny)
        factor = np.exp(np.minimum(far * error / safe, 700))
        low, high = value / factor, value * factor
    else:
        top = scale.top
        share = np.clip(value / top, 1e-12, 1 - 1e-12)
        reach = far * (error / top) / (share * (1 - share))
        low, high = (
            top * expit(logit(share) - reach),
            top * expit(logit(share) + reach),
        )
    # Where nothing varies the ends are the value, to the last bit.
    still = error == 0
    return np.where(still, value, low), np.where(still, value, high)


def _at_the_edge(
    value: np.ndarray,
    error: np.ndarray,
    fewest: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray],
    top: float,
    level: float,
) -> tuple[np.ndarray, np.ndarray]:
    """All right or all wrong: the exact binomial interval (Clopper and Pearson 1934) of as many
    rows as the rarest class has."""
    reach = beta.ppf((1 + level) / 2, 1, np.maximum(fewest, 1))
    low, high = ends
    still = error == 0
    low = np.where(still & (value >= top), top * (1 - reach), low)
    high = np.where(still & (value <= 0), top * reach, high)
    return low, high
