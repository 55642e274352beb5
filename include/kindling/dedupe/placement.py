"""From links between products to splits: what belongs together stays together, up to a limit."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kindling.dedupe.leading import Leader
from kindling.dedupe.split import Shares, assign, join
from kindling.records import Split

#: A text or picture on more products than this is the shop's or a phrase: it ties nothing.
_STOCK = 5


@dataclass(frozen=True)
class Membership:
    """What earlier nights decided. Nothing in here ever changes; a night only adds."""

    #: Product -> its split.
    products: Mapping[str, Split] = field(default_factory=dict)
    #: Review that was kept -> its split.
    reviews: Mapping[str, Split] = field(default_factory=dict)
    #: Photo -> the split that used it first.
    photos: Mapping[str, Split] = field(default_factory=dict)
    #: Kept review outside golden -> its text and signature: once the shop has taken it away,
    #: this is what tells that a new golden review is a copy of it.
    learned: Mapping[str, Leader] = field(default_factory=dict)


@dataclass(frozen=True)
class Catalogue:
    """What ties products together."""

    #: Product -> kept reviews by stratum (a sentiment, a category); every product is a key.
    counts: Mapping[str, Mapping[str, int]]
    #: Product -> reviews, copies too.
    weights: Mapping[str, int]
    #: Product sets that copies of one text stand on, one for each text.
    text_links: Iterable[frozenset[str]]
    #: Photo ids of one picture each.
    pictures: Sequence[frozenset[str]]
    #: Photo id -> products that show it.
    users: Mapping[str, Collection[str]]


@dataclass(frozen=True)
class Wanted:
    """What the splits should be like."""

    shares: Shares
    #: Share of all reviews up to which links join products.
    group_cap: float
    #: Strata that every split should have, where there are products enough.
    needed: frozenset[str]


@dataclass(frozen=True)
class Placement:
    """Every product's split, and how it came about."""

    splits: Mapping[str, Split]
    #: Product -> the smallest product id of its group.
    group_of: Mapping[str, str]
    spread: int
    #: Share of all kept reviews that one group may bring to each split.
    caps: Mapping[Split, float]
    text_links_refused: int
    photo_links_refused: int


def place(catalogue: Catalogue, wanted: Wanted, known: Membership) -> Placement:
    """Join linked products, then give each group a split; known products keep theirs.

    Deterministic. Raises DataError for fewer than three groups.
    """
    products = sorted(catalogue.counts)
    cap = wanted.group_cap * sum(catalogue.weights.values())
    by_text = join(
        [[product] for product in products],
        _strongest_first(catalogue.text_links),
        catalogue.weights,
        cap,
        known.products,
    )
    shown_on = (
        frozenset(
            product for photo in picture for product in catalogue.users.get(photo, ())
        )
        for picture in catalogue.pictures
    )
    joined = join(
        by_text.groups,
        _strongest_first(shown_on),
        catalogue.weights,
        cap,
        known.products,
    )
    assigned = assign(
        joined.groups, catalogue.counts, wanted.shares, known.products, wanted.needed
    )
    return Placement(
        splits=assigned.splits,
        group_of={one: group[0] for group in joined.groups for one in group},
        spread=assigned.spread,
        caps=assigned.caps,
        text_links_refused=by_text.refused,
        photo_links_refused=joined.refused,
    )


def _strongest_first(links: Iterable[frozenset[str]]) -> list[tuple[str, ...]]:
    """Links that most texts make come first, then those between the fewest products."""
    seen = Counter(link for link in links if 1 < len(link) <= _STOCK)
    ordered = sorted(
        (-times, len(link), tuple(sorted(link))) for link, times in seen.items()
    )
    return [products for _, _, products in ordered]


def beyond_share(
    rows: Iterable[tuple[str, str, Split]],
    placement: Placement,
    known: Membership,
    rank: Mapping[str, str],
) -> set[str]:
    """Reviews of golden and validation groups that have brought their share already.

    `rows` are (review id, product id, split) of all kept reviews. What earlier nights kept
    stays and counts first; of the others those with the lowest `rank`.
    """
    rows = list(rows)
    held: dict[tuple[str, Split], list[str]] = defaultdict(list)
    for review_id, product_id, split in rows:
        if split != "train":
            held[placement.group_of[product_id], split].append(review_id)
    beyond: set[str] = set()
    for (_, split), ids in held.items():
        limit = placement.caps[split] * len(rows)
        if len(ids) > limit:
            ids.sort(key=lambda one: (one not in known.reviews, rank[one]))
            over = ids[max(1, int(limit)) :]
            beyond.update(one for one in over if one not in known.reviews)
    return beyond
