"""A person's verdict on an answer goes where it outlives every run: the next training's labels."""

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kindling.client.schemas import FeedbackRequest
from kindling.errors import KindlingError
from kindling.ports.standing import Fact, StandingStore
from kindling.serving.refusals import Refused

TOPIC = "feedback"
DEADLINE_S = 5.0

OpenStore = Callable[[], StandingStore]


class FeedbackDesk:
    """Stores verdicts from the event loop, in threads that only verdicts use."""

    def __init__(self, open_store: OpenStore | None) -> None:
        self._open_store = open_store
        self._store: StandingStore | None = None
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="feedback")

    async def keep(self, verdict: FeedbackRequest, request_id: str) -> dict[str, Any]:
        """The fields of FeedbackAnswer; 503 where the store does not answer."""
        if self._open_store is None:
            raise Refused(
                503, "feedback_unavailable", "no store for feedback is set up"
            )
        name = verdict.feedback_id or _name(verdict)
        value = verdict.model_dump(exclude={"feedback_id"}) | {"request_id": request_id}
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(DEADLINE_S):
                fact = await loop.run_in_executor(self._threads, self._put, name, value)
        except (KindlingError, TimeoutError):
            raise Refused(
                503, "feedback_unavailable", "feedback cannot be stored now", retry_s=5
            ) from None
        # The first verdict under a name is the one that is kept.
        stored = fact.value.get("request_id") == request_id
        return {"feedback_id": name, "stored": stored}

    def _put(self, name: str, value: dict[str, Any]) -> Fact:
        if self._store is None:
            assert self._open_store is not None
            self._store = self._open_store()
        return self._store.put_once(TOPIC, name, value)


def _name(verdict: FeedbackRequest) -> str:
    content = verdict.model_dump_json(exclude={"feedback_id"})
    return hashlib.sha256(content.encode(errors="replace")).hexdigest()[:32]
