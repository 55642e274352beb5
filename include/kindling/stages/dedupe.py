"""Drop copies, cluster near-duplicates, and give every review its split before anything learns from it."""

import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kindling.dedupe.clusters import Clustering, Member, Rules, cluster
from kindling.dedupe.figures import KeptRow, niche_figures, split_figures
from kindling.dedupe.leakage import (
    Withheld,
    at_border,
    check_text,
    moved_into_golden,
)
from kindling.dedupe.photos import perceptual_hash, photo_clusters, stock_photos
from kindling.dedupe.placement import (
    Catalogue,
    Membership,
    Placement,
    Wanted,
    beyond_share,
    place,
)
from kindling.dedupe.split import Shares
from kindling.errors import DataError
from kindling.recipe import DedupeConfig
from kindling.records import (
    SENTIMENTS,
    SPLITS,
    DedupeDecision,
    Photo,
    Rejection,
    Review,
    Split,
    sentiment_of,
)
from kindling.stages.contract import Context, Deps, Outcome

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scraped:
    """What a night has scraped: reviews, photos, and each photo's perceptual hash."""

    reviews: Sequence[Review]
    photos: Sequence[Photo]
    hashes: Mapping[str, int]


@dataclass(frozen=True)
class Decided:
    """The stage's work without its stores; `membership` is what the next night has to know."""

    decisions: tuple[DedupeDecision, ...]
    rejections: tuple[Rejection, ...]
    membership: Membership
    figures: Mapping[str, Any]


def run(config: DedupeConfig, context: Context, deps: Deps) -> Outcome:
    """One decision for every scraped review; DataError when a split stays empty or a copy would leak."""
    reviews = deps.rows.read(Review, context.run_id, origin="scraped")
    photos = deps.rows.read(Photo, context.run_id, origin="scraped")
    if not reviews:
        raise DataError(
            f"run {context.run_id!r} has no scraped review to dedupe; look at the scrape report"
        )
    hashes = {
        photo.photo_id: perceptual_hash(photo.photo_id, deps.objects.get(photo.uri))
        for photo in photos
    }
    decided = decide(
        Scraped(reviews, photos, hashes), config, context.niche, Membership()
    )
    return Outcome(
        rows_in=len(reviews),
        rows_out=sum(one.kept for one in decided.decisions),
        records=decided.decisions,
        rejections=decided.rejections,
        figures=decided.figures,
        implementation={
            "near_duplicates": "MinHash bands, exact Jaccard to the representative",
            "photos": "imagehash pHash",
        },
    )


def decide(
    scraped: Scraped, config: DedupeConfig, niche: Sequence[str], known: Membership
) -> Decided:
    """Decisions for all reviews, given the splits that earlier nights gave.

    A product or kept review that is `known` never changes its split: what turns out to be
    alike across the golden border is taken out on the other side.
    """
    reviews = scraped.reviews
    rules = Rules(
        config.shingle, config.permutations, config.threshold, config.short_text
    )
    clustering = cluster(reviews, rules, dict.fromkeys(known.reviews, 0))
    log.info(
        "%d reviews: %d clusters of copies, %d candidate pairs verified, %d opposite edges refused",
        len(reviews),
        clustering.clusters,
        clustering.candidates_verified,
        clustering.opposite_refused,
    )
    pictures = photo_clusters(scraped.hashes, config.photo_distance)
    log.info("%d photos: %d pictures", len(scraped.photos), len(pictures))
    catalogue = _catalogue(scraped, clustering, pictures)
    placement = place(catalogue, _wanted(config, niche), known)
    decisions = _decisions(scraped, clustering, placement, known, (niche, config))
    splits = {one.review_id: one.split for one in decisions if one.kept}
    check_text(clustering.apart, splits)
    _check_splits(splits.values())
    details = _details(reviews, clustering, placement, known)
    return Decided(
        decisions=tuple(decisions),
        rejections=(
            *_rejections(decisions, details),
            *_photo_rejections(scraped.photos, placement),
        ),
        membership=Membership(
            products={**known.products, **placement.splits},
            reviews={**known.reviews, **splits},
        ),
        figures=_figures(scraped, clustering, pictures, placement, decisions, niche),
    )


