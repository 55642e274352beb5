"""A shop's pages: structured data and plain HTTP first, a browser last, robots.txt obeyed."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kindling.errors import ConfigurationError, DataError, TransientError
from kindling.observe.lineage import sha256_of, stage_code_sha256
from kindling.ports.source import Haul, Source, SourceTools, nulls_of
from kindling.records import Page, Rejection

if TYPE_CHECKING:
    from kindling.scraping.browser import Drawing
    from kindling.scraping.fetch import Fetcher
    from kindling.scraping.mapping import Mapping as CssRules
    from kindling.scraping.memory import Memory
    from kindling.scraping.photos import StoredPhoto
    from kindling.scraping.rows import Rows
    from kindling.scraping.site import Crawl

log = logging.getLogger(__name__)

#: Tonight's page budget is shared out among sources that say so.
ASKS_FOR_PAGES = True


class Options(BaseModel):
    """What a recipe may say of a shop."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Address of the shop. Empty: the one that the environment names.
    url: str = ""
    #: The shop that comes with this project, over its own catalogue or over real data.
    catalogue: Literal["bundled-smoke", "bundled-demo", "clothing"] | None = None
    #: Pages fetched at most; a runaway listing ends here and the report says so.
    max_pages: int = Field(20_000, ge=1)
    #: Requests under way at once, to one host.
    concurrency: int = Field(8, ge=1, le=64)
    #: Seconds between requests; the larger of this and the site's Crawl-delay is kept.
    delay_s: float = Field(0.0, ge=0)
    #: Tries after the first, for outages and answers that ask to come back later.
    retries: int = Field(3, ge=0, le=10)
    #: Seconds that one request may take in all.
    timeout_s: float = Field(60.0, gt=0)
    #: Draw in Chromium what plain HTTP showed to be missing.
    browser: bool = True
    browser_tabs: int = Field(2, ge=1, le=8)
    #: Seconds that one page may take in the browser.
    browser_page_s: float = Field(20.0, gt=0)
    #: CSS rules for layouts without structured data: a file of `mappings/`, or a path. Empty:
    #: those of the bundled shop, or for a shop of the user's own those that many shops share.
    css_rules: str = ""
    #: Ask only for pages that may have changed since the last crawl.
    remember: bool = True
    #: Days after which a page is asked for again, whatever the shop says of its changes.
    recheck_days: int = Field(30, ge=1)
    #: Share of pages that may stay without an answer (5xx, network) before it is called an outage.
    max_failed_share: float = Field(0.2, ge=0, le=1)

    @model_validator(mode="after")
    def _one_shop(self) -> "Options":
        if self.url and self.catalogue:
            raise ValueError(
                "url names a shop of its own, catalogue the bundled one: give one of them"
            )
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError(
                f"url {self.url!r} is not an address; it begins with http:// or https://"
            )
        return self


def source(options: Options, tools: SourceTools) -> Source:
    """The shop at the options' address, or at the environment's."""
    return Shop(options, tools)


@dataclass(frozen=True)
class _Collected:
    """What came off the network."""

    crawl: "Crawl"
    photos: "Mapping[str, StoredPhoto]"
    photo_rejections: list[Rejection]
    crawl_s: float
    photos_s: float
    delay_s: float
    browser: str
    memory: "Memory | None" = None


