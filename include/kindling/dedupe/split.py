"""Which split a product is in: shares as asked, many products in each, and nobody moves later."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from kindling.errors import DataError
from kindling.records import SPLITS, Split

#: Part of every product's hash, which settles ties.
_SALT = "kindling-split-1"
#: Parts of golden that a group may bring at most, one in so many; 1 asks for nothing.
_SPREADS = (24, 20, 16, 12, 8, 5, 3, 2, 1)
#: Groups up to this many times their cap may be cut to it: the rest of their rows is lost.
_REACHES = (1.0, 2.0)
#: Validation judges less and may be made of larger groups.
_VALIDATION_SPREAD = 0.5
#: What a group's own strata count against rows in all, and where the latter's say ends.
_OWN_STRATA = 0.3
_URGENT = 3.0
#: Golden and validation rows may miss their share by this much before fewer products are tried.
_TOLERANCE = 0.02


@dataclass(frozen=True)
class Shares:
    """Wanted share of reviews a split; train has the rest."""

    golden: float
    validation: float

    def of(self, split: Split) -> float:
        """The share of one split."""
        return {
            "golden": self.golden,
            "validation": self.validation,
            "train": 1 - self.golden - self.validation,
        }[split]


@dataclass(frozen=True)
class Limits:
    """How large a group may be in golden: one part in `spread`, cut from `reach` times that."""

    spread: float = 1.0
    reach: float = 1.0

    def caps(self, shares: Shares) -> dict[Split, float]:
        """Share of all rows that one group may bring to each split."""
        unbound = self.spread <= 1
        golden = shares.golden / self.spread
        validation = shares.validation / (_VALIDATION_SPREAD * self.spread)
        return {
            "golden": np.inf if unbound else golden,
            "validation": np.inf if unbound else validation,
            "train": np.inf,
        }


@dataclass(frozen=True)
class Joined:
    """Products in groups that stay together, and the links that were refused."""

    groups: tuple[tuple[str, ...], ...]
    refused: int


@dataclass(frozen=True)
class Assigned:
    """Every product's split, and how many equal products golden was spread over at least."""

    splits: Mapping[str, Split]
    spread: int
    #: Share of all reviews that one group may bring to each split.
    caps: Mapping[Split, float]


def join(
    groups: Iterable[Iterable[str]],
    links: Iterable[Sequence[str]],
    weights: Mapping[str, int] | None = None,
    cap: float = float("inf"),
    frozen: Mapping[str, Split] | None = None,
) -> Joined:
    """Merge groups of products that share a link, in the order of the links.

    A merge beyond `cap` (in summed `weights`) is refused, and so is one of products that are
    `frozen` in different splits. Groups come back sorted, as do the products in them.
    """
    members = [list(group) for group in groups]
    linked = DisjointSet([product for group in members for product in group])
    for group in members:
        for product in group[1:]:
            linked.merge(group[0], product)
    weights, frozen = weights or {}, frozen or {}
    weight: dict[str, int] = {}
    fixed: dict[str, set[Split]] = {}
    for group in members:
        subset = linked.subset(group[0])
        weight[linked[group[0]]] = sum(weights.get(one, 0) for one in subset)
        fixed[linked[group[0]]] = {frozen[one] for one in subset if one in frozen}
    refused = 0
    for link in links:
        for product in link[1:]:
            a, b = linked[link[0]], linked[product]
            if a == b:
                continue
            if weight[a] + weight[b] > cap or len(fixed[a] | fixed[b]) > 1:
                refused += 1
                continue
            linked.merge(a, b)
            weight[linked[a]] = weight[a] + weight[b]
            fixed[linked[a]] = fixed[a] | fixed[b]
    return Joined(
        tuple(sorted(tuple(sorted(subset)) for subset in linked.subsets())), refused
    )


