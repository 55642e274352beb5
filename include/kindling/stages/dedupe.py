"""Drop copies, cluster near-duplicates, and give every review its split before anything learns from it."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from kindling.dedupe.anew import decide as decide_anew
from kindling.dedupe.night import Compared, Decided, Plan, Scraped
from kindling.dedupe.night import decided as decided_night
from kindling.dedupe.photos import perceptual_hash
from kindling.dedupe.placement import Membership
from kindling.dedupe.split import Shares
from kindling.dedupe.texts import Rules
from kindling.errors import DataError
from kindling.observe.lineage import sha256_of
from kindling.ports.bands import BandStore
from kindling.ports.objects import ObjectStore
from kindling.ports.standing import StandingStore
from kindling.recipe import DedupeConfig
from kindling.records import Photo
from kindling.stages.contract import Context, Outcome
from kindling.stages.likeness import keep, likeness
from kindling.stages.membership import remember, remembered
from kindling.stages.strategy import credited, memory, new_rows
from kindling.stages.view import Unsplit

log = logging.getLogger(__name__)

#: Topic of the standing store: perceptual hashes by photo.
PHOTO_HASHES = "photo-hash/phash"


class Needs(Protocol):
    """What the stage is handed."""

    unsplit: Unsplit
    objects: ObjectStore
    #: Remembers which rows are golden, from the first night that said so.
    standing: StandingStore
    #: Remembers who stands for copies, findable by likeness.
    bands: BandStore


def run(config: DedupeConfig, context: Context, needs: Needs) -> Outcome:
    """One decision for every scraped review; DataError when a split stays empty or a copy would leak."""
    known = remembered(needs.standing, context.recipe.name, context.run_id)
    rules = rules_of(config)
    found = likeness(needs, context, rules, known)
    reviews, photos = found.rows, needs.unsplit.photos()
    if not reviews:
        raise DataError(
            f"run {context.run_id!r} has no scraped review to dedupe; look at the scrape report"
        )
    hashes = _hashes(photos, needs)
    decided = decided_night(
        Scraped(reviews, photos, hashes),
        Compared(found.clustering, found.seen),
        plan_of(config),
        context.niche,
        known,
    )
    kept = {
        one.review_id for one in decided.decisions if one.kept and one.split != "golden"
    }
    keep(needs, context, rules, found, kept - known.reviews.keys())
    remember(
        needs.standing,
        context.recipe.name,
        context.run_id,
        known,
        # Words of those that were learned from are with the bands.
        replace(decided.membership, learned=known.learned),
    )
    brought = new_rows(needs.unsplit.pages(), reviews, decided.decisions, known.reviews)
    recipe, run_id = context.recipe.name, context.run_id
    credited(needs.standing, recipe, run_id, brought)
    exported = needs.objects.put_named(
        f"runs/{run_id}/strategy_memory.json", memory(needs.standing, recipe)
    )
    return Outcome(
        rows_in=len(reviews),
        rows_out=sum(one.kept for one in decided.decisions),
        records=[*decided.decisions, *decided.photo_decisions],
        rejections=decided.rejections,
        figures={**decided.figures, "reviews_compared": found.read},
        uris={"strategy_memory": exported},
        implementation={
            "near_duplicates": "MinHash bands, exact Jaccard to the representative",
            "photos": "imagehash pHash",
        },
    )


def _hashes(photos: Sequence[Photo], needs: Needs) -> dict[str, int]:
    """Photo -> perceptual hash.

    A photo is its bytes: what a night has hashed is kept for the others.
    """
    known: dict[str, int] = {}
    for fact in needs.standing.read(PHOTO_HASHES):
        known |= {photo: int(text, 16) for photo, text in fact.value.items()}
    new = {
        photo.photo_id: perceptual_hash(photo.photo_id, needs.objects.get(photo.uri))
        for photo in photos
        if photo.photo_id not in known
    }
    if new:
        digest = sha256_of(sorted(new))[:16]
        needs.standing.append(
            PHOTO_HASHES, digest, {photo: f"{one:x}" for photo, one in new.items()}
        )
    log.info("%d of %d photos are new and were hashed", len(new), len(photos))
    found = known | new
    return {one.photo_id: found[one.photo_id] for one in photos}


def decide(
    scraped: Scraped, config: DedupeConfig, niche: Sequence[str], known: Membership
) -> Decided:
    """The recipe's decisions for a night's rows, given what earlier nights decided."""
    return decide_anew(scraped, plan_of(config), niche, known)


def rules_of(config: DedupeConfig) -> Rules:
    """What the recipe calls a copy."""
    return Rules(
        config.shingle, config.permutations, config.threshold, config.short_text
    )


def plan_of(config: DedupeConfig) -> Plan:
    """How the recipe wants a night to be deduped and split."""
    return Plan(
        rules=rules_of(config),
        photo_distance=config.photo_distance,
        shares=Shares(config.golden_share, config.validation_share),
        group_cap=config.group_cap,
        niche_seeds=config.niche_seeds,
    )
