"""From an HTTP request to what the predictor takes, or to a clear refusal. Both request shapes meet here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from kindling.client.schemas import (
    MAX_TEXT_CHARACTERS,
    AnalyzeRequest,
    SearchRequest,
)
from kindling.serving.decoding import Decoder
from kindling.serving.fetch import NotFetched, fetch_image
from kindling.serving.forms import FORMS, read_form
from kindling.serving.images import BadImage, LargeImage, from_base64, looked_at
from kindling.serving.questions import Analyze, Search
from kindling.serving.refusals import Refused

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Wanted:
    """A request whose fields were read; its photo has not been looked into."""

    text: str | None
    #: The photo's bytes, as sent or decoded from base64.
    image: bytes | None
    image_url: str | None
    top_k: int


async def read_wanted(request: Request) -> Wanted:
    """Either shape of POST /analyze: a multipart form (`text`, file `image`) or JSON."""
    if media_type(request) in FORMS:
        fields, upload = await read_form(request)
        return wanted(validated(AnalyzeRequest, fields, strict=False), upload)
    body = await read_json(request, "application/json or multipart/form-data")
    return wanted(validated(AnalyzeRequest, body, strict=True), None)


async def fetched(asked: Wanted, allowed_hosts: Sequence[str]) -> Analyze | Wanted:
    """The same with its photo fetched; an Analyze at once where there is none to have."""
    if asked.image_url is None:
        return asked
    try:
        image = await fetch_image(asked.image_url, allowed_hosts)
    except NotFetched as error:
        if asked.text is None:
            raise _unavailable(error) from error
        return Analyze(asked.text, None, str(error), asked.top_k)
    return Wanted(asked.text, image, asked.image_url, asked.top_k)


async def looked_into(
    asked: Wanted, decoder: Decoder, size: int | None = None
) -> Analyze:
    """The question, once its photo was decoded to the model's `size`; one by URL may be missing."""
    if asked.image is None:
        return Analyze(asked.text, None, None, asked.top_k)
    try:
        seen = await decoder.run(partial(looked_at, size=size), asked.image)
    except BadImage as error:
        if asked.image_url is None:
            large = isinstance(error, LargeImage)
            raise Refused(
                413 if large else 422,
                "image_too_large" if large else "bad_image",
                str(error),
            ) from error
        if asked.text is None:
            raise _unavailable(error) from error
        return Analyze(asked.text, None, str(error), asked.top_k)
    return Analyze(asked.text, seen, None, asked.top_k)


async def read_analyze(
    request: Request, allowed_hosts: Sequence[str], decoder: Decoder | None = None
) -> Analyze:
    """A whole POST /analyze: fields, photo fetched, photo decoded."""
    asked = await fetched(await read_wanted(request), allowed_hosts)
    if isinstance(asked, Analyze):
        return asked
    return await looked_into(asked, decoder or Decoder())


async def read_search(request: Request) -> Search:
    """POST /search_similar: JSON only."""
    body = await read_json(request, "application/json")
    if {"image", "image_url", "image_base64"} & set(body):
        raise Refused(
            422,
            "photo_search_unsupported",
            "reviews are searched by text; the index holds no embeddings of photos",
        )
    asked = validated(SearchRequest, body, strict=True)
    text = checked_text(asked.query_text)
    if text is None:
        raise Refused(400, "nothing_given", "query_text is empty")
    return Search(text, asked.top_k, asked.filters.model_dump(exclude_none=True))


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


async def read_json(request: Request, accepted: str) -> dict[str, Any]:
    """The body as a JSON object; Refused for anything else."""
    given = media_type(request)
    if given != "application/json" and not given.endswith("+json"):
        raise Refused(
            415,
            "unsupported_media_type",
            f"content type {given or '(none)'} is not read here; {accepted} is",
        )
    return parsed(await request.body())


def parsed(content: bytes) -> dict[str, Any]:
    """A JSON object; Refused for anything else."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "bad_json", f"the body is not valid JSON: {error}") from None
    if not isinstance(body, dict):
        raise Refused(400, "bad_json", "the body must be a JSON object")
    return body


def validated(model: type[M], fields: Mapping[str, Any], strict: bool) -> M:
    """The fields as the model has them; Refused names those that are wrong."""
    try:
        return model.model_validate(fields, strict=strict)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}"
            for one in error.errors(include_url=False, include_input=False)[:5]
        )
        raise Refused(422, "invalid_field", problems) from None


def wanted(asked: AnalyzeRequest, upload: bytes | None) -> Wanted:
    """What is asked for; Refused where it is ambiguous or nothing."""
    text = _text(asked)
    sources = [
        name
        for name, given in (
            ("image", upload),
            ("image_url", asked.image_url),
            ("image_base64", asked.image_base64),
        )
        if given
    ]
    if len(sources) > 1:
        raise Refused(
            422,
            "ambiguous_image",
            f"one image is read, given were {' and '.join(sources)}",
        )
    if text is None and not sources:
        raise Refused(400, "nothing_given", "give text, an image, or both")
    image = upload or (_decoded(asked.image_base64) if asked.image_base64 else None)
    return Wanted(text, image, asked.image_url or None, asked.top_k)


def checked_text(text: str | None) -> str | None:
    """The text, or None where there is none; Refused where it is too long."""
    if text is None or not text.strip():
        return None
    if len(text) > MAX_TEXT_CHARACTERS:
        raise Refused(
            413,
            "text_too_long",
            f"the text has {len(text):,} characters; "
            f"at most {MAX_TEXT_CHARACTERS:,} are read",
        )
    # JSON can carry half a surrogate pair; no encoding of text can.
    return text.encode(errors="replace").decode()


def _text(asked: AnalyzeRequest) -> str | None:
    text, other = checked_text(asked.text), checked_text(asked.query_text)
    if text and other and text != other:
        raise Refused(
            422,
            "ambiguous_text",
            "text and query_text are two names of one field, given were two values",
        )
    return text or other


def _decoded(encoded: str) -> bytes:
    try:
        return from_base64(encoded)
    except BadImage as error:
        raise Refused(422, "bad_image", str(error)) from error


def _unavailable(error: Exception) -> Refused:
    return Refused(422, "image_unavailable", f"{error}; and there is no text")
