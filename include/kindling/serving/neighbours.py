"""Similar reviews beside an answer: started early, never waited for beyond a deadline.

A store may be stopped, frozen, silent or damaged; the answer then has a code in place of the
reviews. Whatever a search raises is kept by its future, so nothing here needs to know every
error of every store.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from kindling.client.schemas import SearchCode, SimilarReview
from kindling.ports.index import Filters
from kindling.retrieval.rerank import Query
from kindling.serving.breaker import CircuitBreaker
from kindling.serving.search import ReviewSearch

#: Seconds that an answer waits for its similar reviews once the sentiment is there.
DEADLINE_S = 1.0
#: Failures in a row after which no request waits any more.
FAILURES = 2
PROBE_EVERY_S = 1.0
#: Searches at once: each waits for stores most of its time.
THREADS = 4
WORDS: dict[SearchCode, str] = {
    "no_text": "there is no text to search by",
    "no_index": "no index serves yet",
    "nothing_close": "no review of the index is close to this text",
    "search_timeout": "the search did not answer in time",
    "search_unavailable": "the search is unavailable",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """Reviews, best first, or the code that says why there are none."""

    reviews: Sequence[SimilarReview] = ()
    code: SearchCode | None = None


Done = Callable[[Found], None]


class Pending:
    """A search under way. `finish` calls back once: with its result, or at the deadline."""

    def __init__(self, future: "Future[Found]", late: Callable[[], None]) -> None:
        self._future, self._late = future, late
        self._lock = threading.Lock()
        self._done: Done | None = None

    def finish(self, done: Done, deadlines: "Deadlines", seconds: float) -> None:
        self._done = done
        deadlines.add(time.monotonic() + seconds, self._expire)
        self._future.add_done_callback(self._arrive)

    def _arrive(self, future: "Future[Found]") -> None:
        if not future.cancelled():
            error = future.exception()
            self._give(Found(code="search_unavailable") if error else future.result())

    def _expire(self) -> None:
        if self._give(Found(code="search_timeout")):
            self._future.cancel()
            self._late()

    def _give(self, found: Found) -> bool:
        with self._lock:
            done, self._done = self._done, None
        if done is not None:
            done(found)
        return done is not None


class Deadlines:
    """One thread that calls back at times that come in order."""

    def __init__(self) -> None:
        self._coming: queue.SimpleQueue[tuple[float, Callable[[], None]]] = (
            queue.SimpleQueue()
        )
        threading.Thread(target=self._run, name="deadlines", daemon=True).start()

    def add(self, at: float, act: Callable[[], None]) -> None:
        self._coming.put((at, act))

    def _run(self) -> None:
        while True:
            at, act = self._coming.get()
            time.sleep(max(0.0, at - time.monotonic()))
            act()


class Neighbours:
    """One index version's search behind a breaker. Frozen stores cost threads, not answers."""

    def __init__(
        self,
        search: ReviewSearch,
        pool: ThreadPoolExecutor,
        probe_every_s: float = PROBE_EVERY_S,
    ) -> None:
        self._search, self._pool, self._probe_every_s = search, pool, probe_every_s
        self._breaker = CircuitBreaker(FAILURES, self._probe)

    @property
    def version(self) -> str:
        return self._search.version

    @property
    def fusion(self) -> str:
        return self._search.fusion

    @property
    def code(self) -> str | None:
        """Why no search is made now; None where searches are made."""
        return self._breaker.code

    def embed(self, texts: Sequence[str]) -> list[Query]:
        """Queries of many texts in one pass of the encoder."""
        return self._search.embed(texts)

    def start(
        self, query: Query, limit: int, filters: Filters | None = None
    ) -> Pending:
        """Begin a search; while the breaker is open it is answered with a code at once."""
        if self._breaker.code:
            future: Future[Found] = Future()
            future.set_result(Found(code="search_unavailable"))
            return Pending(future, lambda: None)
        future = self._pool.submit(self._find, query, limit, filters or {})
        future.add_done_callback(self._noted)
        return Pending(future, lambda: self._breaker.failed("search_timeout"))

    def _find(self, query: Query, limit: int, filters: Filters) -> Found:
        reviews, close = self._search.similar(query, limit, filters)
        return Found(reviews, None if close else "nothing_close")

    def _noted(self, future: "Future[Found]") -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            self._breaker.succeeded()
            return
        log.warning("index %s: the search failed: %r", self.version, error)
        self._breaker.failed("search_unavailable")

    def _probe(self) -> None:
        log.error("index %s: answers come without similar reviews", self.version)
        threading.Thread(target=self._until_back, name="probe", daemon=True).start()

    def _until_back(self) -> None:
        """Ask until the stores answer. A pool of its own: its errors stay in the future."""
        with ThreadPoolExecutor(1, thread_name_prefix="probe") as pool:
            while True:
                time.sleep(self._probe_every_s)
                if pool.submit(self._search.probe).exception() is None:
                    break
        self._breaker.succeeded()
        log.info("index %s: searched again", self.version)
