"""Workers over one frontier: every address asked for once, whoever dies, and equal answers for all."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.scraping.sharing import Alone, Shared, Work
from kindling.stores.memory import MemoryFrontier

CRAWL = "r/0/0"


@dataclass(frozen=True)
class Said:
    text: str
    outage: bool = False


class Shop:
    """Answers with a running number, so that asking twice shows."""

    def __init__(self, outages: frozenset[str] = frozenset()) -> None:
        self.asked: list[str] = []
        self.outages = outages
        self.dies_after: int | None = None

    async def do(self, urls):
        answers = {}
        for url in urls:
            await asyncio.sleep(0)
            self.asked.append(url)
            if self.dies_after is not None and len(self.asked) > self.dies_after:
                raise KeyboardInterrupt
            answers[url] = Said(f"{len(self.asked)}", url in self.outages)
        return answers

    @property
    def work(self):
        return Work("http", Said, self.do, lambda said: said.outage)


def joined(frontier, batch=3, lease_s=60.0):
    frontier.open("r", CRAWL)
    return Shared(frontier, CRAWL, batch, lease_s)


@given(st.integers(1, 5), st.integers(1, 40), st.integers(1, 9))
def test_several_workers_ask_once_for_each_and_know_the_same(workers, count, batch):
    shop, frontier = Shop(), MemoryFrontier()
    urls = [f"u{number}" for number in range(count)]

    async def go():
        shared = [joined(frontier, batch) for _ in range(workers)]
        return await asyncio.gather(*(one.answers(urls, shop.work) for one in shared))

    results = asyncio.run(go())
    assert sorted(shop.asked) == sorted(urls)
    assert all(list(result) == urls and result == results[0] for result in results)


def test_a_killed_worker_leaves_its_batch_to_the_next_and_no_more():
    shop, frontier = Shop(), MemoryFrontier()
    urls = [f"u{number}" for number in range(20)]
    shop.dies_after = 10
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(joined(frontier, lease_s=0.0).answers(urls, shop.work))
    shop.dies_after = None
    found = asyncio.run(joined(frontier).answers(urls, shop.work))
    repeated = len(shop.asked) - len(set(shop.asked))
    assert list(found) == urls
    assert 0 < repeated <= 3


def test_what_is_settled_is_not_asked_for_by_a_later_worker():
    shop, frontier = Shop(), MemoryFrontier()
    first = asyncio.run(joined(frontier).answers(["a", "b"], shop.work))
    later = joined(frontier)
    assert asyncio.run(later.answers(["a", "b"], shop.work)) == first
    assert shop.asked == ["a", "b"]


def test_an_outage_is_asked_for_again_by_the_next_attempt_only():
    shop, frontier = Shop(frozenset({"b"})), MemoryFrontier()
    worker = joined(frontier)
    asyncio.run(worker.answers(["a", "b"], shop.work))
    asyncio.run(worker.answers(["a", "b"], shop.work))
    assert shop.asked == ["a", "b"]
    shop.outages = frozenset()
    found = asyncio.run(joined(frontier).answers(["a", "b"], shop.work))
    assert shop.asked == ["a", "b", "b"] and not found["b"].outage


def test_kinds_of_requests_for_one_address_are_apart():
    shop, frontier = Shop(), MemoryFrontier()
    worker = joined(frontier)
    drawn = Work("draw", Said, shop.do, lambda said: said.outage)
    asyncio.run(worker.answers(["a"], shop.work))
    asyncio.run(worker.answers(["a"], drawn))
    assert shop.asked == ["a", "a"]


def test_a_slow_answer_keeps_its_lease():
    frontier = MemoryFrontier()
    asked: list[str] = []

    async def slow(urls):
        asked.extend(urls)
        await asyncio.sleep(0.4)
        return {url: Said("late") for url in urls}

    work = Work("http", Said, slow, lambda said: said.outage)

    async def go():
        first, second = (joined(frontier, 3, 0.15) for _ in range(2))
        await asyncio.gather(first.answers(["a"], work), second.answers(["a"], work))

    asyncio.run(go())
    assert asked == ["a"]


def test_without_a_frontier_all_are_asked_for_at_once():
    shop = Shop()
    found = asyncio.run(Alone().answers(["a", "b"], shop.work))
    assert list(found) == shop.asked == ["a", "b"]
    assert asyncio.run(Alone().answers([], shop.work)) == {}
