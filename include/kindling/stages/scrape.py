"""Collect products, reviews and photos from every source of the recipe, and join them as one."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from kindling import extensions
from kindling.errors import DataError
from kindling.observe.lineage import sha256_of, stage_code_sha256
from kindling.ports.forgetting import Tombstones
from kindling.ports.frontier import Frontier
from kindling.ports.llm import Llm
from kindling.ports.objects import ErasableObjects
from kindling.ports.source import (
    UNCATEGORISED,
    Haul,
    Night,
    Source,
    SourceTools,
    read_by,
    require_categories,
)
from kindling.ports.standing import StandingStore
from kindling.quality.checks import check
from kindling.recipe import ScrapeConfig, SourceEntry
from kindling.records import (
    SENTIMENTS,
    Page,
    Photo,
    Product,
    Rejection,
    Review,
    sentiment_of,
)
from kindling.stages.burial import Found, without_buried
from kindling.stages.contract import Context, Outcome, Shard
from kindling.stages.niche import refuse_unknown
from kindling.stages.source_health import check as check_health
from kindling.stages.source_health import gave_nothing, last_trusted, refuse_alarms
from kindling.stages.strategy import decided, spent

log = logging.getLogger(__name__)


class Needs(Protocol):
    """What the stage is handed."""

    objects: ErasableObjects
    standing: StandingStore
    tombstones: Tombstones
    shop_url: str
    #: Path of a Chromium binary, or None where there is none.
    chromium: str | None
    #: What crawls have still to ask for, shared with other workers.
    frontier: Frontier
    #: May propose where the page budget goes, and rules for a shop; None where the environment names no model's address.
    adviser: Llm | None
    lightpanda: str | None


@dataclass(frozen=True)
class Collected:
    """What one source brought, with ids that hold across all sources."""

    name: str
    kind: str
    haul: Haul


def run(config: ScrapeConfig, context: Context, needs: Needs) -> Outcome:
    """Everything the sources hold; DataError when that is too little, TransientError in an outage."""
    opened = _opened(context, needs)
    decision = _decision(config, opened, context, needs)
    collected = [
        _collect(one, decision, context, needs)
        for one in opened
        if one.number % context.shard.of == context.shard.index
    ]
    if not collected and context.shard.of > 1:
        log.info("more shards than sources: nothing for shard %d", context.shard.index)
        return Outcome(rows_in=0, rows_out=0)
    _check_health(collected, context, needs)
    rows = Joined(collected)
    if rows.bury(needs):
        # Answers name them and say their words.
        needs.frontier.remove(context.run_id)
    failing = check(rows.reviews, "scrape")
    quarantined = {one.row_id for one in failing}
    reviews = [one for one in rows.reviews if one.review_id not in quarantined]
    names = ", ".join(one.name for one in collected)
    if len(reviews) < config.min_reviews:
        raise DataError(
            f"{names}: {len(reviews)} reviews after checks, the recipe wants at least "
            f"{config.min_reviews} (scrape.min_reviews); {rows.found} were found; rejections: "
            f"{_counted_reasons([*rows.rejections, *failing])}"
        )
    if context.shard == Shard():
        _require_classes(reviews, config.min_per_class, names)
    if context.shard.of == 1:
        # Another shard may hold the category that this one lacks.
        require_categories(context.niche, (one.category for one in reviews), "niche")
    if context.shard == Shard():
        # A shard sees some of the sources; synthesize looks again when all have been joined.
        refuse_unknown(context.niche, rows.products)
    log.info(
        "%s: %d reviews of %d products, %d photos",
        names,
        len(reviews),
        len(rows.products),
        len(rows.photos),
    )
    return Outcome(
        rows_in=rows.found,
        rows_out=len(reviews),
        records=[*rows.pages, *rows.products, *rows.photos, *reviews],
        rejections=[*rows.rejections, *failing],
        figures={
            **_figures(collected, rows, reviews),
            "page_decisions": decision["reasons"],
        },
        implementation={
            f"{one.name}: {part}" if len(collected) > 1 else part: name
            for one in collected
            for part, name in one.haul.implementation.items()
        },
    )


def _require_classes(reviews: Sequence[Review], least: int, names: str) -> None:
    """DataError where a class has too few reviews to be learned, with the number that it takes."""
    counts = Counter(sentiment_of(one.rating) for one in reviews)
    lacking = [
        f"label {least - counts[one]} more of class {one} (there are {counts[one]})"
        for one in SENTIMENTS
        if counts[one] < least
    ]
    if lacking:
        raise DataError(
            f"{names}: too few reviews of a class to learn from: {'; '.join(lacking)}; the recipe "
            f"wants {least} of each (scrape.min_per_class), and can list more sources"
        )


@dataclass(frozen=True)
class _Opened:
    """One entry of the recipe, and the source that it names."""

    number: int
    entry: SourceEntry
    source: Source
    asks_for_pages: bool


def _opened(context: Context, needs: Needs) -> list[_Opened]:
    """Every source of the recipe, those of other shards too: one decision is made for all."""
    opened = []
    for number, entry in enumerate(context.recipe.sources):
        module = extensions.find("source", entry.kind)
        asks = getattr(module, "ASKS_FOR_PAGES", False)
        source = _source(entry, context, needs, Night())
        opened.append(_Opened(number, entry, source, asks))
    return opened


def _source(entry: SourceEntry, context: Context, needs: Needs, night: Night) -> Source:
    tools = SourceTools(
        objects=needs.objects,
        standing=needs.standing,
        seed=context.seed,
        shop_url=needs.shop_url,
        chromium=needs.chromium,
        night=night,
        lightpanda=needs.lightpanda,
        llm=needs.adviser,
    )
    options = extensions.options("source", entry.kind, dict(entry.options))
    source: Source = extensions.find("source", entry.kind).source(options, tools)
    return source


def _decision(
    config: ScrapeConfig, opened: Sequence[_Opened], context: Context, needs: Needs
) -> Mapping[str, Any]:
    """How many pages each source may ask for tonight, and why."""
    if not any(one.asks_for_pages for one in opened):
        return {"pages": None, "reasons": {}}
    recipe, run_id = context.recipe.name, context.run_id
    trusted = last_trusted(needs.standing, recipe, run_id)
    known = {
        one.source.name: trusted.get(one.source.name, {}).get("known", {})
        for one in opened
        if one.asks_for_pages
    }
    return decided(needs.standing, config, recipe, run_id, known, needs.adviser)


def _collect(
    opened: _Opened, decision: Mapping[str, Any], context: Context, needs: Needs
) -> Collected:
    night = _night(opened, decision, context, needs)
    source = _source(opened.entry, context, needs, night)
    log.info("collecting from %s (%s)", source.name, opened.entry.kind)
    # The first source's ids stay as they are, so that one more source moves no golden row.
    space = opened.entry.namespace or (source.name if opened.number else "")
    try:
        haul = _spaced(source.collect(), space)
    except DataError as error:
        if not night.snapshot_uri:
            raise
        # Earlier nights had rows of it.
        raise gave_nothing(source.name, context.recipe.name, str(error)) from error
    pages = [replace(page, source=source.name) for page in haul.pages]
    return Collected(source.name, opened.entry.kind, replace(haul, pages=pages))


def _night(
    opened: _Opened, decision: Mapping[str, Any], context: Context, needs: Needs
) -> Night:
    """What the source goes on from tonight; of one that asks for no pages, nothing."""
    if not opened.asks_for_pages:
        return Night()
    name, run_id = opened.source.name, context.run_id
    trusted = last_trusted(needs.standing, context.recipe.name, run_id)
    uri = trusted.get(name, {}).get("snapshot_uri", "")
    pages = decision["pages"][name] if decision["pages"] is not None else None
    # Answers under other terms, or read by other code, are no answers to this crawl.
    terms = sha256_of(
        {
            "options": opened.entry.options,
            "code": stage_code_sha256("scrape"),
            "seed": context.seed,
            "pages": pages,
            "snapshot": uri,
        }
    )
    crawl = f"{run_id}/{opened.number}/{terms[:16]}"
    needs.frontier.open(run_id, crawl)
    return Night(pages, uri, needs.frontier, crawl)


def _check_health(
    collected: Sequence[Collected], context: Context, needs: Needs
) -> None:
    """Remember each source's night; SourceAlarm where one gives worse than it gave."""
    checked = []
    for one in collected:
        if (account := one.haul.account) is not None:
            recipe, run_id = context.recipe.name, context.run_id
            spent(needs.standing, recipe, run_id, one.name, account)
            checked.append(
                check_health(needs.standing, recipe, run_id, one.name, account)
            )
    refuse_alarms(checked)


