"""The LitServe side: one worker that holds the model, and a few routes in front of it.

LitServe gives every LitAPI a worker process of its own. Two endpoints over one model would be two
copies of it that could disagree on its version; so one LitAPI answers all routes, and a LitSpec
(LitServe's way to several routes over one worker) reads requests and sends them there.
"""

import asyncio
import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import litserve
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from litserve.specs.base import LitSpec
from litserve.utils import LitAPIStatus, ResponseBufferItem
from starlette.exceptions import HTTPException as StarletteHTTPException

from kindling.errors import DataError, KindlingError, TransientError
from kindling.serving.intake import Analyze, Refused, Search, read_analyze, read_search

if (
    TYPE_CHECKING
):  # The processes in front of the worker need none of the model's libraries.
    from kindling.serving.predictor import Predictor

TIMEOUT_S = 30.0
#: Requests under way at most; the next is told to come back, so that a burst costs no memory without end.
MAX_WAITING = 128
PR_SET_PDEATHSIG = 1


class Failure:
    """Carries the error that kept the worker from starting to the process that started it."""

    def __init__(self) -> None:
        self._queue = multiprocessing.get_context("spawn").SimpleQueue()

    def put(self, error: KindlingError) -> None:
        self._queue.put(error)

    def get(self) -> KindlingError | None:
        return None if self._queue.empty() else self._queue.get()


@dataclass(frozen=True)
class Versions:
    """Asks for what serves now."""


Ask = Analyze | Search | Versions
Opened = Callable[[], "Predictor"]


class ReviewAPI(litserve.LitAPI):
    """The worker. `open_predictor` is called once in it, and returns what gives the predictor of the moment."""

    def __init__(
        self, spec: LitSpec, open_predictor: Callable[[], Opened], failure: Failure
    ) -> None:
        super().__init__(max_batch_size=1, spec=spec)
        self._open_predictor = open_predictor
        self._failure = failure
        self._current: Opened | None = None

    def setup(self, device: str) -> None:
        """Load and warm up; LitServe reports healthy only after this."""
        belong_to_parent()
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
        try:
            self._current = self._open_predictor()
        except KindlingError as error:
            self._failure.put(error)
            raise

    def decode_request(self, request: Ask) -> Ask:
        return request

    def predict(self, x: Ask) -> dict[str, Any]:
        predictor = self._current()  # type: ignore[misc]
        try:
            if isinstance(x, Analyze):
                return predictor.analyze(x)
            return predictor.find(x) if isinstance(x, Search) else predictor.versions()
        except DataError as error:
            raise Refused(422, "unreadable", str(error)) from error
        except TransientError as error:
            raise Refused(503, "unavailable", str(error)) from error

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


class ReviewRoutes(LitSpec):
    """Reads requests in the API process, hands them to the worker, and waits without blocking."""

    def __init__(self, image_hosts: tuple[str, ...]) -> None:
        super().__init__()
        self.api_path = "/analyze"
        self._image_hosts = image_hosts

    def pre_setup(self, lit_api: litserve.LitAPI) -> None:
        self.add_endpoint("/analyze", self.analyze, ["POST"])
        self.add_endpoint("/search_similar", self.search_similar, ["POST"])
        self.add_endpoint("/models", self.models, ["GET"])

    async def analyze(self, request: Request) -> JSONResponse:
        """Sentiment of a review from its text, a photo, or both, with similar reviews beside it."""
        return await self._timed(partial(read_analyze, request, self._image_hosts))

    async def search_similar(self, request: Request) -> JSONResponse:
        """Reviews closest to a text, with filters on product, category, sentiment and rating."""
        return await self._timed(partial(read_search, request))

    async def models(self) -> JSONResponse:
        """Versions of model and index that serve now."""
        return JSONResponse(await self._ask(Versions()))

    async def _timed(self, read: Callable[[], Awaitable[Ask]]) -> JSONResponse:
        started = time.perf_counter()
        answer = await self._ask(await read())
        return JSONResponse(
            {
                **answer,
                "processing_time_ms": round(1000 * (time.perf_counter() - started), 2),
            }
        )

    async def _ask(self, question: Ask) -> dict[str, Any]:
        if len(self.response_buffer) >= MAX_WAITING:
            raise Refused(
                503,
                "busy",
                f"{MAX_WAITING} requests are under way; try again in a second",
            )
        key = uuid.uuid4()
        item = self.response_buffer[key] = ResponseBufferItem(event=asyncio.Event())
        try:
            self.request_queue.put_nowait(
                (self.response_queue_id, key, time.monotonic(), question)
            )
            await asyncio.wait_for(item.event.wait(), TIMEOUT_S)
        except TimeoutError:
            raise Refused(504, "timeout", f"no answer within {TIMEOUT_S:g} s") from None
        finally:
            del self.response_buffer[key]
        answer, status = item.response
        if status != LitAPIStatus.OK:
            raise (
                answer
                if isinstance(answer, HTTPException)
                else Refused(500, "internal", "the worker failed")
            )
        return answer


def belong_to_parent() -> None:
    """In a child of the server: end only when the server says so, and never outlive it.

    Ctrl-C goes to every process of a terminal's group; the children must still give the last answers,
    so they leave the group. And Linux kills them when the server dies, however it dies.
    """
    os.setpgid(0, 0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def one_error_shape(app: FastAPI) -> None:
    """Every error answers `{"error": {"code", "message"}}`, those of the framework too."""
    app.add_exception_handler(StarletteHTTPException, _refusal)
    app.add_exception_handler(Exception, _failure)


async def _refusal(request: Request, error: Any) -> JSONResponse:
    codes = {
        404: "not_found",
        405: "method_not_allowed",
        413: "body_too_large",
        400: "bad_request",
    }
    problem = (
        error.detail
        if isinstance(error.detail, dict)
        else {
            "code": codes.get(error.status_code, "error"),
            "message": str(error.detail),
        }
    )
    headers = dict(error.headers or {}) | (
        {"Retry-After": "1"} if error.status_code == 503 else {}
    )
    return JSONResponse({"error": problem}, error.status_code, headers)


async def _failure(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse(
        {
            "error": {
                "code": "internal",
                "message": "the server failed; its log says why",
            }
        },
        500,
    )
