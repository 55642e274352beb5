"""Both clients over httpx: the same calls, waited for or awaited."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

import httpx
from pydantic import BaseModel

from kindling.client import calls, sockets
from kindling.client.calls import PASSING, Call
from kindling.client.events import Event, EventReader
from kindling.client.schemas import (
    AnalyzeAnswer,
    BatchRequestRow,
    BatchRow,
    Explanation,
    FeedbackAnswer,
    FeedbackRequest,
    Readiness,
    SearchAnswer,
    SearchFilters,
    ServedVersions,
    Stats,
    Training,
    TrainRequest,
)

M = TypeVar("M", bound=BaseModel)

TIMEOUT_S = 40.0
#: Times that a request is sent again where the endpoint says when to.
RETRIES = 2
#: Seconds that are waited between two of them at most.
MOST_S = 30.0
#: Seconds without a word after which a stream counts as broken; the server speaks every 15.
EVENTS_S = 40.0


def _headers(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


class Client:
    """Calls that return when the answer is there. A context manager; safe to share by threads.

    Every method: ApiError where the endpoint refuses, httpx.TransportError where it is away.
    """

    def __init__(
        self, url: str, key: str | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._key = _headers(key)
        self._http = httpx.Client(base_url=url, headers=self._key, timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def analyze(
        self,
        text: str | None = None,
        image: bytes | None = None,
        image_url: str | None = None,
        top_k: int = 5,
    ) -> AnalyzeAnswer:
        return self._answered(calls.analyze(text, image, image_url, top_k))

    def search(
        self, text: str, top_k: int = 5, filters: SearchFilters | None = None
    ) -> SearchAnswer:
        return self._answered(calls.search(text, top_k, filters))

    def batch(self, rows: Iterable[BatchRequestRow]) -> Iterator[BatchRow]:
        """Rows in the order given, as they are answered."""
        call = calls.batch(rows)
        with self._http.stream(**calls.request_arguments(call)) as response:
            if response.status_code != 200:
                response.read()
            calls.checked(call, response)
            for line in response.iter_lines():
                yield calls.read_line(call, line)

    def feedback(self, verdict: FeedbackRequest) -> FeedbackAnswer:
        return self._answered(calls.feedback(verdict))

    def explain(self, text: str) -> Explanation:
        """Which words the sentiment hangs on."""
        return self._answered(calls.explain(text))

    def train(self, asked: TrainRequest | None = None) -> Training:
        """Begin a run of the whole loop; the same `train_id` again is the same run."""
        return self._answered(calls.train(asked or TrainRequest()))

    def training(self, train_id: str) -> Training:
        return self._answered(calls.training(train_id))

    def cancel_training(self, train_id: str) -> Training:
        return self._answered(calls.cancel_training(train_id))

    def build_index(self) -> Training:
        return self._answered(calls.build_index())

    def events(self, after: int | None = None) -> Iterator[Event]:
        """Events as they come, from behind an id; ends where the server does."""
        call = calls.events(after)
        arguments = calls.request_arguments(call)
        with self._http.stream(**arguments, timeout=EVENTS_S) as response:
            if response.status_code != 200:
                response.read()
            calls.checked(call, response)
            reader = EventReader()
            for text in response.iter_lines():
                if event := reader.read(text):
                    yield event

    def events_by_socket(self, after: int | None = None) -> Iterator[Event]:
        """The same events over a WebSocket, where a proxy holds streams back."""
        return sockets.listen(self._http.base_url, self._key, after)

    def models(self) -> ServedVersions:
        return self._answered(calls.models())

    def ready(self) -> Readiness:
        return self._answered(calls.ready())

    def stats(self) -> Stats:
        return self._answered(calls.stats())

    def _answered(self, call: Call[M]) -> M:
        for left in range(RETRIES, -1, -1):
            response = self._http.request(**calls.request_arguments(call))
            wait_s = _again_after(call, response, left)
            if wait_s is None:
                break
            time.sleep(wait_s)
        return calls.read(call, response)


class AsyncClient:
    """The same calls, awaited. An asynchronous context manager."""

    def __init__(
        self, url: str, key: str | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._key = _headers(key)
        self._http = httpx.AsyncClient(
            base_url=url, headers=self._key, timeout=timeout_s
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def analyze(
        self,
        text: str | None = None,
        image: bytes | None = None,
        image_url: str | None = None,
        top_k: int = 5,
    ) -> AnalyzeAnswer:
        return await self._answered(calls.analyze(text, image, image_url, top_k))

    async def search(
        self, text: str, top_k: int = 5, filters: SearchFilters | None = None
    ) -> SearchAnswer:
        return await self._answered(calls.search(text, top_k, filters))

    async def batch(self, rows: Iterable[BatchRequestRow]) -> AsyncIterator[BatchRow]:
        """Rows in the order given, as they are answered."""
        call = calls.batch(rows)
        async with self._http.stream(**calls.request_arguments(call)) as response:
            if response.status_code != 200:
                await response.aread()
            calls.checked(call, response)
            async for line in response.aiter_lines():
                yield calls.read_line(call, line)

    async def feedback(self, verdict: FeedbackRequest) -> FeedbackAnswer:
        return await self._answered(calls.feedback(verdict))

    async def explain(self, text: str) -> Explanation:
        """Which words the sentiment hangs on."""
        return await self._answered(calls.explain(text))

    async def train(self, asked: TrainRequest | None = None) -> Training:
        """Begin a run of the whole loop; the same `train_id` again is the same run."""
        return await self._answered(calls.train(asked or TrainRequest()))

    async def training(self, train_id: str) -> Training:
        return await self._answered(calls.training(train_id))

    async def cancel_training(self, train_id: str) -> Training:
        return await self._answered(calls.cancel_training(train_id))

    async def build_index(self) -> Training:
        return await self._answered(calls.build_index())

    async def events(self, after: int | None = None) -> AsyncIterator[Event]:
        """Events as they come, from behind an id; ends where the server does."""
        call = calls.events(after)
        arguments = calls.request_arguments(call)
        async with self._http.stream(**arguments, timeout=EVENTS_S) as response:
            if response.status_code != 200:
                await response.aread()
            calls.checked(call, response)
            reader = EventReader()
            async for text in response.aiter_lines():
                if event := reader.read(text):
                    yield event

    def events_by_socket(self, after: int | None = None) -> AsyncIterator[Event]:
        """The same events over a WebSocket, where a proxy holds streams back."""
        return sockets.listen_async(self._http.base_url, self._key, after)

    async def models(self) -> ServedVersions:
        return await self._answered(calls.models())

    async def ready(self) -> Readiness:
        return await self._answered(calls.ready())

    async def stats(self) -> Stats:
        return await self._answered(calls.stats())

    async def _answered(self, call: Call[M]) -> M:
        for left in range(RETRIES, -1, -1):
            response = await self._http.request(**calls.request_arguments(call))
            wait_s = _again_after(call, response, left)
            if wait_s is None:
                break
            await asyncio.sleep(wait_s)
        return calls.read(call, response)


def _again_after(call: Call[M], response: httpx.Response, left: int) -> float | None:
    """Seconds after which to send it again; None where this response is the last."""
    status = response.status_code
    if not left or status not in PASSING or status in call.also:
        return None
    wait_s = calls.retry_after(response)
    return min(wait_s, MOST_S) if wait_s is not None else None