@dataclass(frozen=True)
class Shop:
    """Meets the port `Source`."""

    options: Options
    tools: SourceTools

    @property
    def url(self) -> str:
        return self.options.url or self.tools.shop_url

    @property
    def name(self) -> str:
        # The bundled shop's port differs from one machine to the next; its catalogue does not.
        return self.options.catalogue or self.url

    def collect(self) -> Haul:
        """Everything the shop shows; DataError when it shows no review, TransientError in an outage."""
        haul = self.haul()
        if not haul.reviews:
            raise DataError(self.what_was_there(haul))
        return haul

    def haul(self) -> Haul:
        """The same, with or without a review."""
        import httpx

        from kindling.scraping import nightly
        from kindling.scraping.mapping import load
        from kindling.scraping.rows import join
        from kindling.scraping.urls import origin_of

        if origin_of(self.url) is None:
            given = "url" if self.options.url else "KINDLING_SHOP_URL"
            raise ConfigurationError(f"{given}={self.url!r} is not an http(s) address")
        cpu_before = nightly.cpu_s()
        collected = asyncio.run(self._collect(load(self._rules_file())))
        self._check_outage(collected.crawl)
        rows = join(collected.crawl.pages, collected.photos)
        return Haul(
            found=rows.found,
            pages=_pages(collected.crawl),
            products=rows.products,
            photos=rows.photos,
            reviews=rows.reviews,
            rejections=[
                *collected.crawl.rejections,
                *collected.photo_rejections,
                *rows.rejections,
            ],
            figures=_figures(collected, rows),
            implementation={
                "fetcher": f"httpx {httpx.__version__}",
                "browser": collected.browser,
                "rules": _learnt(collected.crawl),
            },
            account=nightly.account(
                collected.crawl,
                rows,
                collected.photos,
                self.tools.objects,
                nightly.cpu_s() - cpu_before,
            ),
        )

    def replay(self, snapshot_uri: str) -> Haul:
        """What a night's kept pages give with today's rules; no request is made."""
        from kindling.scraping import nightly
        from kindling.scraping.mapping import load

        rules, objects = load(self._rules_file()), self.tools.objects
        found, rows = asyncio.run(
            nightly.replayed(self.url, rules, snapshot_uri, objects)
        )
        return Haul(
            found=rows.found,
            pages=_pages(found),
            products=rows.products,
            photos=rows.photos,
            reviews=rows.reviews,
            rejections=[*found.rejections, *rows.rejections],
        )

    def what_was_there(self, haul: Haul) -> str:
        """Why there is no review, in words for whoever gave the address."""
        walls = [one for one in haul.rejections if one.reason == "challenge_page"]
        if walls and len(walls) >= len(haul.pages):
            return (
                f"{self.url}: {len(walls)} pages keep readers like this one out "
                f"({walls[0].detail}); nothing here tries to get past that. Ask the shop's "
                "owner for an export of the reviews, and give it as DATA="
            )
        reasons = Counter(one.reason for one in haul.rejections)
        counted = [f"{reason} {count}" for reason, count in reasons.most_common(6)]
        return (
            f"{self.url}: {haul.found} reviews on {len(haul.pages)} pages, {len(haul.reviews)} "
            f"of them usable; rejections: {', '.join(counted) or 'none'}. Is this the right "
            "address, and do the css_rules fit its layouts?"
        )

    def _rules_file(self) -> str:
        shared = "public_shops.yaml" if self.options.url else "bundled_shop.yaml"
        return self.options.css_rules or shared

    async def _collect(self, rules: "CssRules") -> _Collected:
        from kindling.scraping import nightly
        from kindling.scraping.crawl import crawl
        from kindling.scraping.fetch import Policy, open_fetcher
        from kindling.scraping.memory import packed
        from kindling.scraping.proposals import proposer
        from kindling.scraping.reader import Reader
        from kindling.scraping.rungs import names, renderer
        from kindling.scraping.site import Site

        options = self.options
        policy = Policy(
            concurrency=options.concurrency,
            delay_s=options.delay_s,
            retries=options.retries,
            total_s=options.timeout_s,
        )
        memory = self._memory(rules)
        async with open_fetcher(self.url, policy, self.tools.seed) as fetcher:
            robots = await fetcher.robots()
            fetcher.pace.delay_s = robots.delay(options.delay_s)
            started = time.monotonic()
            async with AsyncExitStack() as stack:
                propose = proposer(llm) if (llm := self.tools.llm) else None
                reader = await stack.enter_async_context(Reader(rules, propose=propose))
                browsers = self._browsers(fetcher, rules)
                for one in browsers:
                    await stack.enter_async_context(one)
                objects, night = self.tools.objects, self.tools.night
                site = Site(
                    start_url=self.url.rstrip("/") + "/",
                    fetcher=fetcher,
                    robots=robots,
                    reader=reader,
                    renderer=renderer(browsers, reader),
                    store=nightly.store(objects),
                    load=nightly.load(objects),
                    max_pages=options.max_pages,
                    allowance=nightly.allowance(night, objects),
                    sharing=nightly.sharing(night, 4 * options.concurrency),
                    memory=memory,
                )
                found = await crawl(site)
            crawled = time.monotonic()
            photos, rejections = await nightly.photos(found, site, objects.put)
            if memory and not found.outages:
                content = packed(memory.remembered(found.pages, photos))
                self.tools.objects.put_named(self._memory_name, content)
            return _Collected(
                found,
                photos,
                rejections,
                crawled - started,
                time.monotonic() - crawled,
                fetcher.pace.delay_s,
                names(browsers)
                if options.browser
                else "none: switched off by the recipe",
                memory,
            )

    @property
    def _memory_name(self) -> str:
        from kindling.scraping.memory import FOLDER

        return f"{FOLDER}/{sha256_of([self.name, self.url])[:16]}.msgpack.gz"

    def _memory(self, rules: "CssRules") -> "Memory | None":
        from kindling.scraping.memory import Memory, unpacked

        if not self.options.remember:
            return None
        reader = sha256_of([rules.model_dump(mode="json"), stage_code_sha256("scrape")])
        before = unpacked(self.tools.objects.find_named(self._memory_name))
        return Memory(before, reader, datetime.now(UTC), self.options.recheck_days)

    def _browsers(self, fetcher: "Fetcher", rules: "CssRules") -> "list[Drawing]":
        """Those that there are, the cheapest first."""
        from kindling.scraping.browser import BrowserOptions, Chromium
        from kindling.scraping.lightpanda import Lightpanda

        found: list[Drawing] = []
        options = self.options
        if not options.browser:
            return found
        turn = fetcher.pace.turn
        if (path := self.tools.lightpanda) is not None:
            # One context at a time is all that it has.
            one_tab = BrowserOptions(path, 1, options.browser_page_s)
            found.append(Lightpanda(self.url, one_tab, rules.script, turn))
        if (path := self.tools.chromium) is not None:
            tabs = BrowserOptions(path, options.browser_tabs, options.browser_page_s)
            found.append(Chromium(self.url, tabs, rules.script, turn))
        return found

    def _check_outage(self, found: "Crawl") -> None:
        allowed = self.options.max_failed_share
        if found.outages > allowed * found.attempted:
            raise TransientError(
                f"{self.url}: {found.outages} of {found.attempted} pages gave no answer or a "
                f"server error (max_failed_share of the source is {allowed:g}); try again later"
            )


