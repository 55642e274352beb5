"""The LitServe side: one worker that holds the model, and the routes in front of it.

LitServe gives every LitAPI a worker process of its own. Two endpoints over one model would be two
copies of it that could disagree on its version; so one LitAPI answers all routes, and a LitSpec
(LitServe's way to several routes over one worker) reads requests and sends them there.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import litserve
from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from litserve.specs.base import LitSpec
from starlette.websockets import WebSocket

from kindling.client.schemas import (
    ExplainRequest,
    FeedbackRequest,
    Readiness,
    TrainRequest,
)
from kindling.errors import KindlingError
from kindling.ports.answers import SharedAnswers
from kindling.serving import batch, event_socket
from kindling.serving.children import Failure, belong_to_parent
from kindling.serving.desk import WorkerDesk
from kindling.serving.events import MAX_STREAMS, EventLog, last_seen, line
from kindling.serving.feedback import FeedbackDesk, OpenStore
from kindling.serving.figures import Figures
from kindling.serving.intake import (
    checked_text,
    fetched,
    read_json,
    read_search,
    read_wanted,
    validated,
)
from kindling.serving.nights import NightDesk, OpenNights, shown
from kindling.serving.questions import Analyze, Explain
from kindling.serving.refusals import Refused
from kindling.serving.worker import ReviewLoop, Served

TIMEOUT_S = 30.0
#: What `/ready` asks, at most once in READY_S seconds.
CANARY = Analyze("The fabric is soft and the seams hold.", None, None, 0)
READY_S = 2.0

Opened = Callable[[], Served]


@dataclass(frozen=True)
class Front:
    """What the process in front of the worker is set up with."""

    #: Hosts (or host:port) from which `image_url` may be fetched though they are private.
    image_hosts: tuple[str, ...] = ()
    #: Opens where feedback is kept; None where there is no such place.
    open_standing: OpenStore | None = None
    #: Opens the scheduler; None where none is known.
    open_nights: OpenNights | None = None
    #: Opens answers shared with other servers, or None.
    open_answers: Callable[[], SharedAnswers | None] | None = None


class ReviewAPI(litserve.LitAPI):  # type: ignore[misc]
    """The worker. `open_served` is called once in it, and returns what serves from then on."""

    def __init__(self, spec: LitSpec, open_served: Opened, failure: Failure) -> None:
        super().__init__(max_batch_size=1, spec=spec, loop=ReviewLoop(TIMEOUT_S))
        self._open_served, self._failure = open_served, failure
        self.served: Served | None = None

    def setup(self, device: str) -> None:
        """Load and warm up; LitServe reports healthy only after this."""
        belong_to_parent()
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
        try:
            self.served = self._open_served()
        except KindlingError as error:
            self._failure.put(error)
            raise

    def health(self) -> bool:
        """Asked in the process in front: whether a worker beats."""
        return bool(self.spec.loaded)

    def decode_request(self, request: Any) -> Any:
        return request

    def predict(self, x: Any) -> Any:
        raise NotImplementedError("ReviewLoop answers; LitServe only wants the method")

    def encode_response(self, output: Any) -> Any:
        return output


class ReviewRoutes(LitSpec):  # type: ignore[misc]
    """Reads requests in the process in front, and answers with what the worker says."""

    def __init__(self, front: Front, figures: Figures) -> None:
        super().__init__()
        self.api_path = "/analyze"
        self._front, self._figures = front, figures
        self._feedback: FeedbackDesk
        self._desk: WorkerDesk
        self._nights: NightDesk
        self._events = EventLog()
        self._ready: tuple[float, Readiness] = (0.0, Readiness(ready=False))

    def __getstate__(self) -> dict[str, Any]:
        # The worker is given a copy; it has no use for what holds locks and threads.
        dropped = {
            "_figures",
            "_feedback",
            "_desk",
            "_nights",
            "_events",
            "response_buffer",
        }
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name not in dropped}

    def pre_setup(self, lit_api: litserve.LitAPI) -> None:
        for path, endpoint, method in (
            ("/analyze", self.analyze, "POST"),
            ("/analyze/batch", self.analyze_batch, "POST"),
            ("/search_similar", self.search_similar, "POST"),
            ("/feedback", self.feedback, "POST"),
            ("/explain", self.explain, "POST"),
            ("/train", self.train, "POST"),
            ("/train/{train_id}", self.training, "GET"),
            ("/train/{train_id}/cancel", self.cancel_training, "POST"),
            ("/build_index", self.build_index, "POST"),
            ("/events", self.events, "GET"),
            ("/models", self.models, "GET"),
            ("/ready", self.ready, "GET"),
            ("/stats", self.stats, "GET"),
            ("/metrics", self.metrics, "GET"),
        ):
            self.add_endpoint(path, endpoint, [method])

    @property
    def loaded(self) -> bool:
        """Whether a model answers."""
        desk = self.__dict__.get("_desk")
        return desk is not None and desk.watch.state is not None

    async def run(self) -> None:
        """In the process that answers, from its start to its end: follow the worker."""
        self._feedback = FeedbackDesk(self._front.open_standing)
        opened = self._front.open_answers
        self._desk = WorkerDesk(
            self.response_buffer,
            self.request_queue,
            self.response_queue_id,
            TIMEOUT_S,
            opened() if opened else None,
        )
        self._nights = NightDesk(
            self._front.open_nights,
            lambda night: self._events.add("training", shown(night)),
        )
        self._desk.show(self._figures)
        await self._desk.watch.run(self._events.look)

    def end_streams(self) -> None:
        """The server stops; what has no end of its own ends now."""
        self._events.end()

    async def analyze(self, request: Request) -> Response:
        """Sentiment of a review from its text, a photo, or both, with similar reviews beside it."""
        started = time.perf_counter()
        asked = await fetched(await read_wanted(request), self._front.image_hosts)
        return _timed(await self._desk.analyze(asked), started)

    async def analyze_batch(self, request: Request) -> Response:
        """Many reviews in one body: NDJSON in and out, in order, errors beside their row."""
        lines = await batch.read_lines(request)
        batch.charge(lines, getattr(request.state, "allowance", None))
        return StreamingResponse(
            batch.answers(lines, self._row), media_type=batch.MEDIA_TYPES[0]
        )

    async def search_similar(self, request: Request) -> Response:
        """Reviews closest to a text, with filters on product, category, sentiment and rating."""
        started = time.perf_counter()
        asked = await read_search(request)
        return _timed(await self._desk.search(asked), started)

    async def feedback(self, request: Request) -> Response:
        """What a person says is right; kept for later training."""
        body = await read_json(request, "application/json")
        verdict = validated(FeedbackRequest, body, strict=True)
        return JSONResponse(
            await self._feedback.keep(verdict, request.state.request_id)
        )

    async def explain(self, request: Request) -> Response:
        """Which words the sentiment of a text hangs on."""
        started = time.perf_counter()
        body = await read_json(request, "application/json")
        asked = validated(ExplainRequest, body, strict=True)
        text = checked_text(asked.text)
        if text is None:
            raise Refused(400, "nothing_given", "text is empty")
        return _timed(await self._desk.explain(Explain(text)), started)

    async def train(self, request: Request) -> Response:
        """Begin a run of the whole loop, through the scheduler."""
        body = await read_json(request, "application/json")
        asked = validated(TrainRequest, body, strict=True)
        return JSONResponse(await self._nights.start(asked, request.state.request_id))

    async def training(self, train_id: str) -> Response:
        """How far a run is."""
        return JSONResponse(await self._nights.find(train_id))

    async def cancel_training(self, train_id: str) -> Response:
        """End a run."""
        return JSONResponse(await self._nights.cancel(train_id))

    async def build_index(self) -> Response:
        """Let the newest good run build its index again."""
        return JSONResponse(await self._nights.index())

    async def events(self, request: Request) -> Response:
        """What changes, as it changes; from behind the id that the client names."""
        last = last_seen(
            request.headers.get("last-event-id"), request.query_params.get("after")
        )
        self._check_room()
        stream = (line(one) async for one in self._events.after(last))
        return StreamingResponse(
            stream,
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def event_socket(self, socket: WebSocket) -> None:
        """The same over a WebSocket."""
        event_socket.check_origin(socket.headers)
        last = last_seen(
            socket.headers.get("last-event-id"), socket.query_params.get("after")
        )
        self._check_room()
        await socket.accept()
        await event_socket.tell(socket, self._events.after(last))

    def _check_room(self) -> None:
        if self._events.streams >= MAX_STREAMS:
            raise Refused(503, "busy", "too many clients listen already", retry_s=30)

    async def models(self) -> Response:
        """Versions of model and index that serve now, and what the aliases name."""
        return JSONResponse(self._desk.state()["versions"])

    async def ready(self) -> Response:
        """Whether a request would be answered: one was asked just now."""
        at, readiness = self._ready
        if time.monotonic() - at > READY_S:
            readiness = await self._tried()
            self._ready = (time.monotonic(), readiness)
        return JSONResponse(readiness.model_dump(), 200 if readiness.ready else 503)

    async def stats(self) -> Response:
        """Counts and times since the start."""
        return JSONResponse(self._figures.stats() | self._desk.stats())

    async def metrics(self) -> Response:
        """The same in Prometheus' text format."""
        return Response(
            self._figures.exposition(), media_type="text/plain; version=0.0.4"
        )

    async def _row(self, asked: Any) -> dict[str, Any]:
        started = time.perf_counter()
        complete = await fetched(asked, self._front.image_hosts)
        answer = await self._desk.analyze(complete)
        return answer | {"processing_time_ms": _milliseconds(started)}

    async def _tried(self) -> Readiness:
        try:
            answer = await self._desk.ask(CANARY)
            search = self._desk.state()["search"]
        except Refused as refused:
            return Readiness(ready=False, reason=str(refused.detail["code"]))  # type: ignore[index]
        return Readiness(
            ready=True,
            model_version=answer["model_version"],
            index_version=answer["index_version"],
            search=search,
        )


def _timed(answer: dict[str, Any], started: float) -> Response:
    return JSONResponse(answer | {"processing_time_ms": _milliseconds(started)})


def _milliseconds(started: float) -> float:
    return round(1000 * (time.perf_counter() - started), 2)
