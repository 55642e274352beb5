"""What changed while the server ran, as a stream that can be taken up where it was left."""

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from kindling.serving.refusals import Refused

#: Events that a client who comes back can still be told.
KEPT = 1000
#: Seconds after which a silent stream sends a comment, so that nobody between closes it.
ALIVE_S = 15.0
#: Streams at once; each holds a connection.
MAX_STREAMS = 64

#: Parts of the worker's beat that an event is made of when they change.
WATCHED = ("model_version", "index_version", "provisional")
#: An id that a stream goes on behind.
EVENT_ID = re.compile(r"[0-9]{1,18}")

#: Id, kind, and content.
Event = tuple[int, str, dict[str, Any]]


class EventLog:
    """Newest events with rising ids. Belongs to the event loop."""

    def __init__(self, clock: Any = time.time) -> None:
        self._clock = clock
        #: Ids go on rising over a restart: a client's last id is never one of the future.
        self._last = int(clock() * 1000)
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._more = asyncio.Event()
        self._seen: dict[str, Any] = {}
        self._ended = False
        self.streams = 0

    def add(self, kind: str, content: dict[str, Any]) -> None:
        """Tell everybody who listens."""
        self._last += 1
        at = round(self._clock(), 3)
        self._kept.append((self._last, kind, {"at": at, **content}))
        self._wake()

    def end(self) -> None:
        """Let every stream end; the server stops and waits for them."""
        self._ended = True
        self._wake()

    def look(self, state: dict[str, Any] | None) -> None:
        """Make events of what differs from the look before; `state` is the worker's beat."""
        worker = {"up": state is not None}
        self._compare("worker", worker)
        if state is None:
            return
        self._compare("serving", {name: state["versions"][name] for name in WATCHED})
        self._compare("search", {"search": state["search"]})

    def _compare(self, kind: str, now: dict[str, Any]) -> None:
        if self._seen.get(kind) != now:
            self._seen[kind] = now
            self.add(kind, now)

    async def after(self, last: int | None) -> AsyncIterator[Event | None]:
        """Events behind an id (None: what is kept), then each as it comes; None to stay alive.

        A client that reads more slowly than events come is told of the gap like one that was away.
        """
        first = self._kept[0][0] - 1 if self._kept else self._last
        # Behind an id that was never given everything is new, when it comes.
        sent = first if last is None else min(last, self._last)
        self.streams += 1
        try:
            while not self._ended:
                more = self._more
                if self._lost(sent):
                    gap = {"at": round(self._clock(), 3), "after": sent}
                    sent = self._kept[0][0] - 1
                    yield sent, "gap", gap
                    continue
                for event in [one for one in self._kept if one[0] > sent]:
                    if self._lost(sent):
                        break
                    yield event
                    sent = event[0]
                else:
                    if not await _within(more, ALIVE_S):
                        yield None
        finally:
            self.streams -= 1

    def _wake(self) -> None:
        self._more.set()
        self._more = asyncio.Event()

    def _lost(self, sent: int) -> bool:
        """Whether events behind the id are not kept any more, or were of a server before."""
        return bool(self._kept) and sent < self._kept[0][0] - 1


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def last_seen(header: str | None, query: str | None) -> int | None:
    """The id to go on behind, of `Last-Event-ID` or else of `after`; None where neither is given.

    Refused where `after` is no id. A header that is none is ignored, as browsers send it alone.
    """
    if header is not None and EVENT_ID.fullmatch(header):
        return int(header)
    if query is None:
        return None
    if not EVENT_ID.fullmatch(query):
        raise Refused(
            422,
            "invalid_field",
            f"after: {query[:40]!r} is no event's id; wanted digits",
        )
    return int(query)


def line(event: Event | None) -> bytes:
    """As server-sent events are written."""
    if event is None:
        return b": alive\n\n"
    number, kind, content = event
    data = json.dumps(content, separators=(",", ":"))
    return f"id: {number}\nevent: {kind}\ndata: {data}\n\n".encode()
