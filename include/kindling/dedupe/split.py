"""Which split a product is in: by a hash of its name, so that tonight's golden rows are last night's."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scipy.cluster.hierarchy import DisjointSet

from kindling.errors import DataError
from kindling.records import SPLITS, Split

#: Part of every product's hash. Changing it moves every golden row: never do.
_SALT = "kindling-split-1"


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
class Joined:
    """Products in groups that may not be parted, and the links that would have made a group too large."""

    groups: tuple[tuple[str, ...], ...]
    refused: int


def join(
    groups: Iterable[Iterable[str]],
    links: Iterable[Sequence[str]],
    weights: Mapping[str, int] | None = None,
    cap: float = float("inf"),
) -> Joined:
    """Merge groups of products that share a link; a merge beyond `cap` (in summed `weights`) is refused.

    Links are worked off in their order. Groups come back sorted, as do the products in them.
    """
    members = [list(group) for group in groups]
    linked = DisjointSet([product for group in members for product in group])
    for group in members:
        for product in group[1:]:
            linked.merge(group[0], product)
    weights = weights or {}
    weight = {
        linked[group[0]]: sum(weights.get(one, 0) for one in linked.subset(group[0]))
        for group in members
    }
    refused = 0
    for link in links:
        for product in link[1:]:
            a, b = linked[link[0]], linked[product]
            if a == b:
                continue
            if weight[a] + weight[b] > cap:
                refused += 1
                continue
            linked.merge(a, b)
            weight[linked[a]] = weight[a] + weight[b]
    return Joined(
        tuple(sorted(tuple(sorted(subset)) for subset in linked.subsets())), refused
    )


def by_hash(group: Sequence[str], shares: Shares) -> Split:
    """The group's split from its smallest product id alone: no other row can move it."""
    point = _point(group)
    if point < shares.golden:
        return "golden"
    return "validation" if point < shares.golden + shares.validation else "train"


def balanced(
    groups: Sequence[Sequence[str]],
    counts: Mapping[str, Mapping[str, int]],
    shares: Shares,
) -> dict[str, Split]:
    """A split for a catalogue too small for hashing: each group goes where most of its kind is missing.

    The largest groups first, then by hash. `counts` holds each product's reviews by stratum (a sentiment,
    a category): what is missing is measured for each, so that every split gets all of them where the
    groups allow. Deterministic, but a new product may move another. Raises DataError for fewer than
    three groups.
    """
    if len(groups) < len(SPLITS):
        raise DataError(
            f"{len(groups)} separate product groups cannot fill {len(SPLITS)} splits; "
            "scrape more products, or check that their reviews are not copies of one another"
        )
    held = {
        tuple(group): _summed(counts.get(product, {}) for product in group)
        for group in groups
    }
    total = _summed(held.values())
    placed: dict[Split, Counter[str]] = {split: Counter() for split in SPLITS}
    left = sorted(held, key=lambda group: (-held[group].total(), _point(group)))
    result: dict[str, Split] = {}
    while left:
        choices = _owed(left, held, placed)
        group = left.pop(0)
        split = max(
            choices,
            key=lambda one: (
                _missing(placed[one], total, held[group], shares.of(one)),
                one,
            ),
        )
        placed[split] += held[group]
        result.update(dict.fromkeys(group, split))
    return result


def _owed(
    left: Sequence[tuple[str, ...]],
    held: Mapping[tuple[str, ...], Counter[str]],
    placed: Mapping[Split, Counter[str]],
) -> Sequence[Split]:
    """Splits that the next group may go to: those without any of a stratum, once it is getting too rare to wait."""
    empty = [split for split in SPLITS if not placed[split].total()]
    if len(left) <= len(empty):
        return empty
    holders = _summed(dict.fromkeys(held[group], 1) for group in left)
    for stratum in sorted(held[left[0]], key=lambda one: (holders[one], one)):
        without = [split for split in SPLITS if not placed[split][stratum]]
        if without and holders[stratum] <= len(without):
            return without
    return SPLITS


def _missing(
    placed: Counter[str], total: Counter[str], here: Counter[str], share: float
) -> float:
    """Share of all reviews that a split still lacks, summed over the strata that the group would bring."""
    return sum(
        count * (share - placed[stratum] / total[stratum])
        for stratum, count in here.items()
    )


def _summed(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for some in counts:
        total.update(some)
    return +total  # Without zeros: a stratum is held or it is not.


def _point(group: Sequence[str]) -> float:
    digest = hashlib.sha256(f"{_SALT}/{min(group)}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
