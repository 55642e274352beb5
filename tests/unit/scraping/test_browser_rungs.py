"""Several browsers in turn: a page goes on to the next one only where it is not whole yet."""

import asyncio
from datetime import UTC, datetime

from kindling.scraping.fetch import Fetched, FetchError
from kindling.scraping.rungs import Ladder


class Browser:
    """Draws the pages it knows, fails on the rest with one kind of error."""

    version = "1"

    def __init__(self, name: str, pages: dict[str, str], kind: str = "browser") -> None:
        self.name, self.pages, self.kind, self.asked = name, pages, kind, []

    async def render(self, urls):
        self.asked += urls
        return {
            url: Fetched(url, 200, {}, self.pages[url].encode(), datetime.now(UTC))
            if url in self.pages
            else FetchError(url, self.kind, f"{self.name} cannot")
            for url in urls
        }


async def whole(drawn: Fetched) -> bool:
    return b"reviews" in drawn.body


def climb(rungs, *batches):
    ladder = Ladder(rungs, whole)

    async def go():
        results = {}
        for urls in batches:
            results |= await ladder.render(urls)
        return results

    return asyncio.run(go()), ladder


def test_the_next_browser_gets_what_the_first_left():
    first = Browser("light", {"a": "reviews", "b": "empty"})
    last = Browser("heavy", {"b": "reviews", "c": "reviews"})
    drawn, ladder = climb([first, last], ["a", "b", "c"])
    assert all(b"reviews" in one.body for one in drawn.values())
    assert last.asked == ["b", "c"]
    assert ladder.drawn == {"light": 1, "heavy": 2}


def test_what_the_first_drew_is_kept_where_the_last_fails():
    drawn, _ = climb(
        [Browser("light", {"a": "half"}), Browser("heavy", {}, "browser_needed")], ["a"]
    )
    assert drawn["a"].body == b"half"


def test_a_page_that_the_shop_refuses_is_asked_for_once():
    last = Browser("heavy", {"a": "reviews"})
    drawn, _ = climb([Browser("light", {}, "http_error"), last], ["a"])
    assert drawn["a"].kind == "http_error" and not last.asked


def test_a_browser_that_never_helps_is_left_out():
    first, last = Browser("light", {}), Browser("heavy", {})
    climb([first, last], [f"a{n}" for n in range(6)], ["b"])
    assert "b" in last.asked and "b" not in first.asked


def test_one_success_keeps_it_in():
    first = Browser("light", {"a5": "reviews", "c": "reviews"})
    urls = [f"a{n}" for n in range(6)]
    climb([first, Browser("heavy", {})], urls, ["c"])
    assert "c" in first.asked