def _spaced(haul: Haul, space: str) -> Haul:
    """The haul with its products and reviews named within their namespace, and no empty category."""

    def spaced(native: str) -> str:
        return f"{space}/{native}" if space and native else native

    return replace(
        haul,
        products=[
            replace(
                one,
                product_id=spaced(one.product_id),
                category=one.category or UNCATEGORISED,
            )
            for one in haul.products
        ],
        photos=[replace(one, product_id=spaced(one.product_id)) for one in haul.photos],
        reviews=[
            replace(
                one,
                review_id=spaced(one.review_id),
                product_id=spaced(one.product_id),
                category=one.category or UNCATEGORISED,
            )
            for one in haul.reviews
        ],
    )


class Joined:
    """The rows of all sources, one a key; of two rows with one key the earlier source's is kept."""

    def __init__(self, collected: Sequence[Collected]) -> None:
        pages: dict[str, Page] = {}
        products: dict[str, Product] = {}
        photos: dict[str, Photo] = {}
        reviews: dict[str, Review] = {}
        self.rejections: list[Rejection] = []
        for one in collected:
            pages = {page.url: page for page in one.haul.pages} | pages
            products = {row.product_id: row for row in one.haul.products} | products
            photos = {row.photo_id: row for row in one.haul.photos} | photos
            self.rejections += one.haul.rejections
            for review in one.haul.reviews:
                if review.review_id in reviews:
                    self.rejections.append(_duplicate(review, one.name))
                reviews.setdefault(review.review_id, review)
        self.pages = list(pages.values())
        self.products = list(products.values())
        self.photos = list(photos.values())
        self.reviews = list(reviews.values())
        self.found = sum(one.haul.found for one in collected)

    def bury(self, needs: Needs) -> bool:
        """Leave out what is to stay forgotten; whether there was any."""
        found = Found(self.pages, self.photos, self.reviews, self.rejections)
        left = without_buried(found, needs.tombstones, needs.objects)
        self.pages, self.photos = list(left.pages), list(left.photos)
        self.reviews, self.rejections = list(left.reviews), list(left.rejections)
        return len(found.reviews) > len(left.reviews)


