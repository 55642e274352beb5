"""Events over a WebSocket: one message each, for both clients."""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import BaseModel

from kindling.client import calls
from kindling.client.events import Event
from kindling.client.schemas import EventContent

if TYPE_CHECKING:
    from websockets.exceptions import InvalidStatus

#: Seconds between two pings, and until one that nobody answers ends the connection.
PING_S = 20.0
OPEN_S = 40.0
#: Close codes by which a server says that it ends: RFC 6455, 7.4.1, and IANA's registry.
SERVER_ENDS = frozenset({1000, 1001, 1012})


class SocketEvent(BaseModel):
    """One message."""

    id: int
    event: str
    data: EventContent


def listen(
    url: httpx.URL, headers: Mapping[str, str], after: int | None
) -> Iterator[Event]:
    """Events from behind an id; ends where the server does. Raises as Client's methods do."""
    # Here and not above: who asks for one answer needs no WebSocket.
    from websockets.sync.client import connect

    with _ends(), connect(**_arguments(url, headers, after)) as socket:
        for message in socket:
            yield _read(message)


async def listen_async(
    url: httpx.URL, headers: Mapping[str, str], after: int | None
) -> AsyncIterator[Event]:
    """The same, awaited."""
    from websockets.asyncio.client import connect

    with _ends():
        async with connect(**_arguments(url, headers, after)) as socket:
            async for message in socket:
                yield _read(message)


@contextlib.contextmanager
def _ends() -> Iterator[None]:
    """A socket's ends as the client's: none where the server ended it, else the error."""
    from websockets import exceptions

    try:
        yield
    except exceptions.InvalidStatus as refused:
        raise _refusal(refused) from None
    except exceptions.ConnectionClosedError as closed:
        _check_ended(closed)
    except (exceptions.InvalidHandshake, OSError) as error:
        raise httpx.ConnectError(str(error)) from error


def _arguments(
    url: httpx.URL, headers: Mapping[str, str], after: int | None
) -> dict[str, Any]:
    scheme = {"http": "ws", "https": "wss"}[url.scheme]
    path = url.raw_path.decode("ascii").rstrip("/") + "/events"
    given = {} if after is None else {"Last-Event-ID": str(after)}
    return {
        "uri": f"{scheme}://{url.netloc.decode('ascii')}{path}",
        "additional_headers": {**headers, **given},
        "open_timeout": OPEN_S,
        "ping_interval": PING_S,
        "ping_timeout": PING_S,
        "compression": None,
    }


def _read(message: str | bytes) -> Event:
    read = SocketEvent.model_validate_json(message)
    return Event(read.id, read.event, read.data)


def _refusal(refused: "InvalidStatus") -> calls.ApiError:
    given = refused.response
    response = httpx.Response(
        given.status_code,
        headers=list(given.headers.raw_items()),
        content=bytes(given.body or b""),
    )
    return calls.refusal(response)


def _check_ended(closed: Any) -> None:
    """Nothing where the server said that it ends; httpx.RemoteProtocolError elsewhere."""
    code = closed.rcvd.code if closed.rcvd else None
    if code not in SERVER_ENDS:
        raise httpx.RemoteProtocolError(f"the events broke off: {closed}") from closed
