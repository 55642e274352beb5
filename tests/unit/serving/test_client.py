"""The typed client: what it sends, what it reads, when it asks again."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from kindling.client import ApiError, AsyncClient, Client, http
from kindling.client.schemas import (
    BatchRequestRow,
    FeedbackRequest,
    SearchFilters,
)

ANSWER = {
    "sentiment": "negative",
    "confidence": 0.7,
    "probabilities": {"negative": 0.7, "neutral": 0.2, "positive": 0.1},
    "calibrated": True,
    "modality": "text",
    "image_used": False,
    "image_reason": "no image was given",
    "model_version": "7",
    "provisional": False,
    "index_version": None,
    "similar_reviews": [],
    "search_code": "no_index",
    "search_reason": "no index serves yet",
    "summary": {"n": 0, "counts": {}, "sentence": "No similar reviews were found."},
    "processing_time_ms": 1.0,
}
BUSY = {"error": {"code": "busy", "message": "later", "request_id": "r1"}}

Handler = Callable[[httpx.Request], httpx.Response]


def sync(handler: Handler, **options: Any) -> Client:
    client = Client("http://x", **options)
    client._http = httpx.Client(
        base_url="http://x",
        transport=httpx.MockTransport(handler),
        headers=client._http.headers,
    )
    return client


def awaited(handler: Handler) -> AsyncClient:
    client = AsyncClient("http://x")
    client._http = httpx.AsyncClient(
        base_url="http://x", transport=httpx.MockTransport(handler)
    )
    return client


def test_it_sends_what_it_is_given_and_the_key() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=ANSWER)

    with sync(handler, key="kindling_a_b") as client:
        answer = client.analyze("torn", image=b"\x00\xff", top_k=2)
    assert answer.sentiment == "negative" and answer.search_code == "no_index"
    assert seen[0].headers["authorization"] == "Bearer kindling_a_b"
    assert json.loads(seen[0].content) == {
        "text": "torn",
        "image_base64": "AP8=",
        "top_k": 2,
    }


def test_filters_feedback_and_readiness() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/ready":
            return httpx.Response(503, json={"ready": False, "reason": "starting"})
        if request.url.path == "/feedback":
            return httpx.Response(200, json={"feedback_id": "f", "stored": True})
        body = json.loads(request.content)
        assert body["filters"] == {"rating": [1, 2]}
        found = {"results": [], "index_version": "v1", "fusion": "f"}
        return httpx.Response(200, json={**found, "processing_time_ms": 1})

    with sync(handler) as client:
        assert client.search("a", filters=SearchFilters(rating=[1, 2])).results == []
        assert client.ready().reason == "starting"
        verdict = FeedbackRequest(text="a", sentiment="neutral")
        assert client.feedback(verdict).feedback_id == "f"


def test_a_refusal_is_an_error_with_its_code() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        refused = {"code": "nothing_given", "message": "give text", "request_id": "r7"}
        return httpx.Response(400, json={"error": refused})

    with (
        sync(handler) as client,
        pytest.raises(ApiError, match="nothing_given.*r7") as e,
    ):
        client.analyze()
    assert (e.value.status, e.value.code, e.value.request_id) == (
        400,
        "nothing_given",
        "r7",
    )


def test_what_is_not_the_endpoint_is_said() -> None:
    page = httpx.Response(502, text="<html>Bad Gateway</html>")
    with sync(lambda _: page) as client, pytest.raises(ApiError, match="Bad Gateway"):
        client.models()


@pytest.mark.parametrize(("busy", "asked"), [(1, 2), (2, 3), (9, 3)])
def test_it_asks_again_when_it_is_told_to_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, busy: int, asked: int
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(http.time, "sleep", waited.append)
    answers = [httpx.Response(503, json=BUSY, headers={"Retry-After": "7"})] * busy
    answers += [httpx.Response(200, json=ANSWER)] * 3
    coming = iter(answers)
    with sync(lambda _: next(coming)) as client:
        if busy < 3:
            assert client.analyze("a").model_version == "7"
        else:
            with pytest.raises(ApiError) as caught:
                client.analyze("a")
            assert caught.value.retry_s == 7
    assert waited == [7.0] * (asked - 1)


def test_the_asynchronous_client_says_the_same() -> None:
    async def ask() -> Any:
        async with awaited(lambda _: httpx.Response(200, json=ANSWER)) as client:
            return await client.analyze("a")

    assert asyncio.run(ask()).summary.n == 0


def test_batches_in_both() -> None:
    lines = [
        {"row": 0, "id": "a", "answer": ANSWER},
        {"row": 1, "error": {"code": "invalid_field", "message": "text"}},
    ]
    content = "\n".join(map(json.dumps, lines)).encode()

    def handler(request: httpx.Request) -> httpx.Response:
        assert [json.loads(one) for one in request.content.splitlines()] == [
            {"text": "x", "top_k": 5, "id": "a"},
            {"top_k": 5},
        ]
        return httpx.Response(200, content=content)

    rows = [BatchRequestRow(text="x", id="a"), BatchRequestRow()]

    async def ask() -> list[Any]:
        async with awaited(handler) as client:
            return [row async for row in client.batch(rows)]

    with sync(handler) as client:
        for got in (list(client.batch(rows)), asyncio.run(ask())):
            assert got[0].answer.sentiment == "negative"
            assert got[1].error.code == "invalid_field" and got[1].answer is None
