"""The second crawl asks for what has changed, and finds what a crawl from nothing finds."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kindling.scraping.findings import Extraction
from kindling.scraping.health import stated_reviews
from kindling.scraping.induction import Verdict
from kindling.scraping.memory import Remembered, unpacked
from kindling.scraping.reading import SavedPage
from kindling.scraping.rows import join

from .shop_by_nights import NOW, RULES, URL, Night, Reader, Scripted, Shop, Stock, Store


def stock(**changes: list[tuple[int, int]]) -> dict[str, list[tuple[int, int]]]:
    """Two products of ten reviews and one of two."""
    usual = {
        "pot": [(number, 0) for number in range(10, 0, -1)],
        "pan": [(number, 0) for number in range(10, 0, -1)],
        "lid": [(2, 0), (1, 0)],
    }
    return {**usual, **changes}


GROWN = stock(pot=[(11, 0), *stock()["pot"]])


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
    second = Night(Shop(GROWN), first.remembered, store=first.store)
    assert second.asked == ["/p/pot"]
    assert second.texts == Night(Shop(GROWN)).texts


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


def test_pages_that_are_read_late_bring_each_review_once() -> None:
    first = Night(Shop(stock(), tags=False), reading=LateReader)
    shop = Shop(GROWN, tags=False)
    second = Night(shop, first.remembered, store=first.store, reading=LateReader)
    anew = Night(Shop(GROWN, tags=False), reading=LateReader)
    assert second.texts == anew.texts
    assert join(second.crawl.pages, {}).found == join(anew.crawl.pages, {}).found


def test_pages_that_were_passed_over_are_asked_for_on_no_quiet_night_after() -> None:
    first = Night(Shop(stock(), tags=False))
    second = Night(Shop(GROWN, tags=False), first.remembered, store=first.store)
    assert second.memory.passed_over > 0
    third = Night(Shop(GROWN, tags=False), second.remembered, store=first.store)
    assert [one for one in third.asked if one.startswith("/p/")] == []
    assert third.texts == second.texts


def test_pages_that_were_passed_over_are_told_as_those_that_were_asked_for() -> None:
    first = Night(Shop(stock(), tags=False))
    known = {"store": first.store, "earlier": first.crawl}
    passing = Night(Shop(GROWN, tags=False), first.remembered, **known)
    # Another reader may not rest on what the first one knew: it looks at every page.
    asking = Night(Shop(GROWN, tags=False), first.remembered, **known, reader="v2")
    assert passing.memory.passed_over and not asking.memory.passed_over
    actions = [
        {page.url: page.action for page in one.crawl.pages} for one in (passing, asking)
    ]
    shared = actions[0].keys() & actions[1].keys()
    assert {one: actions[0][one] for one in shared} == {
        one: actions[1][one] for one in shared
    }
    assert "deeper" in actions[0].values()
