"""StandingStore: PostgreSQL and the in-memory one keep the same promises."""

import threading
from collections.abc import Callable

import pytest

from kindling.ports.standing import StandingStore
from kindling.stores.memory import MemoryStanding
from kindling.stores.standing import PostgresStanding


@pytest.fixture(params=["postgres", "memory"])
def opened(request: pytest.FixtureRequest) -> Callable[[], StandingStore]:
    """Opens the store, again and again; what was written stays."""
    if request.param == "memory":
        kept = MemoryStanding()
        return lambda: kept
    url = request.getfixturevalue("database_url")
    return lambda: PostgresStanding(url)


def test_the_newest_fact_of_a_key_counts_and_the_older_ones_stay(
    opened: Callable[[], StandingStore],
) -> None:
    opened().append("label", "r1", {"says": "negative"})
    opened().append("label", "r2", {"says": "neutral"})
    opened().append("label", "r1", {"says": "positive"})
    store = opened()
    newest = store.get("label", "r1")
    assert newest is not None and newest.value == {"says": "positive"}
    assert [(one.key, one.value["says"]) for one in store.read("label")] == [
        ("r1", "negative"),
        ("r2", "neutral"),
        ("r1", "positive"),
    ]
    latest = {key: one.value["says"] for key, one in store.latest("label").items()}
    assert latest == {"r1": "positive", "r2": "neutral"}


def test_readers_go_on_from_where_they_were(
    opened: Callable[[], StandingStore],
) -> None:
    first = opened().append("event", "a", {"n": 1})
    opened().append("event", "b", {"n": 2})
    assert [one.key for one in opened().read("event", after=first.number)] == ["b"]


def test_topics_are_apart_and_an_unknown_key_has_no_fact(
    opened: Callable[[], StandingStore],
) -> None:
    opened().append("one", "k", {"n": 1})
    assert opened().get("two", "k") is None
    assert list(opened().read("two")) == [] and opened().latest("two") == {}


def test_the_first_writer_of_a_key_wins_and_all_are_told(
    opened: Callable[[], StandingStore],
) -> None:
    told: list[object] = []

    def write(number: int) -> None:
        told.append(opened().put_once("call", "hash", {"paid": number}).value["paid"])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 8 and len(set(told)) == 1
    assert len(list(opened().read("call"))) == 1


def test_values_come_back_as_json_gives_them(
    opened: Callable[[], StandingStore],
) -> None:
    value = {"text": "ü \U0001fad6", "list": [1, 2.5, None, True], "nested": {"a": "b"}}
    opened().append("t", "k", value)
    found = opened().get("t", "k")
    assert found is not None and found.value == value
    value["text"] = "changed after it was written"
    again = opened().get("t", "k")
    assert again is not None and again.value["text"] == "ü \U0001fad6"
