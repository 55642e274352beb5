"""Fill the class deficit of the niche with new reviews and photos, made from train-split rows alone."""

import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np

from kindling.errors import DataError
from kindling.ports.objects import ObjectStore
from kindling.quality.checks import check
from kindling.recipe import SynthesizeConfig
from kindling.records import (
    CONDITIONS,
    DedupeDecision,
    Photo,
    Product,
    Rejection,
    Review,
    Split,
    Synthesis,
)
from kindling.stages.contract import Context, Deps, Outcome
from kindling.synthesis.condition_edits import ConditionEdits
from kindling.synthesis.conditions import plan
from kindling.synthesis.deficit import deficits, grid, spread
from kindling.synthesis.fill import Filled, cell_generator, fill
from kindling.synthesis.ports import Cell, Draft, EditedPhoto, ImagePolicy
from kindling.synthesis.recombine import Recombination

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Sources:
    """What synthesis may look at: kept rows of the train split, and photos that no golden page shows."""

    reviews: Sequence[Review]
    products: Sequence[Product]
    #: Category -> products that a synthetic review may be about, those of the train split if there are any.
    subjects: Mapping[str, Sequence[str]]
    #: Category -> photos to edit; product -> its own among them.
    photos: Mapping[str, Sequence[Photo]]
    own_photos: Mapping[str, Sequence[Photo]]
    #: Photos taken to show an intact thing: the shop's own, and those of reviews with five stars.
    intact_photos: Sequence[Photo]


@dataclass(frozen=True)
class _Row:
    review: Review
    synthesis: Synthesis
    photo: Photo | None


def run(config: SynthesizeConfig, context: Context, deps: Deps) -> Outcome:
    """Synthetic reviews with their origin, some with an edited photo; DataError without any train row."""
    sources = _sources(context, deps)
    cells = grid(context.niche or {product.category for product in sources.products})
    lacking = deficits(cells, sources.reviews, context.target_size)
    shares = spread(
        {cell: n for cell, n in lacking.items() if sources.subjects.get(cell.category)},
        config.max_rows,
    )
    log.info(
        "%d rows lacking in %d cells, %d to be written from %d real train reviews",
        sum(lacking.values()),
        len(cells),
        sum(shares.values()),
        len(sources.reviews),
    )
    writer = Recombination(sources.reviews, sources.products, context.seed)
    filled = fill(writer, shares, sources.reviews, config.max_copy_rate, context.seed)
    log.info("%d drafts, %d taken", filled.tried, sum(map(len, filled.drafts.values())))
    editor = ConditionEdits(config.photo_size)
    rows = [
        row
        for cell, drafts in filled.drafts.items()
        for row in _rows(
            cell,
            drafts,
            writer.name,
            sources,
            config,
            context.seed,
            editor,
            deps.objects,
        )
    ]
    log.info(
        "%d rows, %d with a photo",
        len(rows),
        sum(row.photo is not None for row in rows),
    )
    studies = list(
        _studies(
            sources, config.studies, editor, deps.objects, context.seed, deps.threads
        )
    )
    log.info(
        "%d photos of %d studies of conditions",
        len(studies),
        len(studies) // len(CONDITIONS),
    )
    failed = check([row.review for row in rows], "synthesize")
    quarantined = {rejection.row_id for rejection in failed}
    rows = [row for row in rows if row.review.review_id not in quarantined]
    return Outcome(
        rows_in=filled.tried,
        rows_out=len(rows),
        records=[
            *(
                one
                for row in rows
                for one in (row.review, row.synthesis, row.photo)
                if one is not None
            ),
            *studies,
        ],
        rejections=[*filled.rejections, *failed],
        figures={
            **_figures(rows, sources, lacking, filled, writer.aspects),
            "study_photos": len(studies),
        },
        implementation={"text": writer.name, "image": editor.name},
    )


def _sources(context: Context, deps: Deps) -> _Sources:
    decisions = {
        one.review_id: one for one in deps.rows.read(DedupeDecision, context.run_id)
    }
    scraped = deps.rows.read(Review, context.run_id, origin="scraped")
    products = deps.rows.read(Product, context.run_id)
    train = [
        review
        for review in scraped
        if (one := decisions.get(review.review_id))
        and one.kept
        and one.split == "train"
    ]
    if not train:
        raise DataError(
            f"run {context.run_id!r} has no kept review in the train split; look at the dedupe report"
        )
    split_of = {
        review.product_id: decisions[review.review_id].split
        for review in scraped
        if review.review_id in decisions
    }
    barred = {
        one.row_id
        for one in deps.rows.read(
            Rejection, context.run_id, reason="photo_across_golden"
        )
    }
    photos = {
        photo.photo_id: photo
        for photo in deps.rows.read(Photo, context.run_id, origin="scraped")
    }
    pictured = {
        (photo.product_id, photo.photo_id)
        for photo in photos.values()
        if split_of.get(photo.product_id) == "train" and photo.photo_id not in barred
    }
    pictured |= {
        (review.product_id, review.photo_id)
        for review in train
        if review.photo_id in photos and decisions[review.review_id].photo_kept
    }
    category_of = {product.product_id: product.category for product in products}
    by_category: dict[str, dict[str, Photo]] = defaultdict(dict)
    own: dict[str, list[Photo]] = defaultdict(list)
    for product_id, photo_id in sorted(pictured):
        by_category[category_of.get(product_id, "")][photo_id] = photos[photo_id]
        own[product_id].append(photos[photo_id])
    praised = {review.photo_id for review in train if review.rating == 5}
    shown = {photo_id for _, photo_id in pictured}
    return _Sources(
        intact_photos=[
            photos[one]
            for one in sorted(shown)
            if photos[one].kind == "product" or one in praised
        ],
        reviews=train,
        products=products,
        subjects=_subjects(products, split_of),
        photos={
            category: list(found.values()) for category, found in by_category.items()
        },
        own_photos=own,
    )


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


