"""From an HTTP request to what the predictor takes, or to a clear refusal. Both request shapes meet here."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from kindling.serving.fetch import NotFetched, fetch_image
from kindling.serving.images import (
    MAX_BYTES,
    BadImage,
    LargeImage,
    check_image,
    from_base64,
)
from kindling.serving.schemas import MAX_TEXT_CHARACTERS, AnalyzeRequest, SearchRequest

M = TypeVar("M", bound=BaseModel)

FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


class Refused(HTTPException):
    """A request that cannot be answered, with the code and message of the answer's `error`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, {"code": code, "message": message})


@dataclass(frozen=True)
class Analyze:
    """What the predictor takes: text, image or both."""

    text: str | None
    image: bytes | None
    #: Why there is no image although one was named.
    image_reason: str | None
    top_k: int


@dataclass(frozen=True)
class Search:
    text: str
    top_k: int
    filters: Mapping[str, str | int | Sequence[str | int]]


async def read_analyze(request: Request, allowed_hosts: Sequence[str]) -> Analyze:
    """Either shape of POST /analyze: a multipart form (`text`, file `image`) or JSON (`query_text`, `image_url`)."""
    upload: bytes | None = None
    if _media_type(request) in FORMS:
        fields, upload = await _form(request)
        wanted = _validated(AnalyzeRequest, fields, strict=False)
    else:
        wanted = _validated(
            AnalyzeRequest,
            await _json(request, "application/json or multipart/form-data"),
            strict=True,
        )
    text = _text(wanted)
    sources = [
        name
        for name, given in (
            ("image", upload),
            ("image_url", wanted.image_url),
            ("image_base64", wanted.image_base64),
        )
        if given
    ]
    if len(sources) > 1:
        raise Refused(
            422,
            "ambiguous_image",
            f"one image is read, given were {' and '.join(sources)}",
        )
    if wanted.image_url:
        image, reason = await _fetched(
            wanted.image_url, allowed_hosts, needed=text is None
        )
        return Analyze(text, image, reason, wanted.top_k)
    image = await asyncio.to_thread(_uploaded, upload, wanted.image_base64)
    if text is None and image is None:
        raise Refused(400, "nothing_given", "give text, an image, or both")
    return Analyze(text, image, None, wanted.top_k)


async def read_search(request: Request) -> Search:
    """POST /search_similar: JSON only."""
    wanted = _validated(
        SearchRequest, await _json(request, "application/json"), strict=True
    )
    text = _checked_text(wanted.query_text)
    if text is None:
        raise Refused(400, "nothing_given", "query_text is empty")
    return Search(text, wanted.top_k, wanted.filters.model_dump(exclude_none=True))


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


async def _json(request: Request, accepted: str) -> dict[str, Any]:
    media_type = _media_type(request)
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Refused(
            415,
            "unsupported_media_type",
            f"content type {media_type or '(none)'} is not read here; {accepted} is",
        )
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise Refused(400, "bad_json", f"the body is not valid JSON: {error}") from None
    if not isinstance(body, dict):
        raise Refused(400, "bad_json", "the body must be a JSON object")
    return body


async def _form(request: Request) -> tuple[dict[str, str], bytes | None]:
    """Text fields, and the bytes of the file `image` (None where the field was left empty)."""
    fields: dict[str, str] = {}
    upload: bytes | None = None
    async with request.form(
        max_files=4, max_fields=20, max_part_size=2_000_000
    ) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                if name != "image":
                    raise Refused(
                        422,
                        "invalid_field",
                        f"{name}: no file is read here; the image's field is `image`",
                    )
                upload = await value.read(MAX_BYTES + 1) or None
            elif name == "image" and value:
                raise Refused(422, "invalid_field", "image: must be a file")
            elif value:
                fields[name] = value
    return fields, upload


def _validated(model: type[M], fields: Any, strict: bool) -> M:
    try:
        return model.model_validate(fields, strict=strict)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}"
            for one in error.errors(include_url=False)[:5]
        )
        raise Refused(422, "invalid_field", problems) from None


def _text(wanted: AnalyzeRequest) -> str | None:
    text, other = _checked_text(wanted.text), _checked_text(wanted.query_text)
    if text and other and text != other:
        raise Refused(
            422,
            "ambiguous_text",
            "text and query_text are two names of one field, given were two values",
        )
    return text or other


def _checked_text(text: str | None) -> str | None:
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


def _uploaded(upload: bytes | None, encoded: str | None) -> bytes | None:
    try:
        image = upload or (from_base64(encoded) if encoded else None)
        if image is not None:
            check_image(image)
        return image
    except LargeImage as error:
        raise Refused(413, "image_too_large", str(error)) from error
    except BadImage as error:
        raise Refused(422, "bad_image", str(error)) from error


async def _fetched(
    url: str, allowed_hosts: Sequence[str], needed: bool
) -> tuple[bytes | None, str | None]:
    """The image, or why there is none; a refusal where there is no text to answer from instead."""
    try:
        image = await fetch_image(url, allowed_hosts)
        await asyncio.to_thread(check_image, image)
        return image, None
    except (NotFetched, BadImage) as error:
        if needed:
            raise Refused(
                422, "image_unavailable", f"{error}; and there is no text"
            ) from error
        return None, str(error)
