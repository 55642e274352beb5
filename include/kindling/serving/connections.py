"""Connections that say nothing, say it slowly, or say too much before anybody knows who they are."""

import asyncio
import json
import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Seconds for a whole head of a request, from the connection's start or the head's first byte.
HEAD_S = 10.0
MAX_HEAD_BYTES = 32_768
MAX_CONNECTIONS = 512
#: Seconds that a connection may stay without a request after an answer.
KEEP_ALIVE_S = 15
#: What the state of the application holds under this name is called when the server stops.
ON_END = "kindling.on_end"
UPGRADE = re.compile(rb"\r\nupgrade:[^\r]*", re.IGNORECASE)
#: Method and path of what becomes a WebSocket.
UPGRADED = frozenset({("GET", b"/events")})


def _refusal(status: str, code: str, message: str) -> bytes:
    body = json.dumps({"error": {"code": code, "message": message}})
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nRetry-After: 5\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode("ascii")


TOO_LARGE = _refusal(
    "431 Request Header Fields Too Large",
    "head_too_large",
    f"the head of the request is over {MAX_HEAD_BYTES:,} bytes",
)
TOO_MANY = _refusal(
    "503 Service Unavailable", "busy", "too many connections are open; come later"
)


def without_upgrade(data: bytes) -> bytes:
    """The piece without an upgrade that is not made, where a whole head is in it.

    The parser drops the body behind such a head, and Java's client asks for HTTP/2 this way
    with every body that it sends.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end or head.startswith(b"GET /events"):
        return data
    return UPGRADE.sub(b"", head) + end + rest


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's protocol with a deadline and a size for heads, and a number of connections."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_deadline: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.write(TOO_MANY)
            transport.close()
            return
        self._begin_head()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self._has_head(data):
                self.transport.write(TOO_LARGE)
                self.transport.close()
                return
            data = without_upgrade(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head_deadline is None:
            self._begin_head()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._end_head()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Told by uvicorn that the server stops: streams would hold it up without an end."""
        self.app_state[ON_END]()
        super().shutdown()

    def _should_upgrade(self) -> bool:
        """Only where a WebSocket is answered: elsewhere the request is one as any other."""
        asked = self.scope["method"], self.url.partition(b"?")[0]
        return asked in UPGRADED and bool(super()._should_upgrade())

    def _has_head(self, data: bytes) -> bool:
        """Whether the head ends in this piece early enough: the rest is its body."""
        end = data.find(b"\r\n\r\n")
        return 0 <= end and self._head_bytes - len(data) + end <= MAX_HEAD_BYTES

    def _begin_head(self) -> None:
        self._head_deadline = self.loop.call_later(HEAD_S, self._too_slow)

    def _end_head(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
