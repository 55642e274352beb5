"""What the splits can judge, said in numbers: rows, products, and what the niche lacks."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kindling.dedupe.clusters import Clustering
from kindling.dedupe.photos import stock_photos
from kindling.dedupe.placement import Placement
from kindling.dedupe.split import effective_number
from kindling.ports.rows import Outline
from kindling.records import (
    SENTIMENTS,
    SPLITS,
    DedupeDecision,
    Photo,
    Review,
    Sentiment,
    Split,
    sentiment_of,
)


@dataclass(frozen=True)
class KeptRow:
    """A review that stays, with what the figures group by."""

    product_id: str
    category: str
    sentiment: Sentiment
    split: Split


def split_figures(rows: Sequence[KeptRow]) -> dict[str, Any]:
    """Rows, products, effective number of products and largest share of a product, by split."""
    sizes = Counter((row.split, row.sentiment) for row in rows)
    products: dict[Split, Counter[str]] = {split: Counter() for split in SPLITS}
    for row in rows:
        products[row.split][row.product_id] += 1
    total = len(rows)
    return {
        "split_sizes": {
            split: {sentiment: sizes[split, sentiment] for sentiment in SENTIMENTS}
            for split in SPLITS
        },
        "split_shares": {
            split: round(products[split].total() / total, 4) if total else 0.0
            for split in SPLITS
        },
        "split_products": {split: len(products[split]) for split in SPLITS},
        "effective_products": {
            split: round(effective_number(products[split].values()), 1)
            for split in SPLITS
        },
        "largest_product_share": {
            split: round(
                max(products[split].values(), default=0)
                / max(1, products[split].total()),
                4,
            )
            for split in SPLITS
        },
    }


def niche_figures(
    rows: Iterable[KeptRow],
    niche: Sequence[str],
    products: Mapping[str, Iterable[str]],
    placement: Placement,
) -> dict[str, Any]:
    """The niche's rows by split, and one sentence for each split that has none.

    `products` maps a category to the products that its reviews are on.
    """
    held: dict[str, Counter[Split]] = defaultdict(Counter)
    for row in rows:
        held[row.category][row.split] += 1
    lacks = [
        _lack(category, split, products.get(category, ()), placement)
        for category in niche
        for split in SPLITS
        if not held[category][split]
    ]
    return {
        "niche_rows": {
            category: {split: held[category][split] for split in SPLITS}
            for category in niche
        },
        "niche_lacks": lacks,
    }


def _lack(
    category: str, split: Split, products: Iterable[str], placement: Placement
) -> str:
    names = sorted(set(products))
    groups = {placement.group_of[name] for name in names}
    have = f"{len(names)} products in {len(groups)} separate groups"
    need = max(1, len(SPLITS) - len(groups))
    return (
        f"{category}: no {split} row. It has {have}; every split needs a group of its own: "
        f"scrape {need} more products of {category} that share no review or photo"
    )


def night_figures(
    rows_of: tuple[
        Sequence[Review] | Sequence[Outline], Sequence[Photo], Sequence[DedupeDecision]
    ],
    clustering: Clustering,
    pictures: Sequence[frozenset[str]],
    placement: Placement,
    niche: Sequence[str],
) -> dict[str, Any]:
    """What the report says of a night's reviews, photos and decisions."""
    reviews, photos, decisions = rows_of
    by_id = {review.review_id: review for review in reviews}
    rows = [_kept_row(by_id[one.review_id], one) for one in decisions if one.kept]
    products: dict[str, set[str]] = defaultdict(set)
    for review in reviews:
        products[review.category].add(review.product_id)
    stock = stock_photos(photos, pictures)
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
        "stock_photos_in_reviews": sum(review.photo_id in stock for review in reviews),
        "photo_links_refused": placement.photo_links_refused,
        "photos_dropped_at_golden_border": sum(
            one.kept and not one.photo_kept for one in decisions
        ),
    }


def _kept_row(review: Review | Outline, decision: DedupeDecision) -> KeptRow:
    return KeptRow(
        review.product_id,
        review.category,
        sentiment_of(review.rating),
        decision.split,
    )
