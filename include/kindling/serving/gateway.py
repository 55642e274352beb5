"""What every request passes before a route: an id, a key, a limit, a bounded body, a log line."""

import asyncio
import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from math import ceil
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kindling.serving.bodies import BoundedBody, ParkedBytes
from kindling.serving.connections import ON_END
from kindling.serving.figures import Figures
from kindling.serving.keys import Allowance, KeyRing
from kindling.serving.refusals import Refused

#: Route -> scope that a key must have; a route that is not here needs any key.
SCOPE_OF = {
    "/analyze": "analyze",
    "/analyze/batch": "analyze",
    "/search_similar": "search",
    "/explain": "analyze",
    "/feedback": "feedback",
    "/train": "train",
    "/train/{train_id}": "train",
    "/train/{train_id}/cancel": "train",
    "/build_index": "train",
    "/events": "observe",
    "/models": "observe",
    "/stats": "observe",
    "/metrics": "observe",
    "/info": "observe",
}
#: What orchestrators and readers of the documentation ask without a key.
OPEN = frozenset({"/health", "/ready", "/docs", "/openapi.json"})
#: Everything else is one route in the figures: paths are what clients like.
KNOWN = frozenset(SCOPE_OF) | OPEN
#: What begins an answer: of HTTP, of a WebSocket that is accepted, of one that is refused.
STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

log = logging.getLogger(__name__)
access = logging.getLogger("kindling.access")


@dataclass(frozen=True)
class Rules:
    """Whether keys are needed, and whether every request is logged."""

    keys: KeyRing | None = None
    log: bool = False


@dataclass(frozen=True)
class Life:
    """What runs for as long as the application lives, and what is called when it is to end."""

    background: Callable[[], Coroutine[Any, Any, None]]
    on_end: Callable[[], None]


def route_of(path: str) -> str:
    """The route that a path belongs to: what a scope and a figure go by."""
    if path in KNOWN:
        return path
    if path.startswith("/train/"):
        tail = "/cancel" if path.endswith("/cancel") else ""
        return "/train/{train_id}" + tail
    return "other"


class Gateway:
    """ASGI middleware around the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        rules: Rules,
        figures: Figures,
        life: Life,
    ) -> None:
        self._app, self._rules, self._figures, self._life = app, rules, figures, life
        self._parked = ParkedBytes()
        figures.watch(
            "parked_bytes", "Bytes of bodies under way.", lambda: self._parked.now
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            scope["state"][ON_END] = self._life.on_end
            task = asyncio.create_task(self._life.background())
            task.add_done_callback(_said)
            try:
                await self._app(scope, receive, send)
            finally:
                task.cancel()
            return
        exchange = Exchange(scope, send)
        body = BoundedBody(receive, scope["path"], self._parked)
        # A WebSocket has no body; what it may send is bounded by its protocol.
        taken = receive if exchange.socket else body
        state = scope.setdefault("state", {})
        state["request_id"] = exchange.request_id
        try:
            exchange.key_id, state["allowance"] = self._admitted(scope)
            await self._app(scope, taken, exchange.send)
        except Refused as refused:
            # Only what was refused here: the application answers its own.
            await _answer(refused, exchange)
        finally:
            arrived = body.bytes
            body.release()
            self._note(exchange, arrived)

    def _admitted(self, scope: Scope) -> tuple[str, Allowance | None]:
        """The key that this is asked with, and what is left of its limit.

        Refused where it may not be asked.
        """
        path = scope["path"]
        if self._rules.keys is None or path in OPEN:
            return "-", None
        key = self._rules.keys.find(_token(Headers(scope=scope)))
        if key is None:
            raise Refused(401, "no_key", "a key is needed: Authorization: Bearer <key>")
        needed = SCOPE_OF.get(route_of(path))
        if needed and needed not in key.scopes:
            raise Refused(403, "wrong_scope", f"this key may not {needed}")
        allowance = self._rules.keys.allowance(key)
        if wait_s := allowance.take():
            raise Refused(
                429,
                "rate_limited",
                f"this key may ask {key.per_minute} times a minute",
                retry_s=ceil(wait_s),
            )
        return key.key_id, allowance

    def _note(self, exchange: "Exchange", arrived: int) -> None:
        seconds = time.perf_counter() - exchange.started
        route = route_of(exchange.path)
        self._figures.answered(route, exchange.status, seconds)
        if not self._rules.log:
            return
        # No query, no header, no body: what people write and what opens doors stays out.
        access.info(
            json.dumps(
                {
                    "request_id": exchange.request_id,
                    "client": exchange.client,
                    "key": exchange.key_id,
                    "method": exchange.method,
                    "route": route,
                    "status": exchange.status,
                    "ms": round(1000 * seconds, 1),
                    "bytes_in": arrived,
                    "bytes_out": exchange.bytes_out,
                }
            )
        )


class Exchange:
    """One request and what was answered to it."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.started = time.perf_counter()
        self.socket = scope["type"] == "websocket"
        self.path = scope["path"]
        self.method = "SOCKET" if self.socket else scope["method"]
        self.client = (scope.get("client") or ("-",))[0]
        given = Headers(scope=scope).get("x-request-id", "")
        valid = REQUEST_ID.fullmatch(given)
        self.request_id = given if valid else uuid.uuid4().hex
        self.key_id = "-"
        #: 499: the client left before there was an answer.
        self.status = 499
        self.bytes_out = 0
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] in STARTS:
            # A WebSocket that is accepted answers 101, Switching Protocols.
            self.status = message.get("status", 101)
            name = (b"x-request-id", self.request_id.encode("ascii"))
            message["headers"] = [*message.get("headers", []), name]
        else:
            self.bytes_out += len(message.get("body") or message.get("text") or b"")
        await self._send(message)


def problem(refused: Refused, request_id: str) -> dict[str, Any]:
    """The body of an ErrorAnswer."""
    return {"error": {**refused.detail, "request_id": request_id}}  # type: ignore[dict-item]


async def _answer(refused: Refused, exchange: Exchange) -> None:
    content = json.dumps(problem(refused, exchange.request_id)).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(content)),
        # The body is not read: what follows would be taken for the next request.
        "connection": "close",
        **({"www-authenticate": "Bearer"} if refused.status_code == 401 else {}),
        **(refused.headers or {}),
    }
    raw = [
        (name.lower().encode(), str(value).encode()) for name, value in headers.items()
    ]
    prefix = "websocket." if exchange.socket else ""
    await exchange.send(
        {
            "type": f"{prefix}http.response.start",
            "status": refused.status_code,
            "headers": raw,
        }
    )
    await exchange.send({"type": f"{prefix}http.response.body", "body": content})


def _said(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("the watch over the worker ended", exc_info=task.exception())


def _token(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
