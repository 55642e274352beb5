"""A night's decisions from its rows alone: copies, splits, and what the golden border takes out."""

import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kindling.dedupe.accounts import (
    photo_decisions,
    photo_rejections,
    review_rejections,
)
from kindling.dedupe.clusters import Clustering, Member
from kindling.dedupe.figures import night_figures
from kindling.dedupe.leakage import (
    PhotoBorder,
    Withheld,
    at_border,
    check_text,
    moved_into_golden,
    photo_border,
)
from kindling.dedupe.photos import photo_clusters
from kindling.dedupe.placement import (
    Catalogue,
    Membership,
    Placement,
    Wanted,
    beyond_share,
    place,
)
from kindling.dedupe.split import Shares
from kindling.dedupe.texts import Rules
from kindling.errors import DataError
from kindling.ports.rows import Outline
from kindling.records import (
    SENTIMENTS,
    SPLITS,
    DedupeDecision,
    Photo,
    PhotoDecision,
    Rejection,
    Review,
    Split,
    sentiment_of,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scraped:
    """What a night has scraped: reviews, photos, and each photo's perceptual hash."""

    #: Without their words where it is known who is whose copy.
    reviews: Sequence[Review] | Sequence[Outline]
    photos: Sequence[Photo]
    hashes: Mapping[str, int]


@dataclass(frozen=True)
class Compared:
    """Who is whose copy among all reviews."""

    clustering: Clustering
    #: Reviews that stand and repeat one that was learned from and is not in the shop any more.
    seen: Mapping[str, Withheld]


@dataclass(frozen=True)
class Plan:
    """How a night is to be deduped and split."""

    rules: Rules
    #: Hamming distance up to which two photos are one picture.
    photo_distance: int
    shares: Shares
    #: Share of all reviews up to which links join products.
    group_cap: float
    #: Reviews of a niche category that stay in train; None for all.
    niche_seeds: int | None

    def wanted(self, niche: Sequence[str]) -> Wanted:
        """What the splits should be like, with the niche in each."""
        strata = (f"{one}/{kind}" for one in niche for kind in SENTIMENTS)
        needed = frozenset((*SENTIMENTS, *strata))
        return Wanted(self.shares, self.group_cap, needed)


@dataclass(frozen=True)
class Decided:
    """A night's work without its stores; `membership` is what the next night has to know."""

    decisions: tuple[DedupeDecision, ...]
    photo_decisions: tuple[PhotoDecision, ...]
    rejections: tuple[Rejection, ...]
    membership: Membership
    figures: Mapping[str, Any]


def decided(
    scraped: Scraped,
    compared: Compared,
    plan: Plan,
    niche: Sequence[str],
    known: Membership,
) -> Decided:
    """Decisions for all reviews, given what earlier nights decided.

    A product or kept review that is `known` never changes its split: what turns out to be
    alike across the golden border is taken out on the other side.
    """
    reviews = scraped.reviews
    clustering = compared.clustering
    log.info(
        "%d reviews: %d clusters of copies, %d candidate pairs verified, %d opposite edges refused",
        len(reviews),
        clustering.clusters,
        clustering.candidates_verified,
        clustering.opposite_refused,
    )
    pictures = photo_clusters(scraped.hashes, plan.photo_distance)
    log.info("%d photos: %d pictures", len(scraped.photos), len(pictures))
    placement = place(
        _catalogue(scraped, clustering, pictures), plan.wanted(niche), known
    )
    splits = _splits(reviews, placement, known)
    withheld = _withheld(reviews, compared, splits, known)
    reasons = _reasons(scraped, clustering, placement, known, withheld)
    border = photo_border(pictures, _sides(scraped, placement, splits), known.photos)
    decisions = [
        _decision(member, splits[member.review_id], reasons, photo_id, border)
        for member, photo_id in _with_photos(clustering.members, reviews)
    ]
    category = {one.review_id: one.category for one in reviews if one.category in niche}
    decisions = _without_surplus_seeds(decisions, category, known, plan.niche_seeds)
    kept = {one.review_id: one.split for one in decisions if one.kept}
    check_text(clustering.apart, kept)
    _check_splits(kept.values())
    shown = photo_decisions(scraped.photos, placement, border)
    return Decided(
        decisions=tuple(decisions),
        photo_decisions=shown,
        rejections=(
            *review_rejections(decisions, withheld),
            *photo_rejections(scraped.photos, shown),
        ),
        membership=_remembered(scraped, clustering, placement, border, kept, known),
        figures=night_figures(
            (reviews, scraped.photos, decisions),
            clustering,
            pictures,
            placement,
            niche,
        ),
    )


def _catalogue(
    scraped: Scraped, clustering: Clustering, pictures: Sequence[frozenset[str]]
) -> Catalogue:
    kept = {member.review_id for member in clustering.members if member.kept}
    users = _users(scraped.reviews, scraped.photos)
    shown = {product for products in users.values() for product in products}
    listed = {review.product_id for review in scraped.reviews}
    counts: dict[str, Counter[str]] = {one: Counter() for one in shown | listed}
    for review in scraped.reviews:
        if review.review_id in kept:
            sentiment = sentiment_of(review.rating)
            strata = (sentiment, f"{review.category}/{sentiment}")
            counts[review.product_id].update(strata)
    return Catalogue(
        counts=counts,
        weights=Counter(review.product_id for review in scraped.reviews),
        text_links=_text_links(scraped.reviews, clustering),
        pictures=pictures,
        users=users,
    )


def _users(
    reviews: Iterable[Review | Outline], photos: Iterable[Photo]
) -> dict[str, set[str]]:
    """Photo id -> products on whose pages it stands."""
    users = {photo.photo_id: {photo.product_id} for photo in photos}
    for review in reviews:
        if review.photo_id in users:
            users[review.photo_id].add(review.product_id)
    return users


def _text_links(
    reviews: Iterable[Review | Outline], clustering: Clustering
) -> list[frozenset[str]]:
    """Products that copies of one text are on; short texts never leave their product."""
    product_of = {review.review_id: review.product_id for review in reviews}
    tied: dict[str, set[str]] = defaultdict(set)
    for member in clustering.members:
        tied[member.representative].add(product_of[member.review_id])
    apart = [{product_of[a], product_of[b]} for a, b, _ in clustering.apart]
    return [
        frozenset(products)
        for products in [*tied.values(), *apart]
        if len(products) > 1
    ]


def _splits(
    reviews: Iterable[Review | Outline], placement: Placement, known: Membership
) -> dict[str, Split]:
    """Each review's split: its own where it is known, else its product's."""
    return {
        review.review_id: known.reviews.get(
            review.review_id, placement.splits[review.product_id]
        )
        for review in reviews
    }


def _withheld(
    reviews: Iterable[Review | Outline],
    compared: Compared,
    splits: Mapping[str, Split],
    known: Membership,
) -> dict[str, Withheld]:
    """Kept reviews that the golden border takes out."""
    product_of = {review.review_id: review.product_id for review in reviews}
    seen = {
        one: why
        for one, why in compared.seen.items()
        if splits[one] == "golden" and one not in known.reviews
    }
    return {
        **at_border(compared.clustering.apart, splits, known.reviews),
        **seen,
        **moved_into_golden(product_of, known),
    }


def _reasons(
    scraped: Scraped,
    clustering: Clustering,
    placement: Placement,
    known: Membership,
    withheld: Mapping[str, Withheld],
) -> dict[str, str]:
    """Why a review that no other stands for goes no further all the same."""
    splits = _splits(scraped.reviews, placement, known)
    product_of = {one.review_id: one.product_id for one in scraped.reviews}
    kept = [
        one.review_id
        for one in clustering.members
        if one.kept and one.review_id not in withheld
    ]
    rows = [(one, product_of[one], splits[one]) for one in kept]
    rank = {one: _hash(one) for one in kept}
    beyond = beyond_share(rows, placement, known, rank)
    return {
        **{one: why.reason for one, why in withheld.items()},
        **dict.fromkeys(beyond, "beyond_product_share"),
    }


def _sides(
    scraped: Scraped, placement: Placement, splits: Mapping[str, Split]
) -> dict[str, set[Split]]:
    """Photo -> the splits that show it: its page's and its reviews'."""
    sides = {
        photo.photo_id: {placement.splits[photo.product_id]} for photo in scraped.photos
    }
    for review in scraped.reviews:
        if review.photo_id in sides:
            sides[review.photo_id].add(splits[review.review_id])
    return sides


def _with_photos(
    members: Iterable[Member], reviews: Iterable[Review | Outline]
) -> list[tuple[Member, str | None]]:
    photo_of = {review.review_id: review.photo_id for review in reviews}
    return [(member, photo_of[member.review_id]) for member in members]


def _decision(
    member: Member,
    split: Split,
    reasons: Mapping[str, str],
    photo_id: str | None,
    border: PhotoBorder,
) -> DedupeDecision:
    reason = reasons.get(member.review_id) if member.kept else None
    lost = border.inside if split == "golden" else border.outside
    return DedupeDecision(
        review_id=member.review_id,
        cluster_id=member.representative,
        kept=member.kept and reason is None,
        reason=reason or member.reason,
        similarity=member.similarity,
        split=split,
        photo_kept=photo_id not in lost,
    )


def _without_surplus_seeds(
    decisions: Sequence[DedupeDecision],
    category: Mapping[str, str],
    known: Membership,
    seeds: int | None,
) -> list[DedupeDecision]:
    """Kept train reviews of a niche category end after the first `seeds`.

    Those that an earlier night kept come first, then the order of their ids' hashes: a new review
    drives no seed out. `category` has the reviews of the niche.
    """
    if seeds is None:
        return list(decisions)
    rows: dict[str, list[str]] = defaultdict(list)
    for one in decisions:
        if one.kept and one.split == "train" and one.review_id in category:
            rows[category[one.review_id]].append(one.review_id)

    def rank(review_id: str) -> tuple[bool, str]:
        return review_id not in known.reviews, _hash(review_id)

    surplus = {one for ids in rows.values() for one in sorted(ids, key=rank)[seeds:]}
    return [
        replace(one, kept=False, reason="beyond_niche_seeds")
        if one.review_id in surplus
        else one
        for one in decisions
    ]


def _remembered(
    scraped: Scraped,
    clustering: Clustering,
    placement: Placement,
    border: PhotoBorder,
    kept: Mapping[str, Split],
    known: Membership,
) -> Membership:
    """What the next night has to know."""
    photos: dict[str, Split] = {}
    for one, sides in _sides(
        scraped, placement, _splits(scraped.reviews, placement, known)
    ).items():
        golden = ("golden" in sides or one in border.outside) and (
            one not in border.inside
        )
        photos[one] = "golden" if golden else min(sides - {"golden"}, default="train")
    learned = {
        one.review_id: one
        for one in clustering.leaders
        if kept.get(one.review_id, "golden") != "golden"
    }
    return Membership(
        products={**known.products, **placement.splits},
        reviews={**known.reviews, **kept},
        photos={**photos, **known.photos},
        learned={**learned, **known.learned},
    )


def _hash(review_id: str) -> str:
    return hashlib.sha256(review_id.encode()).hexdigest()


def _check_splits(kept: Iterable[Split]) -> None:
    counts = Counter(kept)
    empty = [split for split in SPLITS if not counts[split]]
    if empty:
        raise DataError(
            f"no review is left for the split {', '.join(empty)} ({dict(counts)}); "
            "scrape more products, or change golden_share and validation_share"
        )
