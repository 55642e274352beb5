"""One review, one id: source, product, and the site's own id where it has one, else what the review says."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from kindling.errors import DataError
from kindling.records import Rejection, Review

#: A run stops when this share of its reviews is lost to ids that other texts have too, ...
_MAX_CONFLICTING_SHARE = 0.2
#: ... and there are this many of them, so that a handful of odd ones stops nothing.
_MIN_CONFLICTING = 10

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Candidate:
    """A usable review before its id is settled. `review.review_id` is the site's own id, or empty."""

    review: Review
    #: Names the review in a rejection, such as "https://shop.example/p/1#3".
    row_id: str
    #: The address that the site's id is a part of, where it is the fragment of one.
    address: str = ""

    @property
    def key(self) -> Key:
        """What makes it one review: product, id and its address, or product and content."""
        review = self.review
        if not review.review_id:
            return review.product_id, "", self.content
        return review.product_id, review.review_id, self.address

    @property
    def content(self) -> str:
        """16 hexadecimal digits: the same text on the same product is the same review."""
        review = self.review
        text = f"{review.product_id}\n{review.title}\n{review.body}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def settle(
    candidates: Iterable[Candidate], source: str = ""
) -> tuple[list[Review], list[Rejection]]:
    """Each review once with an id that no other has, and a rejection for every further one.

    Two reviews are one where product and the site's id are the same, or, without an id, product and text.
    An id that is the fragment of an address counts with that address, for many sites number the reviews of
    each page from one; the same id and text on two pages of a list (`?page=2`) are one review all the same.
    The id of the record is the site's own where no other product has it, else one with the product before
    it; `source` goes before both. DataError when many different texts share an id: then it is no id, and most
    reviews would be lost in silence.
    """
    kept: dict[Key, Candidate] = {}
    listed: set[tuple[str, str, str]] = set()
    rejections: list[Rejection] = []
    conflicting: list[Candidate] = []
    for one in candidates:
        key = one.key
        known = kept.get(key)
        if known is None and not (one.address and _on_list(one) in listed):
            kept[key] = one
            if one.address:
                listed.add(_on_list(one))
            continue
        rejections.append(_duplicate(one))
        if known is not None and known.content != one.content:
            conflicting.append(one)
    _check(conflicting, len(kept) + len(rejections))
    ids = _ids(kept)
    prefix = f"{source}:" if source else ""
    return [
        _named(one.review, f"{prefix}{ids[key]}"[:250]) for key, one in kept.items()
    ], rejections


def _named(review: Review, review_id: str) -> Review:
    if review.review_id == review_id:
        return review
    return replace(review, review_id=review_id)


def _on_list(one: Candidate) -> tuple[str, str, str]:
    """The review as part of a list, whichever of the list's pages it is on."""
    path = one.address.partition("#")[0].partition("?")[0]
    return path, one.review.review_id, one.content


def _duplicate(one: Candidate) -> Rejection:
    name = one.review.review_id or one.content
    return Rejection(one.row_id, "duplicate_id", f"review {name} is there already")


def _check(conflicting: list[Candidate], found: int) -> None:
    if (
        len(conflicting) < _MIN_CONFLICTING
        or len(conflicting) <= _MAX_CONFLICTING_SHARE * found
    ):
        return
    shown = ", ".join(
        f"{one.review.review_id!r} of product {one.review.product_id!r} ({one.row_id})"
        for one in conflicting[:3]
    )
    raise DataError(
        f"{len(conflicting)} of {found} reviews have the id of a review with another text, at most "
        f"{_MAX_CONFLICTING_SHARE:.0%} may: {shown}. What is read as their id is none; leave it out of the "
        "mapping, so that product and text tell them apart"
    )


def _ids(kept: Mapping[Key, Candidate]) -> dict[Key, str]:
    """The shortest id for each that only it has."""
    short, longer = defaultdict[str, int](int), defaultdict[str, int](int)
    for one in kept.values():
        name = one.review.review_id or one.content
        short[name] += 1
        longer[f"{one.review.product_id}:{name}"] += 1
    ids: dict[Key, str] = {}
    for key, one in kept.items():
        name = one.review.review_id or one.content
        wide = f"{one.review.product_id}:{name}"
        if short[name] == 1:
            ids[key] = name
        elif longer[wide] == 1 and wide not in short:
            ids[key] = wide
        else:
            digest = hashlib.sha256("\n".join(key).encode()).hexdigest()[:16]
            ids[key] = f"{wide}:{digest}"
    return ids