def assign(
    groups: Sequence[Sequence[str]],
    counts: Mapping[str, Mapping[str, int]],
    shares: Shares,
    frozen: Mapping[str, Split] | None = None,
    needed: Collection[str] | None = None,
) -> Assigned:
    """Splits whose golden rows come from as many products as the shares allow.

    A few large products would fill golden to its share and judge nothing: their rows are
    alike. So a group may bring no more than one part in `spread` of the rows that golden
    wants; the largest `spread` is taken at which golden and validation still get nearly what
    was asked. Groups somewhat above are cut to that size where there are too few below.
    """
    best: tuple[float, Assigned] | None = None
    for spread in _SPREADS:
        for reach in _REACHES:
            limits = Limits(spread, reach)
            splits = balanced(groups, counts, shares, frozen, needed, limits)
            caps = limits.caps(shares)
            miss = _missed(groups, splits, counts, shares, caps)
            if miss <= _TOLERANCE:
                return Assigned(splits, spread, caps)
            if best is None or miss < best[0]:
                best = miss, Assigned(splits, spread, caps)
    assert best is not None
    return best[1]


def balanced(
    groups: Sequence[Sequence[str]],
    counts: Mapping[str, Mapping[str, int]],
    shares: Shares,
    frozen: Mapping[str, Split] | None = None,
    needed: Collection[str] | None = None,
    limits: Limits | None = None,
) -> dict[str, Split]:
    """Each group goes where most of its kind is missing; the largest first, then by hash.

    `counts` holds each product's reviews by stratum (a sentiment, a category): what is missing
    is measured for each. A stratum that is `needed` (all of them if None) is kept for the
    splits that have none of it once it gets too rare to wait. Products that are `frozen` stay
    where they are, and their group with them. Raises DataError for fewer than three groups.
    """
    if len(groups) < len(SPLITS):
        raise DataError(
            f"{len(groups)} separate product groups cannot fill {len(SPLITS)} splits; "
            "scrape more products, or check that their reviews are not copies of one another"
        )
    frozen = frozen or {}
    table = _Table(groups, counts, shares, needed, limits or Limits())
    result: dict[str, Split] = {}
    waiting = []
    for index in table.order:
        fixed = next((frozen[one] for one in groups[index] if one in frozen), None)
        if fixed is None:
            waiting.append(index)
            continue
        table.place(index, fixed)
        result.update(dict.fromkeys(groups[index], fixed))
    for left, index in zip(range(len(waiting), 0, -1), waiting, strict=True):
        split = table.best(index, left)
        table.place(index, split)
        result.update(dict.fromkeys(groups[index], split))
    return result


def effective_number(sizes: Iterable[int]) -> float:
    """(sum n)**2 / sum n**2 (Kish): of how many equal clusters the rows are worth; 0 for none."""
    values = np.fromiter(sizes, float)
    squares = float((values**2).sum())
    return float(values.sum()) ** 2 / squares if squares else 0.0


