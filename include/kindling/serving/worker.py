"""The process that holds the model: takes what is queued, classifies it together, answers each.

LitServe's own loops answer one request after another, or wait to fill a batch and pad it to
its longest text. This one drains what is there without a timer (the model sorts a batch by
length itself), lets searches wait for their stores in threads, and beats: the process in front
learns from each beat which worker lives, since when it is busy, and what it serves.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from litserve.loops.base import LitLoop
from litserve.utils import LitAPIStatus, LoopResponseType

from kindling.errors import DataError
from kindling.retrieval.rerank import Query
from kindling.serving.neighbours import DEADLINE_S, Deadlines, Found, Pending
from kindling.serving.predictor import Predictor, Verdict
from kindling.serving.questions import Analyze, Ask, Explain, Search
from kindling.serving.refusals import Refused

BEAT_EVERY_S = 0.5
#: The entry of the response buffer that beats arrive at.
BEAT = "beat"
#: Requests classified together at most: the first of them waits for all.
MAX_TOGETHER = 16
#: Seconds that a search by itself may take.
SEARCH_S = 3.0

log = logging.getLogger(__name__)


class Served(Protocol):
    """What serves now, and what is known of the aliases."""

    @property
    def predictor(self) -> Predictor: ...

    def named(self) -> dict[str, Any]:
        """Fields of ServedVersions about the aliases."""
        ...


@dataclass(frozen=True)
class Question:
    """One request as the queue holds it."""

    consumer: int
    uid: Any
    at: float
    ask: Ask


Send = Callable[[int, Any, Any, str], None]


class Desk:
    """Answers questions together, over whatever sends an answer."""

    def __init__(self, served: Served, send: Send) -> None:
        self._served, self._send = served, send
        self._beside, self._searching = Deadlines(), Deadlines()
        self._room = threading.Semaphore(MAX_TOGETHER)
        #: When the questions under way were begun; None between them.
        self.busy_since: float | None = None

    def answer(self, questions: Sequence[Question]) -> None:
        """Answer every question; those with a search to wait for are answered later."""
        self.busy_since = time.monotonic()
        predictor = self._served.predictor
        analyses = [one for one in questions if isinstance(one.ask, Analyze)]
        searches = [one for one in questions if isinstance(one.ask, Search)]
        if searches:
            self._search(predictor, searches)
        for one in questions:
            if isinstance(one.ask, Explain):
                self._reply(one, predictor.explain(one.ask.text))
        if analyses:
            self._analyze(predictor, analyses)
        self.busy_since = None

    def _analyze(self, predictor: Predictor, questions: Sequence[Question]) -> None:
        asks = [one.ask for one in questions if isinstance(one.ask, Analyze)]
        queries = predictor.queries([one.text if one.top_k else None for one in asks])
        # Begun before the model runs: stores work while it does.
        pending = [
            self._begun(predictor, query, ask.top_k)
            for ask, query in zip(asks, queries, strict=True)
        ]
        verdicts = self._verdicts(predictor, asks, pending)
        for question, ask, verdict, search in zip(
            questions, asks, verdicts, pending, strict=True
        ):
            finish = self._finishing(predictor, question, verdict)
            if search is None:
                finish(predictor.not_searched(ask))
            else:
                search.finish(partial(self._after, finish), self._beside, DEADLINE_S)

    def _verdicts(
        self,
        predictor: Predictor,
        asks: Sequence[Analyze],
        pending: Sequence[Pending | None],
    ) -> list[Verdict | DataError]:
        verdicts: list[Verdict | DataError] | None = None
        try:
            verdicts = predictor.verdicts(asks)
        finally:
            if verdicts is None:
                # Nobody waits for these any more.
                for search in filter(None, pending):
                    search.finish(
                        partial(self._after, _ignore), self._beside, DEADLINE_S
                    )
        return verdicts

    def _begun(
        self, predictor: Predictor, query: Query | None, top_k: int
    ) -> Pending | None:
        if predictor.search is None or query is None:
            return None
        # Searches of the batch before are done or over their deadline by then: without
        # this they would pile up behind a model that is faster than they are.
        self._room.acquire()
        return predictor.search.start(query, top_k)

    def _after(self, finish: Callable[[Found], None], found: Found) -> None:
        self._room.release()
        finish(found)

    def _search(self, predictor: Predictor, questions: Sequence[Question]) -> None:
        asks = [one.ask for one in questions if isinstance(one.ask, Search)]
        queries = predictor.queries([one.text for one in asks])
        for question, ask, query in zip(questions, asks, queries, strict=True):
            if predictor.search is None:
                self._refuse(question, 503, "no_index", "no index serves yet")
            elif query is None:
                self._found(predictor, question, Found(code="search_unavailable"))
            else:
                pending = predictor.search.start(query, ask.top_k, ask.filters)
                pending.finish(
                    partial(self._found, predictor, question), self._searching, SEARCH_S
                )

    def _finishing(
        self, predictor: Predictor, question: Question, verdict: Verdict | DataError
    ) -> Callable[[Found], None]:
        def finish(found: Found) -> None:
            assert isinstance(question.ask, Analyze)
            if isinstance(verdict, DataError):
                self._refuse(question, 422, "unreadable", str(verdict))
                return
            self._reply(question, predictor.answer(question.ask, verdict, found))

        return finish

    def _found(self, predictor: Predictor, question: Question, found: Found) -> None:
        if found.code in ("search_timeout", "search_unavailable"):
            self._refuse(
                question, 503, found.code, "similar reviews cannot be searched"
            )
        else:
            self._reply(question, predictor.results(found))

    def _reply(self, question: Question, answer: dict[str, Any]) -> None:
        self._send(question.consumer, question.uid, answer, LitAPIStatus.OK)

    def _refuse(self, question: Question, status: int, code: str, message: str) -> None:
        refused = Refused(status, code, message)
        self._send(question.consumer, question.uid, refused, LitAPIStatus.ERROR)


class ReviewLoop(LitLoop):  # type: ignore[misc]
    """LitServe's hook for how a worker takes requests from its queue."""

    def __init__(self, waits_at_most_s: float) -> None:
        super().__init__()
        self._waits_at_most_s = waits_at_most_s
        self._model: ThreadPoolExecutor

    def __call__(  # noqa: PLR0913
        self,
        lit_api: Any,
        device: str,
        worker_id: int,
        request_queue: Any,
        transport: Any,
        workers_setup_status: Any,
        callback_runner: Any,
    ) -> None:
        """Answer until the process ends."""

        def send(consumer: int, uid: Any, answer: Any, status: str) -> None:
            transport.send(
                (uid, (answer, status, LoopResponseType.REGULAR, worker_id)), consumer
            )

        # One thread: what goes wrong in it is kept by its future.
        self._model = ThreadPoolExecutor(1, thread_name_prefix="model")
        desk = Desk(lit_api.served, send)
        taken: queue.SimpleQueue[Question] = queue.SimpleQueue()
        for name, target in (
            ("beat", lambda: self._beat(desk, lit_api.served, send)),
            ("take", lambda: self._take(request_queue, taken)),
        ):
            threading.Thread(target=target, name=name, daemon=True).start()
        while True:
            self._answer(desk, _together(taken), send)

    def _answer(self, desk: Desk, questions: list[Question], send: Send) -> None:
        # Whoever asked longer ago than this has been told so.
        oldest = time.monotonic() - self._waits_at_most_s
        current = [one for one in questions if one.at >= oldest]
        error = self._model.submit(desk.answer, current).exception()
        if error is None:
            return
        desk.busy_since = None
        if len(current) > 1:
            # One of them broke it; the others are not to suffer for it.
            for question in current:
                self._answer(desk, [question], send)
            return
        log.error("a question was not answered", exc_info=error)
        failed = Refused(500, "internal", "the model failed; the server's log says why")
        for question in current:
            send(question.consumer, question.uid, failed, LitAPIStatus.ERROR)

    def _take(self, request_queue: Any, taken: "queue.SimpleQueue[Question]") -> None:
        """Fetch ahead, so that the hop between processes costs no time of the model's."""
        while True:
            try:
                taken.put(Question(*request_queue.get(timeout=1.0)))
            except queue.Empty:
                continue

    def _beat(self, desk: Desk, served: Served, send: Send) -> None:
        while True:
            since, predictor = desk.busy_since, served.predictor
            state = {
                "pid": os.getpid(),
                "busy_s": time.monotonic() - since if since else 0.0,
                "photo_size": predictor.photo_size,
                "versions": predictor.versions() | served.named(),
                "search": predictor.search.code or "ok"
                if predictor.search
                else "no_index",
            }
            send(0, BEAT, state, LitAPIStatus.OK)
            time.sleep(BEAT_EVERY_S)


def _ignore(found: Found) -> None:
    """What a search found for a question that is answered otherwise."""


def _together(taken: "queue.SimpleQueue[Question]") -> list[Question]:
    """The next question, and those that wait behind it."""
    questions = [taken.get()]
    while len(questions) < MAX_TOGETHER:
        try:
            questions.append(taken.get_nowait())
        except queue.Empty:
            break
    return questions
