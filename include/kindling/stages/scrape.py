"""Collect products, reviews and photos from the shop: structured data and HTTP first, robots.txt obeyed."""

import asyncio
import gzip
import logging
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from kindling.errors import ConfigurationError, DataError, TransientError
from kindling.ports.objects import ObjectStore
from kindling.quality.checks import check
from kindling.recipe import ScrapeConfig
from kindling.records import Page, Rejection, Review
from kindling.scraping.browser import BrowserOptions, Chromium
from kindling.scraping.crawl import crawl
from kindling.scraping.fetch import Fetcher, Policy, open_fetcher
from kindling.scraping.mapping import Mapping as CssRules
from kindling.scraping.mapping import load
from kindling.scraping.photos import StoredPhoto, download
from kindling.scraping.reader import Reader
from kindling.scraping.robots import Robots
from kindling.scraping.rows import Rows, join
from kindling.scraping.site import Crawl, Site
from kindling.scraping.urls import origin_of
from kindling.stages.contract import Context, Outcome

log = logging.getLogger(__name__)


class Needs(Protocol):
    """What the stage is handed."""

    objects: ObjectStore
    shop_url: str
    #: Path of a Chromium binary, or None where there is none.
    chromium: str | None


@dataclass(frozen=True)
class _Haul:
    """What came off the network."""

    crawl: Crawl
    photos: Mapping[str, StoredPhoto]
    photo_rejections: list[Rejection]
    requests: int
    crawl_s: float
    photos_s: float
    delay_s: float
    browser: str


def run(config: ScrapeConfig, context: Context, needs: Needs) -> Outcome:
    """Everything the shop shows; DataError when that is too little, TransientError when nobody answers."""
    if origin_of(needs.shop_url) is None:
        raise ConfigurationError(
            f"KINDLING_SHOP_URL={needs.shop_url!r} is not an http(s) address"
        )
    haul = asyncio.run(_collect(config, context, needs, load(config.css_rules)))
    _check_outage(config, needs.shop_url, haul.crawl)
    rows = join(haul.crawl.pages, haul.photos)
    if not rows.reviews:
        raise DataError(_nothing(needs.shop_url, haul.crawl, rows))
    failing = check(list(rows.reviews), "scrape")
    quarantined = {one.row_id for one in failing}
    reviews = [review for review in rows.reviews if review.review_id not in quarantined]
    if len(reviews) < config.min_reviews:
        raise DataError(
            f"{needs.shop_url}: {len(reviews)} reviews after checks, the recipe wants at least "
            f"{config.min_reviews} (scrape.min_reviews); {_nothing(needs.shop_url, haul.crawl, rows)}"
        )
    log.info(
        "%d reviews of %d products, %d photos",
        len(reviews),
        len(rows.products),
        len(rows.photos),
    )
    return Outcome(
        rows_in=rows.found,
        rows_out=len(reviews),
        records=[*_pages(haul.crawl), *rows.products, *rows.photos, *reviews],
        rejections=[
            *haul.crawl.rejections,
            *haul.photo_rejections,
            *rows.rejections,
            *failing,
        ],
        figures=_figures(haul, rows, reviews),
        implementation={
            "fetcher": f"httpx {httpx.__version__}",
            "browser": haul.browser,
        },
    )


async def _collect(
    config: ScrapeConfig, context: Context, needs: Needs, rules: CssRules
) -> _Haul:
    policy = Policy(
        concurrency=config.concurrency,
        delay_s=config.delay_s,
        retries=config.retries,
        total_s=config.timeout_s,
    )
    async with open_fetcher(needs.shop_url, policy, context.seed) as fetcher:
        robots = await fetcher.robots()
        fetcher.pace.delay_s = robots.delay(config.delay_s)
        started = time.monotonic()
        async with AsyncExitStack() as stack:
            chromium = _chromium(config, needs, fetcher, rules)
            found = await crawl(
                Site(
                    start_url=needs.shop_url.rstrip("/") + "/",
                    fetcher=fetcher,
                    robots=robots,
                    reader=await stack.enter_async_context(Reader(rules)),
                    renderer=await stack.enter_async_context(chromium)
                    if chromium
                    else None,
                    store=lambda body: _keep_page(needs.objects, body),
                    max_pages=config.max_pages,
                )
            )
        crawled = time.monotonic()
        photos, rejections = await _photos(found, fetcher, robots, needs.objects)
        return _Haul(
            found,
            photos,
            rejections,
            fetcher.requests,
            crawled - started,
            time.monotonic() - crawled,
            fetcher.pace.delay_s,
            _browser_name(config, needs, chromium),
        )


