"""The stream of events over a WebSocket, for programs that proxies cut server-sent events off from."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.websockets import WebSocket, WebSocketDisconnect

from kindling.serving.events import Event
from kindling.serving.refusals import Refused

#: Bytes of a message from a client; none is read.
MAX_MESSAGE_BYTES = 1024
#: Close code of RFC 6455, 7.4.1: the client sent what this server takes from nobody.
NOTHING_READ = 1008
#: The same registry: the service restarts; a client may come back.
SERVER_ENDS = 1012


def check_origin(headers: Headers) -> None:
    """Refused where a page of another site opens the socket: browsers ask nobody before they do."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        raise Refused(
            403,
            "foreign_origin",
            f"a page of {origin[:100]} may not listen to {headers.get('host', '')[:100]}",
        )


async def tell(socket: WebSocket, events: AsyncIterator[Event | None]) -> None:
    """Send each event as a message of JSON until either side ends. The socket must be accepted."""
    telling = asyncio.create_task(_send_each(socket, events))
    leaving = asyncio.create_task(_wait_for_end(socket))
    try:
        await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (telling, leaving):
            task.cancel()
        ended = await asyncio.gather(telling, leaving, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception) and not isinstance(error, WebSocketDisconnect):
            raise error


def message(event: Event) -> str:
    """What a client reads as a SocketEvent."""
    number, kind, content = event
    shown: dict[str, Any] = {"id": number, "event": kind, "data": content}
    return json.dumps(shown, separators=(",", ":"))


async def _send_each(socket: WebSocket, events: AsyncIterator[Event | None]) -> None:
    async for event in events:
        # Silence needs no message: pings of the protocol keep the connection alive.
        if event is not None:
            await socket.send_text(message(event))
    await socket.close(SERVER_ENDS)


async def _wait_for_end(socket: WebSocket) -> None:
    """Returns when the client has left, or has sent something and was sent away."""
    received = await socket.receive()
    if received["type"] != "websocket.disconnect":
        await socket.close(NOTHING_READ, "this socket tells and reads nothing")
