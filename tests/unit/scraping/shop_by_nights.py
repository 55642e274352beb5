"""A shop in memory whose stock changes from night to night, and crawls that remember the one before."""

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import httpx

from kindling.scraping.allowance import Allowance
from kindling.scraping.crawl import crawl
from kindling.scraping.extract import extract
from kindling.scraping.fetch import Fetched, FetchError, Policy, open_fetcher
from kindling.scraping.findings import Extraction
from kindling.scraping.induction import Verdict
from kindling.scraping.mapping import load
from kindling.scraping.memory import Memory, Remembered, packed, unpacked
from kindling.scraping.nightly import kept_page
from kindling.scraping.reading import SavedPage
from kindling.scraping.rows import join
from kindling.scraping.site import Crawl, Site
from kindling.scraping.snapshot import Snapshot

URL = "http://shop.example"
A_PAGE = 3
NOW = datetime(2026, 11, 25, 2, tzinfo=UTC)
RULES = load("bundled_shop.yaml")

#: Product -> (review number, version) newest first.
Stock = Mapping[str, list[tuple[int, int]]]


class Shop:
    """Answers like the bundled shop's plain layout; says which addresses were asked for."""

    def __init__(self, stock: Stock, dates: bool = True, tags: bool = True) -> None:
        self.stock, self.dates, self.tags = stock, dates, tags
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        self.asked.append(path)
        if path == "/sitemap.xml":
            return httpx.Response(200, text=self._sitemap())
        if path == "/robots.txt":
            return httpx.Response(200, text="User-agent: *\nAllow: /\n")
        html = self._page(path)
        if html is None:
            return httpx.Response(404)
        tag = f'"{hashlib.sha256(html.encode()).hexdigest()[:16]}"'
        headers = {"content-type": "text/html"} | ({"etag": tag} if self.tags else {})
        if self.tags and request.headers.get("if-none-match") == tag:
            return httpx.Response(304, headers=headers)
        return httpx.Response(200, text=html, headers=headers)

    def _sitemap(self) -> str:
        urls = ""
        for product, reviews in self.stock.items():
            state = hashlib.sha256(repr(reviews).encode()).hexdigest()[:8]
            changed = f"<lastmod>{state}</lastmod>" if self.dates else ""
            urls += f"<url><loc>{URL}/p/{product}</loc>{changed}</url>"
        return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'

    @staticmethod
    def day(review: int) -> str:
        return f"2026-{1 + review // 28:02}-{1 + review % 28:02}"

    def _page(self, path: str) -> str | None:
        if path == "/":
            links = [
                f'<a class="product-link" href="/p/{one}">x</a>' for one in self.stock
            ]
            return f"<html><body>{''.join(links)}</body></html>"
        product, _, page = path.removeprefix("/p/").partition("?page=")
        if product not in self.stock:
            return None
        reviews, number = self.stock[product], int(page or 1)
        shown = reviews[(number - 1) * A_PAGE : number * A_PAGE]
        items = "".join(
            f'<li class="customer-review" data-review-id="{product}-{one}">'
            f'<div class="review-text">Words of {one} in version {version}</div>'
            f'<div class="review-stars stars-4" aria-label="Rated 4 out of 5"></div>'
            f'<time class="review-date" datetime="{self.day(one)}"></time></li>'
            for one, version in shown
        )
        more = (
            f'<a rel="next" href="/p/{product}?page={number + 1}">next</a>'
            if number * A_PAGE < len(reviews)
            else ""
        )
        return (
            f'<html><body><section class="product" data-product-id="{product}">'
            f'<h1 class="product-title">{product}</h1></section>'
            f'<p class="review-summary">4.0 out of 5 · {len(reviews)} reviews</p>'
            f"<ul>{items}</ul>{more}</body></html>"
        )


class Scripted(Shop):
    """A script puts the reviews on its pages: a request brings none, a browser all of them."""

    works = True

    def __init__(self, stock: Stock, dates: bool = True, tags: bool = True) -> None:
        super().__init__(stock, dates, tags)
        self.drawn: list[str] = []

    def _page(self, path: str) -> str | None:
        whole = super()._page(path)
        return whole and re.sub("<ul>.*</ul>", "<ul></ul>", whole)

    async def render(self, urls: Sequence[str]) -> dict[str, Fetched | FetchError]:
        paths = [url.removeprefix(URL) for url in urls]
        self.drawn += paths
        found = [super(Scripted, self)._page(path) or "" for path in paths]
        return {
            url: Fetched(url, 200, {}, html.encode(), datetime.now(UTC))
            if self.works
            else FetchError(url, "browser", "cannot")
            for url, html in zip(urls, found, strict=True)
        }


class Reader:
    """Reads in this process; counts how many pages."""

    def __init__(self) -> None:
        self.read_pages = 0

    async def read(self, body: bytes, url: str, content_type: str = "") -> Extraction:
        self.read_pages += 1
        return extract(body, url, RULES, content_type)

    async def learn(self, pages: list[SavedPage]) -> Verdict:
        return Verdict(None, "not looked for", {})


class Store:
    """Pages by content."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}

    def put(self, fetched: Fetched, drawn: bool) -> str:
        uri = hashlib.sha256(fetched.body).hexdigest()
        self.pages[uri] = fetched.body
        return uri


class Night:
    """One crawl of a shop with what is remembered of the one before."""

    def __init__(
        self,
        shop: Shop,
        before: Remembered | None = None,
        *,
        store: Store | None = None,
        now: datetime = NOW,
        reader: str = "v1",
        reading: type[Reader] = Reader,
        earlier: Crawl | None = None,
    ) -> None:
        pages = earlier.pages if earlier else ()
        self.allowance = Allowance(
            earlier=Snapshot({page.url: kept_page(page) for page in pages})
        )
        self.shop, self.reader, self.store = shop, reading(), store or Store()
        self.memory = Memory(before or Remembered(), reader, now)
        self.crawl = asyncio.run(self._crawl())
        self.remembered = unpacked(packed(self.memory.remembered(self.crawl.pages, {})))

    async def _crawl(self) -> Crawl:
        transport = httpx.MockTransport(self.shop)
        policy = Policy(retries=0)
        async with open_fetcher(URL, policy, 1, transport=transport) as fetcher:
            site = Site(
                start_url=f"{URL}/",
                reader=self.reader,
                fetcher=fetcher,
                robots=await fetcher.robots(),
                store=self.store.put,
                renderer=self.shop if isinstance(self.shop, Scripted) else None,
                max_pages=500,
                load=self.store.pages.__getitem__,
                memory=self.memory,
                allowance=self.allowance,
            )
            return await crawl(site)

    @property
    def texts(self) -> dict[str, str]:
        rows = join(self.crawl.pages, {})
        return {one.review_id: one.body for one in rows.reviews}

    @property
    def asked(self) -> list[str]:
        quiet = ("/robots.txt", "/sitemap.xml", "/.well-known/tdmrep.json")
        return [one for one in self.shop.asked if one not in quiet]
