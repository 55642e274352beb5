"""Drop copies, cluster near-duplicates, and give every review its split before anything learns from it."""

import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kindling.dedupe.clusters import Clustering, Rules, cluster
from kindling.dedupe.leakage import check_text, crossing
from kindling.dedupe.photos import perceptual_hash, photo_clusters, stock_photos
from kindling.dedupe.split import Shares, balanced, by_hash, join
from kindling.errors import DataError
from kindling.ports.objects import ObjectStore
from kindling.recipe import DedupeConfig
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
from kindling.stages.contract import Context, Outcome
from kindling.stages.view import Unsplit

log = logging.getLogger(__name__)


class Needs(Protocol):
    """What the stage is handed."""

    unsplit: Unsplit
    objects: ObjectStore


@dataclass(frozen=True)
class _Placement:
    """Every product's split, and the photo clusters that the holdout and the rest still share."""

    splits: Mapping[str, Split]
    rule: str
    groups: int
    shared_photos: frozenset[str]
    photo_links_refused: int


def run(config: DedupeConfig, context: Context, needs: Needs) -> Outcome:
    """One decision for every scraped review; DataError when a split stays empty or a copy would leak."""
    reviews = needs.unsplit.reviews()
    photos = needs.unsplit.photos()
    if not reviews:
        raise DataError(
            f"run {context.run_id!r} has no scraped review to dedupe; look at the scrape report"
        )
    clustering = cluster(
        reviews,
        Rules(config.shingle, config.permutations, config.threshold, config.short_text),
    )
    log.info(
        "%d reviews: %d clusters of copies, %d candidate pairs verified, %d opposite edges refused",
        len(reviews),
        clustering.clusters,
        clustering.candidates_verified,
        clustering.opposite_refused,
    )
    pictures = photo_clusters(
        {
            photo.photo_id: perceptual_hash(
                photo.photo_id, needs.objects.get(photo.uri)
            )
            for photo in photos
        },
        config.photo_distance,
    )
    log.info("%d photos: %d pictures", len(photos), len(pictures))
    users = _users(reviews, photos)
    placement = _place(reviews, clustering, pictures, users, config)
    decisions = _decisions(
        reviews, clustering, placement, context.niche, config.niche_seeds
    )
    kept = {
        decision.review_id: decision.split for decision in decisions if decision.kept
    }
    check_text(
        clustering.apart, {decision.review_id: decision.split for decision in decisions}
    )
    _check_splits(kept.values())
    rejections = [*_rejections(decisions), *_photo_rejections(photos, placement)]
    return Outcome(
        rows_in=len(reviews),
        rows_out=len(kept),
        records=[*decisions, *_photo_decisions(photos, placement)],
        rejections=rejections,
        figures=_figures(reviews, photos, clustering, pictures, placement, decisions),
        implementation={
            "near_duplicates": "datasketch MinHash-LSH, exact Jaccard",
            "photos": "imagehash pHash",
        },
    )


def _users(reviews: Iterable[Review], photos: Iterable[Photo]) -> dict[str, set[str]]:
    """Photo id -> products on whose pages it stands."""
    users = {photo.photo_id: {photo.product_id} for photo in photos}
    for review in reviews:
        if review.photo_id in users:
            users[review.photo_id].add(review.product_id)
    return users


def _place(
    reviews: Sequence[Review],
    clustering: Clustering,
    pictures: Sequence[frozenset[str]],
    users: Mapping[str, set[str]],
    config: DedupeConfig,
) -> _Placement:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for review in reviews:
        sentiment = sentiment_of(review.rating)
        counts[review.product_id].update((sentiment, f"{review.category}/{sentiment}"))
    weights = Counter(review.product_id for review in reviews)
    for products in users.values():
        for product in products:
            counts.setdefault(product, Counter())
    groups = join(
        [[product] for product in sorted(counts)],
        _text_links(reviews, clustering, config),
    ).groups
    # Fixed before photos are looked at: they must not tip a catalogue from one rule into the other.
    small = len(groups) < config.small_catalogue
    splits = _assign(groups, counts, config, small)
    links = [
        sorted({product for photo in picture for product in users.get(photo, ())})
        for picture in crossing(pictures, users, splits)
    ]
    joined = join(groups, links, weights, cap=config.group_cap * len(reviews))
    splits = _assign(joined.groups, counts, config, small)
    shared = crossing(pictures, users, splits)
    return _Placement(
        splits=splits,
        rule="balanced" if small else "hash",
        groups=len(joined.groups),
        shared_photos=frozenset(photo for picture in shared for photo in picture),
        photo_links_refused=joined.refused,
    )


def _text_links(
    reviews: Iterable[Review], clustering: Clustering, config: DedupeConfig
) -> list[list[str]]:
    """Products that copies of one text tie together; short texts never leave their product."""
    product_of = {review.review_id: review.product_id for review in reviews}
    tied: dict[str, set[str]] = defaultdict(set)
    for member in clustering.members:
        tied[member.representative].add(product_of[member.review_id])
    apart = [{product_of[a], product_of[b]} for a, b, _ in clustering.apart]
    return sorted(
        sorted(products) for products in [*tied.values(), *apart] if len(products) > 1
    )