class _Table:
    """What each split holds of each stratum so far. Rows of the arrays: SPLITS or groups."""

    def __init__(
        self,
        groups: Sequence[Sequence[str]],
        counts: Mapping[str, Mapping[str, int]],
        shares: Shares,
        needed: Collection[str] | None,
        limits: Limits,
    ) -> None:
        strata = sorted({name for one in counts.values() for name in one})
        column = {name: index for index, name in enumerate(strata)}
        self._held = [_summed(group, counts, column) for group in groups]
        self._shares = np.array([shares.of(split) for split in SPLITS])
        self._total = np.zeros(len(strata))
        self._holders = np.zeros(len(strata), int)
        for where, rows in self._held:
            self._total[where] += rows
            self._holders[where] += 1
        self._needed = np.array(
            [needed is None or name in needed for name in strata], bool
        )
        self._placed = np.zeros((len(SPLITS), len(strata)))
        self._groups = np.zeros(len(SPLITS), int)
        self._size = [float(rows.sum()) for _, rows in self._held]
        caps = limits.caps(shares)
        self._cap = np.array([caps[split] for split in SPLITS]) * sum(self._size)
        self._reach = self._cap * limits.reach
        self._rows = np.zeros(len(SPLITS))
        self._left = np.zeros(len(SPLITS))
        for index in range(len(groups)):
            self._left += self._room(index)
        points = [_point(group) for group in groups]
        self.order = sorted(
            range(len(groups)),
            key=lambda index: (-self._size[index], points[index]),
        )

    def place(self, index: int, split: Split) -> None:
        """Put a group into a split."""
        row = SPLITS.index(split)
        where, rows = self._held[index]
        used = self._used(index)
        self._placed[row, where] += rows * used[row]
        self._rows[row] += self._size[index] * used[row]
        self._holders[where] -= 1
        self._groups[row] += 1
        self._left -= self._room(index)

    def _used(self, index: int) -> np.ndarray:
        """The part of a group's rows that each split would take."""
        return np.minimum(1.0, self._cap / max(self._size[index], 1.0))

    def _room(self, index: int) -> np.ndarray:
        """Rows that each split could take of a group; none of one that is out of its reach."""
        return np.where(
            self._size[index] <= self._reach, self._size[index] * self._used(index), 0.0
        )

    def best(self, index: int, left: int) -> Split:
        """The split that lacks most of what the group brings, among those it may go to.

        Each split lacks rows in all, against what is left that may go to it, and rows of the
        group's own strata.
        """
        where, rows = self._held[index]
        lacks = self._shares[:, None] - self._placed[:, where] / self._total[where]
        own = (rows * lacks).sum(axis=1) / max(rows.sum(), 1.0)
        wanted = self._shares * sum(self._size) - self._rows
        pressure = wanted / np.maximum(self._left, 1e-9)
        need = np.clip(pressure, -_URGENT, _URGENT) + _OWN_STRATA * own
        choices = self._choices(index, left)
        return max(
            (SPLITS[row] for row in choices),
            key=lambda split: (need[SPLITS.index(split)], split),
        )

    def _choices(self, index: int, left: int) -> list[int]:
        every = range(len(SPLITS))
        empty = [row for row in every if not self._groups[row]]
        if left <= len(empty):
            return empty
        roomy = [row for row in every if self._size[index] <= self._reach[row]]
        owed = self._owed(index)
        return [row for row in owed if row in roomy] or owed or roomy

    def _owed(self, index: int) -> list[int]:
        """Splits without any of the group's rarest needed stratum, once it cannot wait."""
        where, _ = self._held[index]
        where = where[self._needed[where]]
        without = self._placed[:, where] == 0
        lacking = without.sum(axis=0)
        urgent = (lacking > 0) & (self._holders[where] <= lacking)
        if not urgent.any():
            return []
        rarest = np.flatnonzero(urgent)[np.argmin(self._holders[where][urgent])]
        return [int(row) for row in np.flatnonzero(without[:, rarest])]


def _summed(
    group: Sequence[str],
    counts: Mapping[str, Mapping[str, int]],
    column: Mapping[str, int],
) -> tuple[np.ndarray, np.ndarray]:
    """(columns, rows) of one group's strata; strata without rows are left out."""
    total: Counter[str] = Counter()
    for product in group:
        total.update(counts.get(product, {}))
    held = sorted((column[name], rows) for name, rows in total.items() if rows)
    where = np.array([name for name, _ in held], int)
    return where, np.array([rows for _, rows in held], float)


def _missed(
    groups: Sequence[Sequence[str]],
    splits: Mapping[str, Split],
    counts: Mapping[str, Mapping[str, int]],
    shares: Shares,
    caps: Mapping[Split, float],
) -> float:
    """By how much golden or validation, whichever is worse, misses its share of rows."""
    rows: dict[Split, float] = dict.fromkeys(SPLITS, 0.0)
    sizes = [
        sum(sum(counts.get(product, {}).values()) for product in group)
        for group in groups
    ]
    total = sum(sizes) or 1
    for group, size in zip(groups, sizes, strict=True):
        split = splits[group[0]]
        rows[split] += min(size / total, caps[split])
    return max(
        abs(rows[split] - shares.of(split)) for split in SPLITS if split != "train"
    )


def _point(group: Sequence[str]) -> float:
    digest = hashlib.sha256(f"{_SALT}/{min(group)}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
