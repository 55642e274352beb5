"""Searches beside an answer: a deadline, a breaker that opens and closes, and no thread lost."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kindling.retrieval.rerank import Query
from kindling.serving import neighbours, worker
from kindling.serving.breaker import CircuitBreaker
from kindling.serving.neighbours import Deadlines, Found, Neighbours
from kindling.serving.predictor import Predictor
from kindling.serving.questions import Analyze
from kindling.serving.worker import Desk, Question

QUERY = Query("a", np.zeros(2))


class Store:
    """A search that answers, raises, or hangs until told otherwise."""

    version, fusion = "v1", "convex"

    def __init__(self) -> None:
        self.state = "up"
        self.thawed = threading.Event()
        self.asked = 0

    def embed(self, texts: Sequence[str]) -> list[Query]:
        return [Query(text, np.zeros(2)) for text in texts]

    def similar(self, query: Query, limit: int, filters: Any = None) -> Any:
        self.asked += 1
        if self.state == "frozen":
            self.thawed.wait(20)
        if self.state == "down":
            raise OSError("no such store at /var/lib/secret")
        return (), True

    def probe(self) -> None:
        self.similar(QUERY, 1)


@pytest.fixture
def store() -> Any:
    store = Store()
    yield store
    store.state = "up"
    store.thawed.set()


def ask(search: Neighbours, seconds: float = 0.2) -> Found:
    got, arrived = [], threading.Event()

    def done(found: Found) -> None:
        got.append(found)
        arrived.set()

    search.start(QUERY, 3).finish(done, Deadlines(), seconds)
    assert arrived.wait(10)
    time.sleep(0.02)
    assert len(got) == 1, "called back more than once"
    return got[0]


def until(condition: Any, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("state", "code"), [("down", "search_unavailable"), ("frozen", "search_timeout")]
)
def test_the_breaker_opens_nobody_waits_and_it_closes_soon_after(
    store: Store, state: str, code: str
) -> None:
    search = Neighbours(store, ThreadPoolExecutor(4), probe_every_s=0.05)  # type: ignore[arg-type]
    assert ask(search) == Found() and search.code is None
    store.state = state
    for _ in range(neighbours.FAILURES):
        assert ask(search).code == code
    assert search.code == code
    before = store.asked
    for _ in range(20):
        # Told at once: a question that waited for the store would say `search_timeout`.
        assert ask(search).code == "search_unavailable"
    # Only the probe has asked since.
    assert store.asked - before < 10
    store.state = "up"
    store.thawed.set()
    until(lambda: search.code is None)
    assert ask(search) == Found()


def test_one_failure_opens_nothing(store: Store) -> None:
    search = Neighbours(store, ThreadPoolExecutor(1))  # type: ignore[arg-type]
    for _ in range(5):
        store.state = "down"
        assert ask(search).code == "search_unavailable"
        store.state = "up"
        assert ask(search) == Found()
    assert search.code is None


def test_a_breaker_tells_once_each_time_that_it_opens() -> None:
    told = []
    breaker = CircuitBreaker(2, lambda: told.append(1))
    for _ in range(5):
        breaker.failed("x")
    assert (len(told), breaker.code) == (1, "x")
    breaker.succeeded()
    assert breaker.code is None
    breaker.failed("y")
    assert breaker.code is None
    breaker.failed("y")
    assert (len(told), breaker.code) == (2, "y")


def test_a_model_that_breaks_gives_the_searches_back_their_room(store: Store) -> None:
    """Without it the sixteenth broken batch would wait for ever."""

    class Broken:
        def predict(self, texts: Any, images: Any) -> Any:
            raise RuntimeError("broken")

    predictor = Predictor(
        Broken(), "1", True, False, Neighbours(store, ThreadPoolExecutor(4))
    )  # type: ignore[arg-type]
    desk = Desk(SimpleNamespace(predictor=predictor), lambda *_: None)  # type: ignore[arg-type]
    question = Question(0, 0, time.monotonic(), Analyze("a", None, None, 3))

    def all_of_them() -> None:
        for _ in range(3 * worker.MAX_TOGETHER):
            with pytest.raises(RuntimeError):
                desk.answer([question])

    thread = threading.Thread(target=all_of_them, daemon=True)
    thread.start()
    thread.join(15)
    assert not thread.is_alive()