def _rows(
    cell: Cell,
    drafts: Mapping[str, Draft],
    method: str,
    sources: _Sources,
    config: SynthesizeConfig,
    seed: int,
    editor: ImagePolicy,
    objects: ObjectStore,
) -> Iterator[_Row]:
    rng = cell_generator(seed, cell, "photos")
    bases = sources.photos.get(cell.category, ())
    plans = plan(
        cell,
        len(drafts),
        config.photo_share if bases else 0.0,
        config.conflict_share,
        rng,
    )
    for (review_id, draft), shown in zip(drafts.items(), plans, strict=True):
        subject = _pick(sources.subjects[cell.category], rng)
        photo = None
        if shown.condition:
            base = _pick(sources.own_photos.get(subject) or bases, rng)
            edited = editor.edit(objects.get(base.uri), shown.condition, rng)
            photo = Photo(
                photo_id=hashlib.sha256(edited.data).hexdigest(),
                product_id=subject,
                kind="review",
                origin="synthetic",
                uri=objects.put(edited.data, edited.suffix),
                width=edited.width,
                height=edited.height,
                condition=shown.condition,
                base_photo_id=base.photo_id,
            )
        review = Review(
            review_id=review_id,
            product_id=subject,
            category=cell.category,
            title=draft.title,
            body=draft.body,
            rating=draft.rating,
            origin="synthetic",
            photo_id=photo.photo_id if photo else None,
            extractor=method,
        )
        synthesis = Synthesis(
            review_id=review_id,
            sentiment=cell.sentiment,
            method=method,
            source_review_ids=draft.source_review_ids,
            condition=shown.condition,
            consistent=shown.consistent,
        )
        yield _Row(review, synthesis, photo)


def _studies(
    sources: _Sources,
    limit: int,
    editor: ImagePolicy,
    objects: ObjectStore,
    seed: int,
    threads: int,
) -> Iterator[Photo]:
    """`limit` shots of intact photos, each in every condition; no review shows them.

    The shot without damage stands first, and is what the others were edited from.
    """
    # Ordered by the hash of their bytes, which is as good as drawn.
    bases = [
        sources.intact_photos[number % len(sources.intact_photos)]
        for number in range(limit if sources.intact_photos else 0)
    ]

    def shot(number: int) -> list[EditedPhoto]:
        data = objects.get(bases[number].uri)
        return [
            editor.edit(data, condition, np.random.default_rng([seed, number]))
            for condition in CONDITIONS
        ]

    with ThreadPoolExecutor(threads) as pool:
        for base, edits in zip(bases, pool.map(shot, range(len(bases))), strict=True):
            edited_from = base.photo_id
            for condition, edited in zip(CONDITIONS, edits, strict=True):
                photo_id = hashlib.sha256(edited.data).hexdigest()
                yield Photo(
                    photo_id=photo_id,
                    product_id=base.product_id,
                    kind="product",
                    origin="synthetic",
                    uri=objects.put(edited.data, edited.suffix),
                    width=edited.width,
                    height=edited.height,
                    condition=condition,
                    base_photo_id=edited_from,
                )
                if condition == "intact":
                    edited_from = photo_id


def _pick(choices: Sequence[T], rng: np.random.Generator) -> T:
    return choices[int(rng.integers(len(choices)))]


def _figures(
    rows: Sequence[_Row],
    sources: _Sources,
    lacking: Mapping[Cell, int],
    filled: Filled,
    aspects: Sequence[str],
) -> dict[str, object]:
    conditions = Counter(row.photo.condition for row in rows if row.photo)
    return {
        "source_reviews": len(sources.reviews),
        "lacking": sum(lacking.values()),
        "cells": {
            str(cell): _ledger(cell, count, sources, filled)
            for cell, count in lacking.items()
        },
        "aspects": list(aspects),
        "photos": conditions.total(),
        "conditions": dict(sorted(conditions.items())),
        "conflicting_photos": sum(not row.synthesis.consistent for row in rows),
        "base_photos": {
            cell.category: len(sources.photos.get(cell.category, ()))
            for cell in lacking
        },
    }


def _ledger(
    cell: Cell, lacking: int, sources: _Sources, filled: Filled
) -> dict[str, object]:
    """What the cell lacked, what it got, and what stands against the rest."""
    if cell not in filled.ledger:
        return {
            "lacking": lacking,
            "wanted": 0,
            "made": 0,
            "shortfall": "no product of the category outside the golden split",
        }
    entry = asdict(filled.ledger[cell])
    if not entry["shortfall"] and entry["wanted"] < lacking:
        entry["shortfall"] = "max_rows"
    if entry["made"] and not sources.photos.get(cell.category):
        entry["photo_shortfall"] = "no photo of the category in the train split"
    return {"lacking": lacking, **entry}
