"""The border of the golden holdout: nothing alike is on both sides, tonight or over the nights."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kindling.dedupe.clusters import cluster
from kindling.dedupe.leading import Leader
from kindling.dedupe.placement import Membership
from kindling.dedupe.texts import Rules, Written
from kindling.errors import DataError
from kindling.records import Review, Split


@dataclass(frozen=True)
class Withheld:
    """A review that neither trains nor judges, and why."""

    reason: str
    detail: str


def at_border(
    alike: Iterable[tuple[str, str, float]],
    splits: Mapping[str, Split],
    known: Mapping[str, Split],
) -> dict[str, Withheld]:
    """Of alike kept reviews, one golden and one not, the one that has to go.

    That is the one outside golden, unless an earlier night `known` has trained on it and the
    golden one is new: then the new one is no judge.
    """
    gone: dict[str, Withheld] = {}
    for a, b, similarity in alike:
        if (splits[a] == "golden") == (splits[b] == "golden"):
            continue
        golden, other = (a, b) if splits[a] == "golden" else (b, a)
        if other in known and golden not in known:
            gone[golden] = Withheld(
                "copy_seen_in_training",
                f"{other} ({splits[other]}) has been learned from, similarity {similarity:.3f}",
            )
        else:
            gone[other] = Withheld(
                "copy_across_golden", f"golden {golden}, similarity {similarity:.3f}"
            )
    return gone


def moved_into_golden(
    product_of: Mapping[str, str], known: Membership
) -> dict[str, Withheld]:
    """Known reviews from outside golden that are on a known golden product now."""
    return {
        review_id: Withheld(
            "moved_into_golden", f"was {known.reviews[review_id]}, product {product_id}"
        )
        for review_id, product_id in product_of.items()
        if known.products.get(product_id) == "golden"
        and known.reviews.get(review_id, "golden") != "golden"
    }


def copies_of_departed(
    reviews: Iterable[Review | Written],
    departed: Sequence[Leader],
    rules: Rules,
) -> dict[str, Withheld]:
    """New golden reviews that repeat one that was learned from and is not in the shop any more."""
    if not departed:
        return {}
    found = cluster(reviews, rules, leaders=departed)
    gone = {leader.review_id for leader in departed}
    pairs = [
        (one.review_id, one.representative, one.similarity)
        for one in found.members
        if not one.kept
    ]
    pairs += [(b, a, s) if a in gone else (a, b, s) for a, b, s in found.apart]
    return {
        one: Withheld(
            "copy_seen_in_training", f"{other} (departed), similarity {similarity:.3f}"
        )
        for one, other, similarity in pairs
        if other in gone
    }


def check_text(
    alike: Iterable[tuple[str, str, float]], splits: Mapping[str, Split]
) -> None:
    """DataError naming the first pair of alike reviews, both kept, of which just one is golden."""
    for a, b, similarity in alike:
        if a not in splits or b not in splits:
            continue
        if (splits[a] == "golden") != (splits[b] == "golden"):
            raise DataError(
                f"reviews {a} ({splits[a]}) and {b} ({splits[b]}) have similarity {similarity:.3f} "
                "and stand on two sides of the golden border; group their products"
            )


@dataclass(frozen=True)
class PhotoBorder:
    """Photos of pictures that golden rows share with others, by the side that loses them."""

    #: Lost outside golden.
    outside: frozenset[str]
    #: Lost in golden: an earlier night has learned from the picture.
    inside: frozenset[str]


def photo_border(
    pictures: Iterable[frozenset[str]],
    sides: Mapping[str, Iterable[Split]],
    known: Mapping[str, Split],
) -> PhotoBorder:
    """Who loses a picture that is on both sides of the golden border.

    `sides` maps a photo to the splits that show it tonight, `known` a photo to the split that
    used it first on an earlier night.
    """
    outside: set[str] = set()
    inside: set[str] = set()
    for picture in pictures:
        shown = {split == "golden" for one in picture for split in sides.get(one, ())}
        before = {known[one] == "golden" for one in picture if one in known}
        if False in before:
            inside |= picture
        elif len(shown | before) > 1:
            outside |= picture
    return PhotoBorder(frozenset(outside), frozenset(inside))
