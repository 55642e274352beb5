"""What changed while the server ran, as a stream that can be taken up where it was left."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

#: Events that a client who comes back can still be told.
KEPT = 1000
#: Seconds after which a silent stream sends a comment, so that nobody between closes it.
ALIVE_S = 15.0
#: Streams at once; each holds a connection.
MAX_STREAMS = 64

#: Parts of the worker's beat that an event is made of when they change.
WATCHED = ("model_version", "index_version", "provisional")


class EventLog:
    """Newest events with rising ids. Belongs to the event loop."""

    def __init__(self, clock: Any = time.time) -> None:
        self._clock = clock
        #: Ids go on rising over a restart: a client's last id is never one of the future.
        self._last = int(clock() * 1000)
        self._kept: deque[tuple[int, str, dict[str, Any]]] = deque(maxlen=KEPT)
        self._more = asyncio.Event()
        self._seen: dict[str, Any] = {}
        self.streams = 0

    def add(self, kind: str, content: dict[str, Any]) -> None:
        """Tell everybody who listens."""
        self._last += 1
        at = round(self._clock(), 3)
        self._kept.append((self._last, kind, {"at": at, **content}))
        self._more.set()
        self._more = asyncio.Event()

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

    async def after(
        self, last: int | None
    ) -> AsyncIterator[tuple[int, str, dict[str, Any]] | None]:
        """Events behind an id (None: what is kept), then each as it comes; None to stay alive."""
        sent = last if last is not None else 0
        if self._lost(sent) and last is not None:
            gap = {"at": round(self._clock(), 3), "after": last}
            yield self._kept[0][0] - 1, "gap", gap
        self.streams += 1
        try:
            while True:
                more = self._more
                for event in [one for one in self._kept if one[0] > sent]:
                    yield event
                    sent = event[0]
                try:
                    async with asyncio.timeout(ALIVE_S):
                        await more.wait()
                except TimeoutError:
                    yield None
        finally:
            self.streams -= 1

    def _lost(self, sent: int) -> bool:
        """Whether events behind the id are not kept any more, or were of a server before."""
        return bool(self._kept) and sent < self._kept[0][0] - 1


def line(event: tuple[int, str, dict[str, Any]] | None) -> bytes:
    """As server-sent events are written."""
    if event is None:
        return b": alive\n\n"
    number, kind, content = event
    data = json.dumps(content, separators=(",", ":"))
    return f"id: {number}\nevent: {kind}\ndata: {data}\n\n".encode()