def _wanted(config: DedupeConfig, niche: Sequence[str]) -> Wanted:
    return Wanted(
        shares=Shares(config.golden_share, config.validation_share),
        group_cap=config.group_cap,
        needed=frozenset(
            (*SENTIMENTS, *(f"{one}/{kind}" for one in niche for kind in SENTIMENTS))
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


def _users(reviews: Iterable[Review], photos: Iterable[Photo]) -> dict[str, set[str]]:
    """Photo id -> products on whose pages it stands."""
    users = {photo.photo_id: {photo.product_id} for photo in photos}
    for review in reviews:
        if review.photo_id in users:
            users[review.photo_id].add(review.product_id)
    return users


def _text_links(
    reviews: Iterable[Review], clustering: Clustering
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
    reviews: Iterable[Review], placement: Placement, known: Membership
) -> dict[str, Split]:
    """Each review's split: its own where it is known, else its product's."""
    return {
        review.review_id: known.reviews.get(
            review.review_id, placement.splits[review.product_id]
        )
        for review in reviews
    }


def _details(
    reviews: Sequence[Review],
    clustering: Clustering,
    placement: Placement,
    known: Membership,
) -> dict[str, Withheld]:
    """Kept reviews that the golden border takes out."""
    products = {review.review_id: review.product_id for review in reviews}
    moved = moved_into_golden(products, placement.splits, known.reviews)
    splits = _splits(reviews, placement, known)
    alike = [pair for pair in clustering.apart if not moved.keys() & set(pair[:2])]
    return {**at_border(alike, splits, known.reviews), **moved}


def _decisions(
    scraped: Scraped,
    clustering: Clustering,
    placement: Placement,
    known: Membership,
    seeds: tuple[Sequence[str], DedupeConfig],
) -> list[DedupeDecision]:
    by_id = {review.review_id: review for review in scraped.reviews}
    splits = _splits(scraped.reviews, placement, known)
    reasons = {
        one: withheld.reason
        for one, withheld in _details(
            scraped.reviews, clustering, placement, known
        ).items()
    }
    kept = [
        by_id[one.review_id]
        for one in clustering.members
        if one.kept and one.review_id not in reasons
    ]
    niche, config = seeds
    for one in _beyond_seeds(kept, splits, niche, config.niche_seeds):
        reasons[one] = "beyond_niche_seeds"
    rows = [(one.review_id, one.product_id, splits[one.review_id]) for one in kept]
    rank = {one.review_id: _hash(one.review_id) for one in kept}
    for one in beyond_share(rows, placement, known, rank):
        reasons[one] = "beyond_product_share"
    seen = _seen_pictures(scraped, placement, known)
    return [
        _decision(member, by_id[member.review_id], splits, reasons, (placement, seen))
        for member in clustering.members
    ]


def _decision(
    member: Member,
    review: Review,
    splits: Mapping[str, Split],
    reasons: Mapping[str, str],
    photos: tuple[Placement, set[str]],
) -> DedupeDecision:
    placement, seen = photos
    split = splits[member.review_id]
    withheld = reasons.get(member.review_id) if member.kept else None
    outside = split != "golden" and review.photo_id in placement.shared_photos
    return DedupeDecision(
        review_id=member.review_id,
        cluster_id=member.representative,
        kept=member.kept and withheld is None,
        reason=withheld or member.reason,
        similarity=member.similarity,
        split=split,
        photo_kept=not outside and member.review_id not in seen,
    )


def _seen_pictures(
    scraped: Scraped, placement: Placement, known: Membership
) -> set[str]:
    """New golden reviews with a shared photo that an earlier night may have learned from."""
    learned = {
        review.photo_id
        for review in scraped.reviews
        if known.reviews.get(review.review_id, "golden") != "golden"
    }
    return {
        review.review_id
        for review in scraped.reviews
        if review.photo_id in placement.shared_photos & learned
        and review.review_id not in known.reviews
        and placement.splits[review.product_id] == "golden"
    }


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
        if review.category in niche and splits[review.review_id] == "train":
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


def _rejections(
    decisions: Iterable[DedupeDecision], details: Mapping[str, Withheld]
) -> list[Rejection]:
    return [
        Rejection(one.review_id, one.reason, _detail(one, details))
        for one in decisions
        if not one.kept
    ]


def _detail(decision: DedupeDecision, details: Mapping[str, Withheld]) -> str:
    if decision.reason.startswith("beyond_"):
        return ""
    if decision.cluster_id == decision.review_id:
        return details[decision.review_id].detail
    return f"{decision.cluster_id} stands for it, similarity {decision.similarity:.3f}"


def _photo_rejections(photos: Iterable[Photo], placement: Placement) -> list[Rejection]:
    """Photos outside the holdout that no later stage may use: a golden page shows the same picture."""
    return [
        Rejection(photo.photo_id, "photo_across_golden", f"product {photo.product_id}")
        for photo in photos
        if photo.photo_id in placement.shared_photos
        and placement.splits[photo.product_id] != "golden"
    ]


def _figures(
    scraped: Scraped,
    clustering: Clustering,
    pictures: Sequence[frozenset[str]],
    placement: Placement,
    decisions: Sequence[DedupeDecision],
    niche: Sequence[str],
) -> dict[str, object]:
    by_id = {review.review_id: review for review in scraped.reviews}
    rows = [_kept_row(by_id[one.review_id], one) for one in decisions if one.kept]
    products: dict[str, set[str]] = defaultdict(set)
    for review in scraped.reviews:
        products[review.category].add(review.product_id)
    stock = stock_photos(scraped.photos, pictures)
    reasons = Counter(one.reason for one in decisions)
    return {
        "clusters": clustering.clusters,
        "candidate_pairs_verified": clustering.candidates_verified,
        "near_pairs": clustering.near_pairs,
        "opposite_polarity_edges_refused": clustering.opposite_refused,
        "product_groups": len(set(placement.group_of.values())),
        "split_rule": "balanced",
        "golden_spread": placement.spread,
        **split_figures(rows),
        **niche_figures(rows, niche, products, placement),
        "rows_beyond_product_share": reasons["beyond_product_share"],
        "rows_dropped_at_golden_border": reasons["copy_across_golden"]
        + reasons["copy_seen_in_training"]
        + reasons["moved_into_golden"],
        "text_links_refused": placement.text_links_refused,
        "photo_clusters": sum(len(picture) > 1 for picture in pictures),
        "photos_in_clusters": sum(
            len(picture) for picture in pictures if len(picture) > 1
        ),
        "stock_photos_in_reviews": sum(
            review.photo_id in stock for review in scraped.reviews
        ),
        "photo_links_refused": placement.photo_links_refused,
        "photos_dropped_at_golden_border": sum(
            one.kept and not one.photo_kept for one in decisions
        ),
    }


def _kept_row(review: Review, decision: DedupeDecision) -> KeptRow:
    return KeptRow(
        review.product_id,
        review.category,
        sentiment_of(review.rating),
        decision.split,
    )
