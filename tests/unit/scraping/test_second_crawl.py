"""The second crawl asks for what has changed, and finds what a crawl from nothing finds."""

import asyncio
import hashlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kindling.scraping.crawl import crawl
from kindling.scraping.extract import extract
from kindling.scraping.fetch import Fetched, FetchError, Policy, open_fetcher
from kindling.scraping.findings import Extraction
from kindling.scraping.health import stated_reviews
from kindling.scraping.induction import Verdict
from kindling.scraping.mapping import load
from kindling.scraping.memory import Memory, Remembered, packed, unpacked
from kindling.scraping.reading import SavedPage
from kindling.scraping.rows import join
from kindling.scraping.site import Crawl, Site

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
    ) -> None:
        self.shop, self.reader, self.store = shop, Reader(), store or Store()
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


def stock(**changes: list[tuple[int, int]]) -> dict[str, list[tuple[int, int]]]:
    """Two products of ten reviews and one of two."""
    usual = {
        "pot": [(number, 0) for number in range(10, 0, -1)],
        "pan": [(number, 0) for number in range(10, 0, -1)],
        "lid": [(2, 0), (1, 0)],
    }
    return {**usual, **changes}


def test_of_a_shop_that_did_not_change_only_the_sitemap_is_asked_for() -> None:
    first = Night(Shop(stock()))
    second = Night(Shop(stock()), first.remembered, store=first.store)
    assert second.asked == []
    assert second.reader.read_pages == 0
    assert second.crawl.pages == first.crawl.pages


def test_without_dates_validators_are_asked_and_no_page_is_read_again() -> None:
    first = Night(Shop(stock(), dates=False))
    second = Night(Shop(stock(), dates=False), first.remembered, store=first.store)
    assert len(second.asked) == len(first.crawl.pages)
    assert second.memory.confirmed == len(first.crawl.pages)
    assert second.reader.read_pages == 0
    assert second.texts == first.texts


def test_without_both_a_page_that_came_again_is_not_read_again() -> None:
    plain = {"dates": False, "tags": False}
    first = Night(Shop(stock(), **plain))
    second = Night(Shop(stock(), **plain), first.remembered, store=first.store)
    assert second.reader.read_pages == 0
    assert [one.fetched_at for one in second.crawl.pages] == [
        one.fetched_at for one in first.crawl.pages
    ]


def test_of_a_product_with_a_new_review_the_first_page_is_enough() -> None:
    first = Night(Shop(stock()))
    grown = stock(pot=[(11, 0), *stock()["pot"]])
    second = Night(Shop(grown), first.remembered, store=first.store)
    assert second.asked == ["/p/pot"]
    assert second.texts == Night(Shop(grown)).texts


def test_a_review_that_left_is_noticed_by_the_count() -> None:
    first = Night(Shop(stock()))
    shrunk = stock(pot=[one for one in stock()["pot"] if one[0] != 2])
    second = Night(Shop(shrunk), first.remembered, store=first.store)
    assert second.texts == Night(Shop(shrunk)).texts


def test_a_page_is_asked_for_again_after_a_month() -> None:
    first = Night(Shop(stock(), tags=False))
    later = NOW + timedelta(days=31)
    second = Night(
        Shop(stock(), tags=False), first.remembered, store=first.store, now=later
    )
    assert sorted(second.asked) == sorted(first.asked)


def test_other_rules_read_the_stored_pages_without_a_request() -> None:
    first = Night(Shop(stock()))
    second = Night(Shop(stock()), first.remembered, store=first.store, reader="v2")
    assert second.asked == []
    assert second.reader.read_pages == len(first.crawl.pages)
    assert second.texts == first.texts


def test_a_stored_page_that_is_gone_is_asked_for() -> None:
    first = Night(Shop(stock()))
    empty = Store()

    class Missing(dict[str, bytes]):
        def __getitem__(self, uri: str) -> bytes:
            from kindling.errors import DataError

            raise DataError(f"object {uri} is not in the store")

    empty.pages = Missing()
    second = Night(Shop(stock()), first.remembered, store=empty, reader="v2")
    assert second.texts == first.texts


def test_a_memory_of_another_version_is_no_memory() -> None:
    assert unpacked(b"not a memory") == Remembered()
    assert unpacked(None) == Remembered()


@pytest.mark.parametrize("dates", [True, False])
def test_an_opt_out_that_comes_with_a_304_is_obeyed(dates: bool) -> None:
    first = Night(Shop(stock(), dates=False))

    class OptsOut(Shop):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            answer = super().__call__(request)
            answer.headers["x-robots-tag"] = "noai"
            return answer

    second = Night(OptsOut(stock(), dates=False), first.remembered, store=first.store)
    assert second.texts == {}


#: What happens to a product in a night: reviews that come, and places of those that leave.
events = st.tuples(st.integers(0, 4), st.sets(st.integers(0, 12), max_size=2))
histories = st.lists(
    st.dictionaries(st.sampled_from(["pot", "pan", "lid"]), events, min_size=1),
    min_size=2,
    max_size=4,
)