def _assign(
    groups: Sequence[tuple[str, ...]],
    counts: Mapping[str, Counter[str]],
    config: DedupeConfig,
    small: bool,
) -> dict[str, Split]:
    shares = Shares(config.golden_share, config.validation_share)
    if small:
        return balanced(groups, counts, shares)
    return {product: by_hash(group, shares) for group in groups for product in group}


def _decisions(
    reviews: Sequence[Review],
    clustering: Clustering,
    placement: _Placement,
    niche: Sequence[str],
    niche_seeds: int | None,
) -> list[DedupeDecision]:
    by_id = {review.review_id: review for review in reviews}
    kept = [member.review_id for member in clustering.members if member.kept]
    surplus = _beyond_seeds(
        [by_id[one] for one in kept], placement.splits, niche, niche_seeds
    )
    decisions = []
    for member in clustering.members:
        review = by_id[member.review_id]
        split = placement.splits[review.product_id]
        beyond = member.review_id in surplus
        decisions.append(
            DedupeDecision(
                review_id=member.review_id,
                cluster_id=member.representative,
                kept=member.kept and not beyond,
                reason="beyond_niche_seeds" if beyond else member.reason,
                similarity=member.similarity,
                split=split,
                photo_kept=split == "golden"
                or review.photo_id not in placement.shared_photos,
            )
        )
    return decisions


def _beyond_seeds(
    reviews: Iterable[Review],
    splits: Mapping[str, Split],
    niche: Sequence[str],
    seeds: int | None,
) -> set[str]:
    """Train reviews of a niche category after the first `seeds`, in the order of their ids' hashes."""
    if seeds is None:
        return set()
    rows: dict[str, list[str]] = defaultdict(list)
    for review in reviews:
        if review.category in niche and splits[review.product_id] == "train":
            rows[review.category].append(review.review_id)
    return {one for ids in rows.values() for one in sorted(ids, key=_hash)[seeds:]}


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


def _rejections(decisions: Iterable[DedupeDecision]) -> list[Rejection]:
    return [
        Rejection(
            one.review_id,
            one.reason,
            ""
            if one.reason == "beyond_niche_seeds"
            else f"{one.cluster_id} stands for it, similarity {one.similarity:.3f}",
        )
        for one in decisions
        if not one.kept
    ]


def _photo_decisions(
    photos: Sequence[Photo], placement: _Placement
) -> list[PhotoDecision]:
    """A photo may be used outside the holdout unless a golden page shows the same picture."""
    decisions = []
    for photo in photos:
        golden = placement.splits[photo.product_id] == "golden"
        across = photo.photo_id in placement.shared_photos and not golden
        reason = "golden" if golden else "across_golden" if across else "free"
        decisions.append(
            PhotoDecision(photo.photo_id, not golden and not across, reason)
        )
    return decisions


def _photo_rejections(
    photos: Sequence[Photo], placement: _Placement
) -> list[Rejection]:
    """An account, for people, of the photos that no later stage may use."""
    product_of = {photo.photo_id: photo.product_id for photo in photos}
    return [
        Rejection(
            one.photo_id, "photo_across_golden", f"product {product_of[one.photo_id]}"
        )
        for one in _photo_decisions(photos, placement)
        if one.reason == "across_golden"
    ]


def _figures(
    reviews: Sequence[Review],
    photos: Sequence[Photo],
    clustering: Clustering,
    pictures: Sequence[frozenset[str]],
    placement: _Placement,
    decisions: Sequence[DedupeDecision],
) -> dict[str, object]:
    rating = {review.review_id: review.rating for review in reviews}
    sizes = Counter(
        (one.split, sentiment_of(rating[one.review_id]))
        for one in decisions
        if one.kept
    )
    stock = stock_photos(photos, pictures)
    return {
        "clusters": clustering.clusters,
        "candidate_pairs_verified": clustering.candidates_verified,
        "near_pairs": clustering.near_pairs,
        "opposite_polarity_edges_refused": clustering.opposite_refused,
        "product_groups": placement.groups,
        "split_rule": placement.rule,
        "split_sizes": {
            split: {sentiment: sizes[split, sentiment] for sentiment in SENTIMENTS}
            for split in SPLITS
        },
        "photo_clusters": sum(len(picture) > 1 for picture in pictures),
        "photos_in_clusters": sum(
            len(picture) for picture in pictures if len(picture) > 1
        ),
        "stock_photos_in_reviews": sum(review.photo_id in stock for review in reviews),
        "photo_links_refused": placement.photo_links_refused,
        "photos_dropped_at_golden_border": sum(
            one.kept and not one.photo_kept for one in decisions
        ),
    }
