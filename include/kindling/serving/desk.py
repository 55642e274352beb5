"""Hands questions to the worker and waits for answers, with a bound on how many wait."""

import asyncio
import hashlib
import time
import uuid
from collections.abc import Hashable
from math import ceil
from typing import Any

from litserve.utils import LitAPIStatus, ResponseBufferItem

from kindling.ports.answers import SharedAnswers
from kindling.serving.answer_cache import AnswerCache
from kindling.serving.decoding import Decoder
from kindling.serving.figures import Figures
from kindling.serving.intake import Wanted, looked_into
from kindling.serving.liveness import START_S, WorkerWatch
from kindling.serving.questions import Analyze, Ask, Explain, Search
from kindling.serving.refusals import Refused

#: Requests under way at most; the next is told to come back, so that a burst costs no memory without end.
MAX_WAITING = 128
#: Weight of the newest answer in the pace that waiting times are foretold from.
PACE_WEIGHT = 0.05
#: These pass by themselves: an answer that has one is not to be given again.
PASSING = ("search_timeout", "search_unavailable")


class WorkerDesk:
    """Belongs to the event loop of the process that answers requests."""

    def __init__(
        self,
        waiting: Any,
        request_queue: Any,
        consumer: int,
        timeout_s: float,
        shared: SharedAnswers | None = None,
    ) -> None:
        self.watch = WorkerWatch(waiting, request_queue)
        self._waiting, self._queue, self._consumer = waiting, request_queue, consumer
        self._timeout_s = timeout_s
        self._cache = AnswerCache(shared=shared)
        self._decoder = Decoder()
        #: Seconds between two answers while questions wait.
        self._pace_s = 0.01

    @property
    def waiting(self) -> int:
        """Requests at the worker; one entry of the buffer is for its beats."""
        return len(self._waiting) - 1

    def state(self) -> dict[str, Any]:
        """The worker's newest beat; Refused while no worker is there."""
        state = self.watch.state
        if state is None:
            raise Refused(503, "starting", "no model is loaded yet", retry_s=START_S)
        return state

    async def analyze(self, asked: Wanted | Analyze) -> dict[str, Any]:
        """The fields of AnalyzeAnswer but the time."""

        async def compute() -> dict[str, Any]:
            if isinstance(asked, Analyze):
                return await self.ask(asked)
            async with self._decoder.room(asked.image):
                size = self.state()["photo_size"]
                return await self.ask(await looked_into(asked, self._decoder, size))

        image = getattr(asked, "image", None)
        digest = hashlib.sha256(image).digest() if image else None
        reason = getattr(asked, "image_reason", None)
        key = ("analyze", self._serving(), asked.text, digest, reason, asked.top_k)
        return await self._cache.get(key, compute, _lasting)

    async def search(self, asked: Search) -> dict[str, Any]:
        """The fields of SearchAnswer but the time."""
        filters = tuple(
            (name, value if isinstance(value, str | int) else tuple(value))
            for name, value in sorted(asked.filters.items())
        )
        key = ("search", self._serving(), asked.text, asked.top_k, filters)
        return await self._cache.get(key, lambda: self.ask(asked), _lasting)

    async def explain(self, asked: Explain) -> dict[str, Any]:
        """The fields of Explanation but the time."""
        key = ("explain", self._serving(), asked.text)
        return await self._cache.get(key, lambda: self.ask(asked), _lasting)

    async def ask(self, question: Ask) -> dict[str, Any]:
        """The worker's answer; Refused where it has none, or none in time."""
        self.state()
        ahead = self.waiting
        foretold_s = ahead * self._pace_s
        if ahead >= MAX_WAITING or foretold_s > self._timeout_s:
            raise Refused(
                503,
                "busy",
                f"{ahead} requests are under way; try again later",
                retry_s=max(1, ceil(foretold_s)),
            )
        started = time.monotonic()
        answer = await self._answered(question, started)
        taken = (time.monotonic() - started) / (ahead + 1)
        self._pace_s += PACE_WEIGHT * (taken - self._pace_s)
        return answer

    def stats(self) -> dict[str, Any]:
        """The fields of Stats that are about the worker and the cache."""
        state = self.watch.state or {}
        return {
            "waiting": self.waiting,
            "cache": {
                "entries": len(self._cache),
                "hits": self._cache.hits,
                "joined": self._cache.joined,
                "shared_hits": self._cache.shared_hits,
                "misses": self._cache.misses,
            },
            "worker": {
                "loaded": bool(state),
                "pid": state.get("pid"),
                "lost": self.watch.workers_lost,
            },
            "search": state.get("search"),
        }

    def show(self, figures: Figures) -> None:
        """Make the desk's numbers visible to whoever collects figures."""
        for name, meaning, value in (
            ("waiting", "Requests at the worker.", lambda: self.waiting),
            ("workers_lost", "Workers lost.", lambda: self.watch.workers_lost),
            ("cache_hits", "Answers kept.", lambda: self._cache.hits),
            ("cache_misses", "Answers made.", lambda: self._cache.misses),
            ("worker_up", "Whether a model answers.", lambda: bool(self.watch.state)),
            ("search_up", "Whether similar reviews are searched.", self._search_up),
        ):
            figures.watch(name, meaning, value)

    def _search_up(self) -> float:
        return float((self.watch.state or {}).get("search") == "ok")

    def _serving(self) -> Hashable:
        """What serves: a swap of model, calibration or index is another key."""
        versions = self.state()["versions"]
        return tuple(
            versions[name] for name in ("model_version", "calibrated", "index_version")
        )

    async def _answered(self, question: Ask, started: float) -> dict[str, Any]:
        key = uuid.uuid4()
        item = self._waiting[key] = ResponseBufferItem(event=asyncio.Event())
        try:
            self._queue.put_nowait((self._consumer, key, started, question))
            await asyncio.wait_for(item.event.wait(), self._timeout_s)
        except TimeoutError:
            raise Refused(
                504, "timeout", f"no answer within {self._timeout_s:g} s"
            ) from None
        finally:
            del self._waiting[key]
        answer, status = item.response
        if status != LitAPIStatus.OK:
            raise answer
        return dict(answer)


def _lasting(answer: dict[str, Any]) -> bool:
    return answer.get("search_code") not in PASSING