def played(history: list[dict[str, tuple[int, set[int]]]]) -> Iterator[Stock]:
    """The shop's stock on each night, newest first; a product without an event has left for the night."""
    newest = 0
    held: dict[str, list[tuple[int, int]]] = {"pot": [], "pan": [], "lid": []}
    for night in history:
        for product, (coming, leaving) in night.items():
            stays = [one for at, one in enumerate(held[product]) if at not in leaving]
            new = [(newest + at, 0) for at in range(coming, 0, -1)]
            newest += coming
            held[product] = [*new, *stays]
        yield {product: list(held[product]) for product in night}


@settings(max_examples=80)
@given(histories, st.booleans(), st.booleans(), st.sampled_from([Shop, Scripted]))
def test_any_nights_find_what_a_crawl_from_nothing_finds(
    history: list[dict[str, tuple[int, set[int]]]],
    dates: bool,
    tags: bool,
    kind: type[Shop],
) -> None:
    remembered, store = Remembered(), Store()
    for number, shown in enumerate(played(history)):
        now = NOW + timedelta(days=number)
        night = Night(kind(shown, dates, tags), remembered, store=store, now=now)
        remembered = night.remembered
        assert night.texts == Night(kind(shown, dates, tags)).texts


GROWN = stock(pot=[(11, 0), *stock()["pot"]])


def test_what_had_to_be_drawn_is_drawn_without_a_request_before() -> None:
    first = Night(Scripted(stock()))
    shop = Scripted(GROWN)
    second = Night(shop, first.remembered, store=first.store)
    assert second.asked == [] and shop.drawn == ["/p/pot"]
    assert second.texts == Night(Scripted(GROWN)).texts
    # Later pages are as they were, and their count of all reviews with them.
    assert stated_reviews(second.crawl.pages) == 23


def test_what_cannot_be_drawn_tonight_is_asked_for_and_told() -> None:
    first = Night(Scripted(stock()))
    shop = Scripted(GROWN)
    shop.works = False
    second = Night(shop, first.remembered, store=first.store)
    assert second.asked[0] == "/p/pot"
    told = {one.row_id: one.reason for one in second.crawl.rejections}
    assert told[f"{URL}/p/pot"] == "browser_failed"
    assert "pot" in second.crawl.unreached


@pytest.mark.parametrize(
    ("path", "answer", "reason"),
    [
        ("/robots.txt", "User-agent: *\nDisallow: /p/pot", "robots_disallowed"),
        (
            "/.well-known/tdmrep.json",
            '[{"location": "/p/*", "tdm-reservation": 1}]',
            "ai_opt_out",
        ),
    ],
)
def test_no_page_is_drawn_that_may_not_be_asked_for_any_more(
    path: str, answer: str, reason: str
) -> None:
    class Forbids(Scripted):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            if request.url.path == path:
                return httpx.Response(200, text=answer)
            return super().__call__(request)

    first = Night(Scripted(stock()))
    shop = Forbids(GROWN)
    second = Night(shop, first.remembered, store=first.store)
    assert shop.drawn == [] and "/p/pot" not in shop.asked
    told = {one.row_id: one.reason for one in second.crawl.rejections}
    assert told[f"{URL}/p/pot"] == reason


class LateReader(Reader):
    """Finds no review at first, as where a page has to be drawn or its rules found."""

    def __init__(self) -> None:
        super().__init__()
        self.knows = False

    async def read(self, body: bytes, url: str, content_type: str = "") -> Extraction:
        found = await super().read(body, url, content_type)
        if self.knows or "/p/" not in url:
            return found
        return replace(found, reviews=(), signs=("stated_count",))

    async def learn(self, pages: list[SavedPage]) -> Verdict:
        self.knows = True
        return Verdict(RULES.reviews[0], "found late", {})

    def unlearn(self) -> None:
        self.knows = False


def test_pages_that_are_read_late_bring_each_review_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "Reader", LateReader)
    first = Night(Shop(stock(), tags=False))
    changed = stock(pot=[(11, 0), *((number, 0) for number in range(10, 0, -1))])
    second = Night(Shop(changed, tags=False), first.remembered, store=first.store)
    anew = Night(Shop(changed, tags=False))
    assert second.texts == anew.texts
    assert join(second.crawl.pages, {}).found == join(anew.crawl.pages, {}).found


def test_pages_that_were_passed_over_are_asked_for_on_no_quiet_night_after() -> None:
    first = Night(Shop(stock(), tags=False))
    changed = stock(pot=[(11, 0), *((number, 0) for number in range(10, 0, -1))])
    second = Night(Shop(changed, tags=False), first.remembered, store=first.store)
    assert second.memory.passed_over > 0
    third = Night(Shop(changed, tags=False), second.remembered, store=first.store)
    assert [one for one in third.asked if one.startswith("/p/")] == []
    assert third.texts == second.texts
