"""The OpenAPI document of routes that read their bodies themselves, from the schemas that check them."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from kindling.client.schemas import (
    MAX_BATCH_ROWS,
    AnalyzeAnswer,
    AnalyzeRequest,
    BatchRequestRow,
    BatchRow,
    ErrorAnswer,
    ExplainRequest,
    Explanation,
    FeedbackAnswer,
    FeedbackRequest,
    Readiness,
    SearchAnswer,
    SearchRequest,
    ServedVersions,
    Stats,
    Training,
    TrainRequest,
)
from kindling.serving.operations import DESCRIPTION, OPERATIONS, STATUSES, Operation

REF = "#/components/schemas/{model}"
NDJSON = "application/x-ndjson"
ANSWERS: dict[str, tuple[str, type[BaseModel] | None]] = {
    "/analyze": ("application/json", AnalyzeAnswer),
    "/analyze/batch": (NDJSON, BatchRow),
    "/search_similar": ("application/json", SearchAnswer),
    "/feedback": ("application/json", FeedbackAnswer),
    "/explain": ("application/json", Explanation),
    "/train": ("application/json", Training),
    "/train/{train_id}": ("application/json", Training),
    "/train/{train_id}/cancel": ("application/json", Training),
    "/build_index": ("application/json", Training),
    "/events": ("text/event-stream; charset=utf-8", None),
    "/models": ("application/json", ServedVersions),
    "/ready": ("application/json", Readiness),
    "/stats": ("application/json", Stats),
    "/metrics": ("text/plain; version=0.0.4; charset=utf-8", None),
    "/health": ("text/plain; charset=utf-8", None),
}
BODIES: dict[str, dict[str, type[BaseModel]]] = {
    "/analyze": {"application/json": AnalyzeRequest},
    "/analyze/batch": {NDJSON: BatchRequestRow},
    "/search_similar": {"application/json": SearchRequest},
    "/feedback": {"application/json": FeedbackRequest},
    "/explain": {"application/json": ExplainRequest},
    "/train": {"application/json": TrainRequest},
}

#: A part of the paths that take it, and the parameter.
PARAMETERS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "{train_id}",
        {
            "name": "train_id",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": 100},
        },
    ),
    (
        "/events",
        {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The id that the stream goes on behind.",
            "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
        },
    ),
    (
        "/events",
        {
            "name": "after",
            "in": "query",
            "description": "The same, for clients that set no header.",
            "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
        },
    ),
)


def document(app: FastAPI) -> None:
    """Make `/openapi.json` answer with this document instead of what FastAPI can infer."""
    made = openapi()
    app.title, app.version = made["info"]["title"], made["info"]["version"]
    app.openapi = lambda: made  # type: ignore[method-assign]


def openapi() -> dict[str, Any]:
    """OpenAPI 3.1: every route, every status that occurs, schemas by name."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kindling",
            "version": _version(),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        # By key where the server asks for one, or without where it does not.
        "security": [{"bearer": []}, {"header": []}, {}],
        "paths": {
            path: {one.method: _operation(path, one)}
            for path, one in OPERATIONS.items()
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _operation(path: str, operation: Operation) -> dict[str, Any]:
    media_type, model = ANSWERS[path]
    schema = _named(model) if model else {"type": "string"}
    responses = {"200": _content(operation.answer, media_type, schema)}
    if path == "/health":
        responses["200"] = {"description": operation.answer}
    for status in operation.statuses:
        responses[str(status)] = _problem(path, status)
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.description,
        "responses": responses,
    }
    parameters = [one for mark, one in PARAMETERS if mark in path]
    if parameters:
        made["parameters"] = parameters
    if path in BODIES:
        made["requestBody"] = {"required": True, "content": _bodies(path)}
    return made


def _problem(path: str, status: int) -> dict[str, Any]:
    if path == "/ready" and status == 503:
        return _content(
            "not ready; `reason` says why", "application/json", _named(Readiness)
        )
    if path == "/health":
        # LitServe's own route: two words without a media type.
        return {"description": STATUSES[status]}
    shown = _content(STATUSES[status], "application/json", _named(ErrorAnswer))
    if status in (429, 503):
        shown["headers"] = {
            "Retry-After": {
                "description": "Seconds after which the same request may be answered.",
                "schema": {"type": "integer", "minimum": 1},
            }
        }
    return shown


def _bodies(path: str) -> dict[str, Any]:
    bodies: dict[str, Any] = {}
    for media_type, model in BODIES[path].items():
        bodies[media_type] = {"schema": _named(model)}
        for number, example in enumerate(model.model_json_schema().get("examples", [])):
            shown = bodies[media_type].setdefault("examples", {})
            shown[f"example{number + 1}"] = {"value": example}
    if path == "/analyze":
        bodies["multipart/form-data"] = {"schema": _form()}
    if path == "/analyze/batch":
        bodies[NDJSON]["schema"] = {
            "type": "string",
            "description": f"At most {MAX_BATCH_ROWS} lines, each a BatchRequestRow.",
            "contentMediaType": "application/json",
            "contentSchema": _named(BatchRequestRow),
        }
        bodies[NDJSON]["examples"] = {
            "two": {
                "value": '{"id": "a", "text": "Soft and warm."}\n{"text": "It ripped."}\n'
            }
        }
    return bodies


def _form() -> dict[str, Any]:
    """AnalyzeRequest as a form has it: strings, and the photo as a file."""
    properties = AnalyzeRequest.model_json_schema()["properties"]
    return {
        "type": "object",
        "properties": {
            "text": {"type": "string", "maxLength": properties["text"]["maxLength"]},
            "query_text": {"type": "string", "description": "The same as `text`."},
            "top_k": properties["top_k"],
            "image_url": {"type": "string", "maxLength": 2048},
            "image": {"type": "string", "format": "binary"},
        },
    }


def _content(
    description: str, media_type: str, schema: dict[str, Any]
) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _named(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": REF.format(model=model.__name__)}


def _schemas() -> dict[str, Any]:
    answers = [model for _, model in ANSWERS.values() if model]
    asked = [model for bodies in BODIES.values() for model in bodies.values()]
    named: list[type[BaseModel]] = [*answers, *asked, ErrorAnswer]
    _, definitions = models_json_schema(
        [(model, "validation") for model in named], ref_template=REF
    )
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas


def _version() -> str:
    try:
        return version("kindling")
    except PackageNotFoundError:
        return "0"
