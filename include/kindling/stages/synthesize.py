"""Fill the class deficit of the niche with new reviews and photos, made from train-split rows alone."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, TypeVar

import numpy as np

from kindling import extensions
from kindling.ports.generation import Cell, Draft, Editor, Material, Writer
from kindling.ports.llm import Llm
from kindling.ports.objects import ObjectStore
from kindling.quality.checks import check
from kindling.recipe import SynthesizeConfig
from kindling.records import (
    Condition,
    Photo,
    Product,
    Record,
    Review,
    Synthesis,
)
from kindling.stages.carry import Basis, settings_of
from kindling.stages.contract import Context, Outcome
from kindling.stages.kept_synthesis import still_written
from kindling.stages.niche import refuse_unknown
from kindling.stages.synthesis_sources import Sources, part_of, sources_of
from kindling.stages.view import Earlier, RunView
from kindling.synthesis.conditions import DAMAGED, plan
from kindling.synthesis.deficit import deficits, grid
from kindling.synthesis.fill import Filled, cell_generator
from kindling.synthesis.rounds import Campaign, Plan, write_in_rounds
from kindling.synthesis.shots import Studio
from kindling.synthesis.style_profile import profile_of

T = TypeVar("T")

log = logging.getLogger(__name__)


class Needs(Protocol):
    """What the stage is handed."""

    view: RunView
    #: Rows of the nights before stay, while what they were made from is there.
    earlier: Earlier
    objects: ObjectStore
    threads: int
    #: None where the environment names no language model.
    llm: Llm | None


@dataclass(frozen=True)
class _Row:
    review: Review
    synthesis: Synthesis
    photo: Photo | None


def run(config: SynthesizeConfig, context: Context, needs: Needs) -> Outcome:
    """Synthetic reviews with their origin, some with an edited photo; DataError without any train row."""
    sources = sources_of(context, needs.view)
    refuse_unknown(context.niche, sources.products)
    settings = settings_of("synthesize", config, context)
    lacking = _lacking(context, sources)
    if context.shard.of > 1:
        config, lacking, sources = part_of(config, context.shard, lacking, sources)
    elif kept := _kept(needs, sources, lacking, config.refresh_share, settings):
        return kept
    material = Material(sources.reviews, sources.products, context.seed, needs.llm)
    hands = _hands(config, material, needs.objects)
    writer, editor, studio = hands.writer, hands.editor, hands.studio
    campaign = _written(config, context, sources, lacking, writer)
    filled = campaign.filled
    rows = [
        row
        for cell, drafts in filled.drafts.items()
        for row in _rows(cell, drafts, hands, sources, config, context.seed)
    ]
    log.info(
        "%d rows, %d with a photo",
        len(rows),
        sum(row.photo is not None for row in rows),
    )
    studies = studio.studies(
        sources.intact_photos, config.studies, context.seed, needs.threads
    )
    log.info("%d studies of conditions", len(studies))
    failed = check([row.review for row in rows], "synthesize")
    quarantined = {rejection.row_id for rejection in failed}
    rows = [row for row in rows if row.review.review_id not in quarantined]
    return Outcome(
        rows_in=filled.tried,
        rows_out=len(rows),
        records=[*_records(rows), *studies],
        rejections=[*filled.rejections, *studio.tally.rejections, *failed],
        figures={
            "settings": settings,
            "basis": Basis.of(context.run_id, sources.reviews).to_dict(),
            **_figures(rows, sources, lacking, filled),
            **campaign.figures,
            **_style(rows, sources, context.niche),
            **studio.tally.figures,
            "studies": len(studies),
        },
        implementation={"text": writer.name, "image": editor.name},
    )


@dataclass(frozen=True)
class _Hands:
    """Who does the work: the writer and the editor that the recipe names."""

    writer: Writer
    editor: Editor
    studio: Studio


def _hands(
    config: SynthesizeConfig, material: Material, objects: ObjectStore
) -> _Hands:
    writing = extensions.options("writer", config.writer, config.writer_options)
    editing = extensions.options("editor", config.editor, config.editor_options)
    writer = extensions.find("writer", config.writer).writer(writing, material)
    editor = extensions.find("editor", config.editor).editor(editing, material)
    return _Hands(writer, editor, Studio(editor, objects, _in_words(material.products)))


def _lacking(context: Context, sources: Sources) -> Mapping[Cell, int]:
    """What each cell of the grid lacks."""
    cells = grid(context.niche or {product.category for product in sources.products})
    return deficits(cells, sources.reviews, context.target_size)


def _kept(
    needs: Needs,
    sources: Sources,
    lacking: Mapping[Cell, int],
    share: float,
    settings: str,
) -> Outcome | None:
    """The rows of the night before, while they hold."""
    named = {str(cell): count for cell, count in lacking.items()}
    reviews = sources.reviews
    return still_written(
        needs.earlier, needs.view, reviews, named, share=share, settings=settings
    )


def _written(
    config: SynthesizeConfig,
    context: Context,
    sources: Sources,
    lacking: Mapping[Cell, int],
    writer: Writer,
) -> Campaign:
    """The drafts for what the cells lack."""
    reached = {c: n for c, n in lacking.items() if sources.subjects.get(c.category)}
    log.info(
        "%d rows lacking in %d cells, %d to be written at most from %d real train reviews",
        sum(lacking.values()),
        len(lacking),
        min(config.max_rows, sum(reached.values())),
        len(sources.reviews),
    )
    plan = Plan(
        config.aim, config.rounds, config.max_rows, config.max_copy_rate, context.seed
    )
    campaign = write_in_rounds(writer, reached, sources.reviews, plan)
    filled = campaign.filled
    log.info(
        "%d drafts, %d taken; %s",
        filled.tried,
        sum(map(len, filled.drafts.values())),
        campaign.stopped,
    )
    return campaign


def _records(rows: Iterable[_Row]) -> Iterator[Record]:
    """Reviews and origins, and each photo once: an editor may make one for two rows."""
    seen: set[str] = set()
    for row in rows:
        yield row.review
        yield row.synthesis
        if row.photo is not None and row.photo.photo_id not in seen:
            seen.add(row.photo.photo_id)
            yield row.photo


def _in_words(products: Iterable[Product]) -> dict[str, str]:
    return {one.product_id: f"{one.category}: {one.name}" for one in products}


def _rows(
    cell: Cell,
    drafts: Mapping[str, Draft],
    hands: _Hands,
    sources: Sources,
    config: SynthesizeConfig,
    seed: int,
) -> Iterator[_Row]:
    rng = cell_generator(seed, cell, "photos")
    bases = sources.photos.get(cell.category, ())
    plans = plan(cell, len(drafts), config.photo_share if bases else 0.0, rng)
    for (review_id, draft), shown in zip(drafts.items(), plans, strict=True):
        subject = _pick(sources.subjects[cell.category], rng)
        photo = None
        if shown.condition:
            own = sources.own_photos.get(subject) or bases
            condition = _cue(draft, shown.condition)
            photo = hands.studio.review_photo(subject, own, condition, rng)
        yield _row(cell, review_id, draft, subject, photo, hands)


def _cue(draft: Draft, planned: Condition) -> Condition:
    """The damage that the text was written for, where the plan wants damage at all."""
    asked = draft.attributes.get("photo")
    for condition in DAMAGED:
        if asked == condition and planned != "intact":
            return condition
    return planned


def _row(
    cell: Cell,
    review_id: str,
    draft: Draft,
    subject: str,
    photo: Photo | None,
    hands: _Hands,
) -> _Row:
    writer, editor = hands.writer, hands.editor
    review = Review(
        review_id=review_id,
        product_id=subject,
        category=cell.category,
        title=draft.title,
        body=draft.body,
        rating=draft.rating,
        origin="synthetic",
        photo_id=photo.photo_id if photo else None,
        extractor=writer.name,
    )
    made_by = {**writer.provenance, **draft.attributes}
    if photo:
        made_by |= {"editor": editor.name, **editor.provenance}
    synthesis = Synthesis(
        review_id=review_id,
        sentiment=cell.sentiment,
        method=writer.name,
        source_review_ids=draft.source_review_ids,
        condition=photo.condition if photo else None,
        provenance=made_by,
    )
    return _Row(review, synthesis, photo)


def _pick(choices: Sequence[T], rng: np.random.Generator) -> T:
    return choices[int(rng.integers(len(choices)))]


def _figures(
    rows: Sequence[_Row],
    sources: Sources,
    lacking: Mapping[Cell, int],
    filled: Filled,
) -> dict[str, object]:
    conditions = Counter(row.photo.condition for row in rows if row.photo)
    return {
        "source_reviews": len(sources.reviews),
        "lacking": sum(lacking.values()),
        "cells": {
            str(cell): _ledger(cell, count, sources, filled)
            for cell, count in lacking.items()
        },
        "aspects": filled.aspects,
        "photos": conditions.total(),
        "conditions": dict(sorted(conditions.items())),
        "base_photos": {
            cell.category: len(sources.photos.get(cell.category, ()))
            for cell in lacking
        },
    }


def _style(
    rows: Sequence[_Row], sources: Sources, niche: Sequence[str]
) -> dict[str, object]:
    """How synthetic rows are typed beside the niche's real ones, or all where it has none."""
    own = [one.text for one in sources.reviews if one.category in niche]
    if not rows:
        return {}
    real = profile_of(own or [one.text for one in sources.reviews])
    made = profile_of([row.review.text for row in rows])
    return {
        "style_real": real.means,
        "style_synthetic": made.means,
        "style_distance": made.distances(real),
    }


def _ledger(
    cell: Cell, lacking: int, sources: Sources, filled: Filled
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