async def _photos(
    found: Crawl, fetcher: Fetcher, robots: Robots, objects: ObjectStore
) -> tuple[dict[str, StoredPhoto], list[Rejection]]:
    urls = {url for page in found.pages for url in page.extraction.photos}
    log.info("%d pages; fetching %d photos", len(found.pages), len(urls))
    return await download(urls, fetcher, robots, objects.put)


def _chromium(
    config: ScrapeConfig, needs: Needs, fetcher: Fetcher, rules: CssRules
) -> Chromium | None:
    if not config.browser or needs.chromium is None:
        return None
    options = BrowserOptions(needs.chromium, config.browser_tabs, config.browser_page_s)
    return Chromium(needs.shop_url, options, rules.script, fetcher.pace.turn)


def _browser_name(config: ScrapeConfig, needs: Needs, chromium: Chromium | None) -> str:
    if chromium is None:
        return (
            "none: no Chromium is set"
            if config.browser
            else "none: switched off by the recipe"
        )
    return (
        f"Chromium {chromium.version} through Playwright"
        if chromium.version
        else f"{needs.chromium}, not started"
    )


def _keep_page(objects: ObjectStore, body: bytes) -> str:
    # No time in the header: the same page is the same object.
    return objects.put(gzip.compress(body, compresslevel=6, mtime=0), ".html.gz")


def _check_outage(config: ScrapeConfig, shop_url: str, found: Crawl) -> None:
    if found.outages > config.max_failed_share * found.attempted:
        raise TransientError(
            f"{shop_url}: {found.outages} of {found.attempted} pages gave no answer or a server error "
            f"(scrape.max_failed_share is {config.max_failed_share:g}); try again later"
        )


def _nothing(shop_url: str, found: Crawl, rows: Rows) -> str:
    """What was there instead of enough reviews."""
    reasons = Counter(one.reason for one in (*found.rejections, *rows.rejections))
    told = (
        ", ".join(f"{reason} {count}" for reason, count in reasons.most_common(6))
        or "none"
    )
    return (
        f"{shop_url}: {rows.found} reviews on {len(found.pages)} pages, {len(rows.reviews)} of them usable; "
        f"rejections: {told}. Is this the right address, and do the css_rules fit its layouts?"
    )


def _pages(found: Crawl) -> list[Page]:
    return [
        Page(
            url=page.url,
            sha256=page.sha256,
            uri=page.uri,
            status=page.status,
            fetcher=page.fetcher,
            fetched_at=page.fetched_at,
        )
        for page in found.pages
    ]


def _figures(haul: _Haul, rows: Rows, reviews: list[Review]) -> dict[str, Any]:
    """Counts and rates of this very run; none is an estimate of anything beyond it."""
    pages = haul.crawl.pages
    stated = {
        page.extraction.product.product_id: page.extraction.product.stated_reviews or 0
        for page in pages
        if page.extraction.product
    }
    reasons = Counter(one.reason for one in haul.crawl.rejections)
    return {
        "pages": len(pages),
        "pages_by_fetcher": dict(
            sorted(Counter(page.fetcher for page in pages).items())
        ),
        "pages_per_second": round(len(pages) / max(haul.crawl_s, 1e-9), 1),
        "crawl_seconds": round(haul.crawl_s, 2),
        "photo_seconds": round(haul.photos_s, 2),
        "requests": haul.requests,
        "delay_seconds": haul.delay_s,
        "products": len(rows.products),
        "photos": len(rows.photos),
        "reviews_with_photo": sum(review.photo_id is not None for review in reviews),
        "reviews_by_method": dict(
            sorted(Counter(review.extractor for review in reviews).items())
        ),
        "reviews_found": rows.found,
        "reviews_stated_by_pages": sum(stated.values()),
        "cross_checks": sum(page.extraction.checked for page in pages),
        "cross_check_conflicts": sum(len(page.extraction.conflicts) for page in pages),
        "personal_data_masked": {
            kind: rows.masked[kind] for kind in ("email", "phone", "card")
        },
        "robots_disallowed": reasons["robots_disallowed"],
        "ai_opt_outs": reasons["ai_opt_out"],
        "products_not_reached": len(haul.crawl.unreached),
        "pages_left_at_max_pages": haul.crawl.left,
        "layouts_drawn": {
            one.layout: f"{one.drawn} of {one.lossy} lossy pages drawn, {one.gained} reviews gained"
            for one in haul.crawl.layouts
        },
    }