def _duplicate(review: Review, source: str) -> Rejection:
    return Rejection(
        f"{source}#{review.review_id}",
        "duplicate_id",
        f"review {review.review_id} came from an earlier source already",
    )


def _counted_reasons(rejections: Sequence[Rejection]) -> str:
    counts = Counter(one.reason for one in rejections).most_common(6)
    return ", ".join(f"{reason} {count}" for reason, count in counts) or "none"


def _figures(
    collected: Sequence[Collected], rows: Joined, reviews: Sequence[Review]
) -> dict[str, Any]:
    """Counts of one run: those of all sources together, then each source's own."""
    by_source: dict[str, Mapping[str, Any]] = {
        one.name: {
            "kind": one.kind,
            "reviews_found": one.haul.found,
            "reviews": len(one.haul.reviews),
            "products": len(one.haul.products),
            "rejected": dict(
                sorted(Counter(row.reason for row in one.haul.rejections).items())
            ),
        }
        for one in collected
    }
    # What a source counts of its own stands on the first level where there is one source.
    own = dict(collected[0].haul.figures) if len(collected) == 1 else {}
    if len(collected) > 1:
        by_source = {
            one.name: {**by_source[one.name], **one.haul.figures} for one in collected
        }
    return {
        **own,
        "products": len(rows.products),
        "photos": len(rows.photos),
        "categories": dict(
            sorted(Counter(review.category for review in reviews).items())
        ),
        "reviews_with_photo": sum(one.photo_id is not None for one in reviews),
        "reviews_by_method": dict(sorted(Counter(map(read_by, reviews)).items())),
        "reviews_found": rows.found,
        "products_not_reached": sum(
            one.haul.figures.get("products_not_reached", 0) for one in collected
        ),
        "sources": by_source,
    }
