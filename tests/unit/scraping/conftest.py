"""Saved pages, and a shop that exists only in memory."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from kindling.errors import DataError
from kindling.scraping import mapping as mappings
from kindling.scraping.allowance import Allowance
from kindling.scraping.crawl import crawl
from kindling.scraping.extract import extract
from kindling.scraping.fetch import Fetched, Policy, open_fetcher
from kindling.scraping.findings import Extraction
from kindling.scraping.induction import Verdict
from kindling.scraping.mapping import Mapping
from kindling.scraping.reading import SavedPage, learn_from, with_rules
from kindling.scraping.site import Crawl, CrawledPage, Site

SHOP = "http://shop.example"


@pytest.fixture(scope="session")
def mapping() -> Mapping:
    return mappings.load("bundled_shop.yaml")


@pytest.fixture(scope="session")
def saved() -> Callable[[str], bytes]:
    folder = Path(__file__).resolve().parents[2] / "data" / "pages"
    return lambda name: (folder / f"{name}.html").read_bytes()


@pytest.fixture(scope="session")
def read(
    saved: Callable[[str], bytes], mapping: Mapping
) -> Callable[[str], Extraction]:
    """The extraction of a saved page, as the shop's first product page."""
    return lambda name: extract(
        saved(name), f"{SHOP}/p/teapot-01", mapping, "text/html; charset=utf-8"
    )


@dataclass
class MemoryShop:
    """Answers by path; counts what was asked, and in how much parallel."""

    mapping: Mapping
    answers: dict[str, object] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    latency: Callable[[str], float] = lambda _: 0.0
    stored: dict[str, bytes] = field(default_factory=dict)
    addresses: dict[str, list[str]] = field(default_factory=dict)
    allowance: Allowance = field(default_factory=Allowance)

    def __post_init__(self) -> None:
        self.given = self.mapping

    def page(
        self,
        path: str,
        body: str = "",
        headers: dict[str, str] | None = None,
        status: int = 200,
    ) -> None:
        self.answers[path] = (
            status,
            {"content-type": "text/html; charset=utf-8", **(headers or {})},
            body,
        )

    async def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        self.asked.append(path)
        await asyncio.sleep(self.latency(path))
        found = self.answers.get(path, (404, {}, "none"))
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, Exception):
            raise found
        status, headers, body = found
        return httpx.Response(status, headers=headers, content=body)

    async def resolve(self, host: str, port: int) -> list[str]:
        """Addresses of other hosts; those that are not listed have none."""
        if host not in self.addresses:
            raise OSError("name not known")
        return self.addresses[host]

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def read(self, body: bytes, url: str, content_type: str = "") -> Extraction:
        return extract(body, url, self.mapping, content_type)

    async def learn(self, pages: Sequence[SavedPage]) -> Verdict:
        verdict = learn_from(pages, self.mapping)
        if verdict.rules is not None:
            self.mapping = with_rules(self.mapping, verdict.rules)
        return verdict

    def unlearn(self) -> None:
        self.mapping = self.given

    def load(self, uri: str) -> bytes:
        """As the store of objects does it."""
        if uri not in self.stored:
            raise DataError(f"object {uri} is not in the store")
        return self.stored[uri]

    def crawl(
        self,
        renderer: object = None,
        max_pages: int = 100,
        concurrency: int = 4,
        keep: list | None = None,
    ) -> Crawl:
        async def go() -> Crawl:
            policy = Policy(concurrency=concurrency, retries=1)
            transport = httpx.MockTransport(self.answer)
            async with open_fetcher(
                SHOP, policy, 0, transport, self.sleep, self.resolve
            ) as fetcher:
                robots = await fetcher.robots()
                return await crawl(
                    Site(
                        f"{SHOP}/",
                        self,
                        fetcher,
                        robots,
                        self._store(keep),
                        renderer,
                        max_pages,
                        self.load,
                        self.allowance,
                    )
                )

        return asyncio.run(go())

    def _store(self, keep: list | None) -> Callable[[Fetched, bool], str]:
        def store(fetched: Fetched, drawn: bool) -> str:
            body = fetched.body
            if keep is not None:
                keep.append(body)
            uri = f"memory://{hashlib.sha256(body).hexdigest()}"
            self.stored[uri] = body
            return uri

        return store


@pytest.fixture
def shop(mapping: Mapping) -> MemoryShop:
    return MemoryShop(mapping)


@pytest.fixture
def product_page() -> Callable[..., str]:
    """A page of the plain layout with reviews of these ids, or a shell of the script layout."""

    def make(
        product: str,
        ids: Sequence[str] = (),
        next_url: str = "",
        shell: int = 0,
        extra: str = "",
    ) -> str:
        pager = f'<a rel="next" href="{next_url}">Next</a>' if next_url else ""
        if shell:
            return (
                f'<main id="product-app" data-product-id="{product}"><h1 class="pdp-name">{product}</h1>'
                f'<p class="review-summary">4.0 out of 5 · {shell} reviews</p>'
                f'<section id="reviews-root" aria-busy="true"></section>{pager}</main>{extra}'
            )
        rows = "".join(
            f'<li class="customer-review" data-review-id="{one}">'
            f'<div class="review-text">Text of {one}.</div>'
            '<div class="review-stars" aria-label="Rated 4 out of 5"></div></li>'
            for one in ids
        )
        return (
            f'<section class="product" data-product-id="{product}">'
            f'<h1 class="product-title">{product}</h1></section>'
            f"<ol>{rows}</ol>{pager}{extra}"
        )

    return make


@dataclass(frozen=True)
class Crawled:
    """Makes crawled pages of extractions."""

    mapping: Mapping

    def page(self, extraction: Extraction, url: str = f"{SHOP}/p/x") -> CrawledPage:
        return CrawledPage(
            url,
            200,
            "0" * 64,
            "memory://",
            "http",
            datetime(2026, 1, 1, tzinfo=UTC),
            extraction,
        )


@pytest.fixture
def crawled(mapping: Mapping) -> Crawled:
    return Crawled(mapping)
