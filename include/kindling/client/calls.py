"""What a call sends and how its answer is read, apart from how it is waited for."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from kindling.client.schemas import (
    AnalyzeAnswer,
    AnalyzeRequest,
    BatchRequestRow,
    BatchRow,
    ErrorAnswer,
    EventContent,
    ExplainRequest,
    Explanation,
    FeedbackAnswer,
    FeedbackRequest,
    Problem,
    Readiness,
    SearchAnswer,
    SearchFilters,
    SearchRequest,
    ServedVersions,
    Stats,
    Training,
    TrainRequest,
)

M = TypeVar("M", bound=BaseModel)

#: Statuses after which the same request may be answered.
PASSING = frozenset({429, 503})
NDJSON = {"Content-Type": "application/x-ndjson"}


class ApiError(Exception):
    """The endpoint refused: `code` for programs, the message for people."""

    def __init__(self, status: int, problem: Problem, retry_s: float | None) -> None:
        super().__init__(
            f"{status} {problem.code}: {problem.message} "
            f"(request {problem.request_id or 'without id'})"
        )
        self.status, self.code = status, problem.code
        self.request_id, self.retry_s = problem.request_id, retry_s


@dataclass(frozen=True)
class Call(Generic[M]):
    """One request, and the schema of its answer."""

    method: str
    path: str
    answer: type[M]
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Statuses besides 200 whose body is an answer.
    also: frozenset[int] = frozenset()


def analyze(
    text: str | None, image: bytes | None, image_url: str | None, top_k: int
) -> Call[AnalyzeAnswer]:
    encoded = base64.b64encode(image).decode("ascii") if image else None
    request = AnalyzeRequest(
        text=text, image_base64=encoded, image_url=image_url, top_k=top_k
    )
    return _posted("/analyze", request, AnalyzeAnswer)


def search(text: str, top_k: int, filters: SearchFilters | None) -> Call[SearchAnswer]:
    request = SearchRequest(
        query_text=text, top_k=top_k, filters=filters or SearchFilters()
    )
    return _posted("/search_similar", request, SearchAnswer)


def feedback(verdict: FeedbackRequest) -> Call[FeedbackAnswer]:
    return _posted("/feedback", verdict, FeedbackAnswer)


def batch(rows: Iterable[BatchRequestRow]) -> Call[BatchRow]:
    lines = [row.model_dump_json(exclude_none=True) for row in rows]
    content = "\n".join(lines).encode()
    return Call("POST", "/analyze/batch", BatchRow, content, NDJSON)


def explain(text: str) -> Call[Explanation]:
    return _posted("/explain", ExplainRequest(text=text), Explanation)


def train(asked: TrainRequest) -> Call[Training]:
    return _posted("/train", asked, Training)


def training(train_id: str) -> Call[Training]:
    return Call("GET", f"/train/{quote(train_id, safe='')}", Training)


def cancel_training(train_id: str) -> Call[Training]:
    return Call("POST", f"/train/{quote(train_id, safe='')}/cancel", Training)


def build_index() -> Call[Training]:
    return Call("POST", "/build_index", Training)


def events(after: int | None) -> Call[EventContent]:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    return Call("GET", "/events", EventContent, headers=headers)


def models() -> Call[ServedVersions]:
    return Call("GET", "/models", ServedVersions)


def ready() -> Call[Readiness]:
    return Call("GET", "/ready", Readiness, also=frozenset({503}))


def stats() -> Call[Stats]:
    return Call("GET", "/stats", Stats)


def read(call: Call[M], response: httpx.Response) -> M:
    """The answer; ApiError where it is a refusal."""
    checked(call, response)
    return call.answer.model_validate_json(response.content)


def read_line(call: Call[M], line: str) -> M:
    """One row of a batch's answer."""
    return call.answer.model_validate_json(line)


def checked(call: Call[M], response: httpx.Response) -> None:
    """ApiError unless the response is an answer. Its body must have been read."""
    if response.status_code == 200 or response.status_code in call.also:
        return
    raise refusal(response)


def refusal(response: httpx.Response) -> ApiError:
    """The error that a response is, whose body must have been read."""
    return ApiError(response.status_code, _problem(response), retry_after(response))


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that the endpoint asks to wait; None where it does not."""
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdigit() else None


def _posted(path: str, request: BaseModel, answer: type[M]) -> Call[M]:
    content = request.model_dump(mode="json", exclude_none=True)
    return Call(
        "POST",
        path,
        answer,
        json.dumps(content).encode(),
        {"Content-Type": "application/json"},
    )


def _problem(response: httpx.Response) -> Problem:
    try:
        return ErrorAnswer.model_validate_json(response.content).error
    except ValidationError:
        # Not the endpoint's: a proxy in front of it, or another server.
        return Problem(code="no_answer", message=response.text[:200])


def request_arguments(call: Call[Any]) -> dict[str, Any]:
    return {
        "method": call.method,
        "url": call.path,
        "content": call.content,
        "headers": dict(call.headers),
    }