def _learnt(found: "Crawl") -> str:
    """Whether rules were found in the pages' structure, and what was said of them."""
    if found.learnt is None:
        return "none were looked for"
    rules, why = found.learnt.rules, found.learnt.why
    return f"{rules.item}{f' ({why})' if why else ''}" if rules else f"none: {why}"


def _pages(found: "Crawl") -> list[Page]:
    return [
        Page(
            url=page.url,
            sha256=page.sha256,
            uri=page.uri,
            status=page.status,
            fetcher=page.fetcher,
            fetched_at=page.fetched_at,
            action=page.action,
        )
        for page in found.pages
    ]


def _figures(collected: _Collected, rows: "Rows") -> dict[str, Any]:
    """Counts and rates of one crawl; none is an estimate of anything beyond it."""
    from kindling.scraping.health import stated_reviews
    from kindling.scraping.rows import languages

    pages = collected.crawl.pages
    reasons = Counter(one.reason for one in collected.crawl.rejections)
    return {
        "pages": len(pages),
        "pages_by_fetcher": _counted(page.fetcher for page in pages),
        "pages_per_second": round(len(pages) / max(collected.crawl_s, 1e-9), 1),
        "crawl_seconds": round(collected.crawl_s, 2),
        "photo_seconds": round(collected.photos_s, 2),
        # Of the night, however many attempts it took.
        "requests": _requests(collected),
        "pages_from_memory": _from_memory(collected),
        "pages_confirmed": collected.memory.confirmed if collected.memory else 0,
        "pages_by_action": _counted(page.action for page in pages),
        "delay_seconds": collected.delay_s,
        "reviews_stated_by_pages": stated_reviews(pages),
        "cross_checks": sum(page.extraction.checked for page in pages),
        "cross_check_conflicts": sum(len(page.extraction.conflicts) for page in pages),
        "personal_data_masked": {
            kind: rows.masked[kind] for kind in ("email", "phone", "card", "iban")
        },
        "fields_with_one_witness": _counted(
            why for review in rows.reviews for why in nulls_of(review)
        ),
        "languages": dict(languages(rows.reviews).most_common()),
        "robots_disallowed": reasons["robots_disallowed"],
        "ai_opt_outs": reasons["ai_opt_out"],
        "challenge_pages": reasons["challenge_page"],
        "products_not_reached": len(collected.crawl.unreached),
        "pages_left_at_max_pages": collected.crawl.left,
        "rules_in_quarantine": collected.crawl.quarantined,
        "layouts_drawn": {
            one.layout: f"{one.drawn} of {one.lossy} lossy pages drawn, {one.gained} reviews gained"
            for one in collected.crawl.layouts
        },
    }


def _from_memory(collected: _Collected) -> int:
    memory = collected.memory
    return memory.taken + memory.passed_over if memory else 0


def _requests(collected: _Collected) -> int:
    """Pages, drawn pages and photos that were asked for."""
    drawn = sum(one.drawn for one in collected.crawl.layouts)
    photos = len(collected.photos) + len(collected.photo_rejections)
    memory = collected.memory
    kept = memory.taken + memory.photos_taken if memory else 0
    return collected.crawl.attempted + drawn + photos - kept


def _counted(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
