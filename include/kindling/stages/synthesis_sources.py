"""What synthesis may look at, and which part of the work falls to a shard."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from kindling.errors import DataError
from kindling.ports.generation import Cell
from kindling.recipe import SynthesizeConfig
from kindling.records import Photo, Product, Review, Split, sentiment_of
from kindling.stages.contract import Context, Shard
from kindling.stages.view import RunView

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sources:
    """What synthesis may look at: kept rows of the train split, and photos that no golden page shows."""

    reviews: Sequence[Review]
    products: Sequence[Product]
    #: Category -> products that a synthetic review may be about, those of the train split if there are any.
    subjects: Mapping[str, Sequence[str]]
    #: Category -> photos to edit; product -> its own among them. Who takes a photo of what
    #: disappointed often shows damage, and an edit of it would be called by the wrong name.
    photos: Mapping[str, Sequence[Photo]]
    own_photos: Mapping[str, Sequence[Photo]]
    #: Photos taken to show an intact thing: the shop's own, and those of reviews with five stars.
    intact_photos: Sequence[Photo]


def sources_of(context: Context, view: RunView) -> Sources:
    """Raises DataError where the train split has no review."""
    train = view.real("train")
    if not train:
        raise DataError(
            f"run {context.run_id!r} has no kept review in the train split; look at the dedupe report"
        )
    products = view.products()
    split_of = view.splits_of_products()
    usable = {photo.photo_id: photo for photo in view.usable_photos()}
    pictured = {
        (photo.product_id, photo.photo_id)
        for photo in usable.values()
        if split_of.get(photo.product_id) == "train"
    }
    shown_by = [(view.shown_photo(review), review) for review in train]
    pictured |= {
        (review.product_id, photo) for photo, review in shown_by if photo in usable
    }
    liked = {photo for photo, review in shown_by if _praises(review)}
    blamed = {photo for photo, review in shown_by if not _praises(review)}
    bases = sorted(
        (product_id, one)
        for product_id, one in pictured
        if one not in blamed and (one in liked or usable[one].kind == "product")
    )
    category_of = {product.product_id: product.category for product in products}
    by_category: dict[str, dict[str, Photo]] = defaultdict(dict)
    own: dict[str, list[Photo]] = defaultdict(list)
    for product_id, photo_id in bases:
        by_category[category_of.get(product_id, "")][photo_id] = usable[photo_id]
        own[product_id].append(usable[photo_id])
    return Sources(
        intact_photos=_intact(usable, {photo_id for _, photo_id in pictured}, train),
        reviews=train,
        products=products,
        subjects=_subjects(products, split_of),
        photos={
            category: list(found.values()) for category, found in by_category.items()
        },
        own_photos=own,
    )


def _praises(review: Review) -> bool:
    return sentiment_of(review.rating) == "positive"


def _intact(
    usable: Mapping[str, Photo], shown: Iterable[str], train: Iterable[Review]
) -> list[Photo]:
    """Photos taken to show an intact thing, ordered by id, which is a hash: as good as drawn."""
    praised = {review.photo_id for review in train if review.rating == 5}
    return [
        usable[one]
        for one in sorted(shown)
        if usable[one].kind == "product" or one in praised
    ]


def _subjects(
    products: Iterable[Product], split_of: Mapping[str, Split]
) -> dict[str, list[str]]:
    """Products of each category: of the train split, else those without any split, else validation's."""
    found: dict[str, list[str]] = {}
    for wanted in ("train", None, "validation"):
        ids: dict[str, list[str]] = defaultdict(list)
        for product in products:
            if split_of.get(product.product_id) == wanted:
                ids[product.category].append(product.product_id)
        for category, some in ids.items():
            found.setdefault(category, sorted(some))
    return found


def part_of(
    config: SynthesizeConfig,
    shard: Shard,
    lacking: Mapping[Cell, int],
    sources: Sources,
) -> tuple[SynthesizeConfig, Mapping[Cell, int], Sources]:
    """What falls to the shard: whole categories, and its share of budget and studied photos.

    Categories stay whole, so that no photo is edited by two shards. Which shard a category falls to
    changes as categories come and go, so a shard writes anew every night.
    """
    categories = sorted({cell.category for cell in lacking})
    shares = [set(categories[number :: shard.of]) for number in range(shard.of)]
    own = shares[shard.index]
    lacks = [
        sum(count for cell, count in lacking.items() if cell.category in share)
        for share in shares
    ]
    budget = {
        "max_rows": _share(config.max_rows, lacks, shard.index),
        "studies": _share(config.studies, [1] * shard.of, shard.index),
    }
    log.info(
        "shard %d of %d: %s",
        shard.index,
        shard.of,
        ", ".join(sorted(own)) or "no category",
    )
    return (
        config.model_copy(update=budget),
        {cell: count for cell, count in lacking.items() if cell.category in own},
        replace(sources, intact_photos=sources.intact_photos[shard.index :: shard.of]),
    )


def _share(whole: int, weights: Sequence[int], index: int) -> int:
    """Part `index` of a number by weight; the parts sum to it."""
    total = sum(weights) or 1
    before = whole * sum(weights[:index]) // total
    return whole * sum(weights[: index + 1]) // total - before
