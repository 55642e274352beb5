"""Frontier: PostgreSQL and the in-memory one share out work alike, whoever dies."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from kindling.ports.frontier import Frontier
from kindling.stores.frontier import PostgresFrontier
from kindling.stores.memory import MemoryFrontier
from kindling.stores.postgres import PostgresRows, connect

CRAWL = "night-1/0/0"


@pytest.fixture(params=["postgres", "memory"])
def opened(request: pytest.FixtureRequest) -> Iterator[Callable[[], Frontier]]:
    """Opens the frontier as one more worker does."""
    if request.param == "memory":
        kept = MemoryFrontier()

        def attach() -> Frontier:
            kept.open("night-1", CRAWL)
            return kept
    else:
        url = request.getfixturevalue("database_url")
        PostgresRows(url).begin_run("night-1", "smoke", {})

        def attach() -> Frontier:
            made = PostgresFrontier(url)
            made.open("night-1", CRAWL)
            return made

    yield attach


def test_a_key_is_leased_to_one_worker_in_the_order_of_adding(opened):
    first, second = opened(), opened()
    first.add(CRAWL, ["b", "a", "c"])
    second.add(CRAWL, ["a", "b", "c"])
    assert first.lease(CRAWL, "one", ["a", "b", "c"], 2, 60) == ["b", "a"]
    assert second.lease(CRAWL, "two", ["a"], 2, 60) == []
    assert second.lease(CRAWL, "two", ["a", "b", "c"], 2, 60) == ["c"]
    assert second.lease(CRAWL, "two", ["a", "b", "c"], 2, 60) == []


def test_many_workers_at_once_share_every_key_and_double_none(opened):
    keys = [str(number) for number in range(200)]
    opened().add(CRAWL, keys)
    got: list[str] = []

    def work(name: str) -> None:
        frontier = opened()
        while batch := frontier.lease(CRAWL, name, keys, 7, 60):
            got.extend(batch)

    threads = [threading.Thread(target=work, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(keys)


def test_a_dead_workers_lease_runs_out_and_what_it_settled_stays(opened):
    dead, alive = opened(), opened()
    dead.add(CRAWL, ["a", "b"])
    assert dead.lease(CRAWL, "dead", ["a", "b"], 2, 0.2) == ["a", "b"]
    dead.settle(CRAWL, {"a": b"read"})
    assert alive.lease(CRAWL, "alive", ["a", "b"], 2, 60) == []
    time.sleep(0.3)
    assert alive.lease(CRAWL, "alive", ["a", "b"], 2, 60) == ["b"]
    assert alive.settled(CRAWL, ["a", "b"]) == {"a": b"read"}


def test_a_renewed_lease_does_not_run_out(opened):
    first, second = opened(), opened()
    first.add(CRAWL, ["a"])
    first.lease(CRAWL, "one", ["a"], 1, 0.2)
    first.renew(CRAWL, "one", 60)
    time.sleep(0.3)
    assert second.lease(CRAWL, "two", ["a"], 1, 60) == []


def test_renewing_while_results_come_in_is_no_deadlock(opened):
    keys = [str(number) for number in range(400)]
    frontier, failed, done = opened(), [], threading.Event()
    frontier.add(CRAWL, keys)
    assert len(frontier.lease(CRAWL, "one", keys, len(keys), 60)) == len(keys)

    def renew() -> None:
        try:
            while not done.is_set():
                frontier.renew(CRAWL, "one", 60)
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=renew) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for start in range(0, len(keys), 100):
            part = keys[start : start + 100]
            frontier.settle(CRAWL, dict.fromkeys(part, b"read"))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failed
    assert len(frontier.settled(CRAWL, keys)) == len(keys)


def test_the_first_result_of_a_key_counts(opened):
    late, early = opened(), opened()
    late.add(CRAWL, ["a"])
    early.settle(CRAWL, {"a": b"first"})
    late.settle(CRAWL, {"a": b"second"})
    assert late.settled(CRAWL, ["a"]) == {"a": b"first"}


def test_an_outage_is_asked_again_by_the_next_attempt_and_not_by_this_one(opened):
    first = opened()
    first.add(CRAWL, ["a", "b", "c"])
    first.lease(CRAWL, "one", ["a", "b", "c"], 3, 0.3)
    first.settle(CRAWL, {"a": b"page", "b": b"outage"}, again={"b"})
    # While a worker holds a lease the crawl goes on, whoever joins it.
    assert opened().settled(CRAWL, "abc") == {"a": b"page", "b": b"outage"}
    first.settle(CRAWL, {"c": b"page"})
    second = opened()
    assert second.settled(CRAWL, "abc") == {"a": b"page", "c": b"page"}
    assert second.lease(CRAWL, "two", ["a", "b", "c"], 3, 60) == ["b"]


def test_keys_may_be_longer_than_an_index_entry(opened):
    frontier = opened()
    keys = ["http https://shop.example/" + "x" * 9_000 + str(n) for n in range(2)]
    frontier.add(CRAWL, keys)
    assert frontier.lease(CRAWL, "one", keys, 5, 60) == keys


def test_a_crawl_that_was_not_opened_is_refused(opened):
    with pytest.raises(ValueError, match="night-2"):
        opened().add("night-2", ["a"])


def test_what_committed_crawls_left_behind_goes_after_a_day(database_url):
    rows = PostgresRows(database_url)
    for run in ("old", "new"):
        rows.begin_run(run, "smoke", {})
        frontier = PostgresFrontier(database_url)
        frontier.open(run, run)
        frontier.add(run, ["a"])
    with connect(database_url) as connection:
        connection.execute(
            "INSERT INTO stage_commit (run_id, stage, shard, report)"
            " VALUES ('old', 'scrape', 0, '{}')"
        )
        connection.execute("UPDATE frontier SET added_at = now() - interval '2 days'")
    PostgresFrontier(database_url).open("new", "new")
    with connect(database_url) as connection:
        left = connection.execute("SELECT crawl FROM frontier").fetchall()
    assert left == [("new",)]


def test_what_is_removed_is_asked_for_anew(opened):
    frontier = opened()
    frontier.add(CRAWL, ["a", "b"])
    frontier.settle(CRAWL, {"a": b"said"})
    frontier.remove("another night")
    assert frontier.settled(CRAWL, ["a"]) == {"a": b"said"}
    frontier.remove("night-1")
    assert frontier.settled(CRAWL, ["a", "b"]) == {}
    frontier.add(CRAWL, ["a"])
    assert frontier.lease(CRAWL, "one", ["a"], 1, 60) == ["a"]
