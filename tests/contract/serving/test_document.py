"""The OpenAPI document against the server: what it promises is what is answered."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.specs.openapi import checks

from kindling.client.schemas import (
    AnalyzeAnswer,
    BatchRow,
    Explanation,
    FeedbackAnswer,
    SearchAnswer,
    Training,
)
from kindling.serving.documentation import openapi
from kindling.serving.keys import make_key

CHECKS = (
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
)
ANSWERS = {
    "/analyze": AnalyzeAnswer,
    "/search_similar": SearchAnswer,
    "/feedback": FeedbackAnswer,
    "/explain": Explanation,
    "/train": Training,
}
DOCUMENT = openapi()


@schemathesis.serializer("application/x-ndjson")
def ndjson(context: Any, value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


@pytest.fixture(scope="module")
def server(world) -> Iterator[Any]:
    with world.server() as running:
        yield running


def examples() -> list[Any]:
    found = []
    for path, operations in DOCUMENT["paths"].items():
        content = operations.get("post", {}).get("requestBody", {}).get("content", {})
        for media_type, body in content.items():
            for name, example in body.get("examples", {}).items():
                value = example["value"]
                found.append(pytest.param(path, media_type, value, id=f"{path} {name}"))
    return found


def test_there_are_examples_of_every_body() -> None:
    with_body = {
        path
        for path, one in DOCUMENT["paths"].items()
        if "requestBody" in one.get("post", {})
    }
    assert {one.values[0] for one in examples()} == with_body


@pytest.mark.parametrize(("path", "media_type", "value"), examples())
def test_every_example_is_answered_as_the_document_says(
    server, path: str, media_type: str, value: Any
) -> None:
    content = value if isinstance(value, str) else json.dumps(value)
    answer = server.post(
        path, content=content.encode(), headers={"Content-Type": media_type}
    )
    assert answer.status_code == 200, answer.text
    if path == "/analyze/batch":
        rows = [BatchRow.model_validate_json(one) for one in answer.text.splitlines()]
        assert [row.row for row in rows] == list(
            range(len(content.strip().splitlines()))
        )
        assert all(row.answer and not row.error for row in rows)
    else:
        ANSWERS[path].model_validate_json(answer.content)


def test_the_server_shows_this_document_and_every_route_is_in_it(server) -> None:
    assert server.client.get(f"{server.url}/openapi.json").json() == DOCUMENT
    text = json.dumps(DOCUMENT)
    for name in DOCUMENT["components"]["schemas"]:
        assert f"#/components/schemas/{name}" in text, f"{name} is used nowhere"
    for path, operations in DOCUMENT["paths"].items():
        [(method, _)] = operations.items()
        with server.client.stream(method, f"{server.url}{path}") as answer:
            # The one that does not end is not read.
            if path != "/events":
                answer.read()
                known = answer.status_code != 404 or "not_found" not in answer.text
                assert known, path
            assert answer.status_code != 405


@pytest.mark.parametrize(
    ("path", "method"),
    [
        (path, next(iter(one)))
        for path, one in DOCUMENT["paths"].items()
        # It does not end; test_events_and_explanations reads it.
        if path != "/events"
    ],
)
def test_whatever_the_document_allows_and_forbids_is_answered_as_it_says(
    server, path: str, method: str
) -> None:
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    operation = schema[path][method.upper()]

    @hypothesis.given(case=operation.as_strategy())
    @hypothesis.settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=server.url, checks=CHECKS)

    ask()


def test_keys_guard_a_running_server(world) -> None:
    file: Path = world.folder / "keys.jsonl"
    key = make_key(file, ["analyze"], 60)
    with world.server("instant", TINY_KEYS=str(file)) as server:
        body = {"json": {"text": "soft"}}
        assert server.post("/analyze", **body).status_code == 401
        bearer = {"Authorization": f"Bearer {key}"}
        assert server.post("/analyze", **body, headers=bearer).status_code == 200
        assert (
            server.client.get(f"{server.url}/metrics", headers=bearer).status_code
            == 403
        )
        for path in ("/health", "/ready", "/openapi.json"):
            assert server.client.get(f"{server.url}{path}").status_code == 200
        lines = b'{"text": "a"}\n' * 61
        refused = server.post(
            "/analyze/batch",
            content=lines,
            headers={**bearer, "Content-Type": "application/x-ndjson"},
        )
        assert (refused.status_code, refused.json()["error"]["code"]) == (
            429,
            "rate_limited",
        )
        log = server.log.read_text()
        assert '"route": "/analyze"' in log and key.split("_", 2)[2] not in log
