"""The OpenAPI page of routes that read their bodies themselves, made from the schemas that check them."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from kindling.serving.schemas import (
    AnalyzeAnswer,
    AnalyzeRequest,
    ErrorAnswer,
    SearchAnswer,
    SearchRequest,
    ServedVersions,
)

PROBLEMS = {
    "4XX": "the request cannot be answered; `error` says why",
    "503": "not now; try again",
}


def document(app: FastAPI) -> None:
    """Add bodies and answers to the routes that LitServe has registered."""
    multipart = _schema(AnalyzeRequest)
    del multipart["properties"]["image_base64"]
    multipart["properties"]["image"] = {"type": "string", "format": "binary"}
    described = {
        "/analyze": (
            {
                "application/json": _schema(AnalyzeRequest),
                "multipart/form-data": multipart,
            },
            AnalyzeAnswer,
        ),
        "/search_similar": ({"application/json": _schema(SearchRequest)}, SearchAnswer),
        "/models": ({}, ServedVersions),
    }
    for route in app.routes:
        if isinstance(route, APIRoute) and route.path in described:
            bodies, answer = described[route.path]
            route.openapi_extra = _operation(bodies, answer)


def _operation(bodies: dict[str, Any], answer: type[BaseModel]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "responses": {"200": _json("the answer", answer)}
        | {status: _json(meaning, ErrorAnswer) for status, meaning in PROBLEMS.items()}
    }
    if bodies:
        operation["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": schema} for kind, schema in bodies.items()},
        }
    return operation


def _json(description: str, model: type[BaseModel]) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": _schema(model)}},
    }


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON schema with its definitions put in place: a fragment has no `$defs` to refer to."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, dict):
            name = (
                node.get("$ref", "").rpartition("/")[2]
                if isinstance(node.get("$ref"), str)
                else ""
            )
            return (
                resolved(definitions[name])
                if name
                else {key: resolved(value) for key, value in node.items()}
            )
        return [resolved(one) for one in node] if isinstance(node, list) else node

    return resolved(schema)
