"""Many requests in one body, a line each: answers in the same order, errors beside their row."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi import Request

from kindling.client.schemas import MAX_BATCH_ROWS, BatchRequestRow
from kindling.serving.intake import (
    Wanted,
    media_type,
    parsed,
    validated,
    wanted,
)
from kindling.serving.keys import Allowance
from kindling.serving.refusals import Refused

MEDIA_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
#: Rows under way at once: enough to be classified together, few beside other clients.
TOGETHER = 16

Answer = Callable[[Wanted], Awaitable[dict[str, Any]]]


async def read_lines(request: Request) -> list[bytes]:
    """The lines that hold something; Refused for another media type or too many of them."""
    if media_type(request) not in MEDIA_TYPES:
        raise Refused(
            415,
            "unsupported_media_type",
            f"a batch is {MEDIA_TYPES[0]}: one JSON object a line",
        )
    body = await request.body()
    lines = [line for line in body.split(b"\n") if line.strip()]
    if not lines:
        raise Refused(400, "nothing_given", "the batch has no line")
    if len(lines) > MAX_BATCH_ROWS:
        raise Refused(
            413,
            "too_many_rows",
            f"the batch has {len(lines):,} rows; at most {MAX_BATCH_ROWS:,} are read",
        )
    return lines


def charge(lines: list[bytes], allowance: Allowance | None) -> None:
    """Count every row against the key's limit; the request itself was counted before."""
    if allowance is None or len(lines) == 1:
        return
    if wait_s := allowance.take(len(lines) - 1):
        raise Refused(
            429,
            "rate_limited",
            f"{len(lines)} rows are more than this key may ask now",
            retry_s=int(wait_s) + 1,
        )


async def answers(lines: list[bytes], answer: Answer) -> AsyncIterator[bytes]:
    """One line of JSON a row, in order, while later rows are under way."""
    under_way: deque[asyncio.Task[dict[str, Any]]] = deque()
    try:
        for number, line in enumerate(lines):
            if len(under_way) == TOGETHER:
                yield _line(await under_way.popleft())
            under_way.append(asyncio.create_task(_row(number, line, answer)))
        while under_way:
            yield _line(await under_way.popleft())
    finally:
        # The client may have left.
        for task in under_way:
            task.cancel()


async def _row(number: int, line: bytes, answer: Answer) -> dict[str, Any]:
    name: str | None = None
    try:
        fields = parsed(line)
        name = fields.get("id") if isinstance(fields.get("id"), str) else None
        asked = validated(BatchRequestRow, fields, strict=True)
        return {"row": number, "id": name, "answer": await answer(wanted(asked, None))}
    except Refused as refused:
        return {"row": number, "id": name, "error": refused.detail}


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"
