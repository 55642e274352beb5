"""Bodies are read within a deadline, a size, and a sum over all requests under way."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from kindling.serving.refusals import Refused

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

#: Bytes of all bodies under way.
PARKED_BYTES = 96_000_000
#: Seconds for a whole body.
BODY_S = 15.0
#: Bytes of a body by path; photos come to `/analyze`.
MAX_BYTES = {"/analyze": 15_000_000, "/analyze/batch": 15_000_000}
MAX_OTHER_BYTES = 256_000


class ParkedBytes:
    """Bytes that have arrived for requests without an answer."""

    def __init__(self, most: int = PARKED_BYTES) -> None:
        self.most, self.now = most, 0


class BoundedBody:
    """An ASGI `receive` that refuses what is too large, too slow, or too much at once."""

    def __init__(self, receive: Receive, path: str, parked: ParkedBytes) -> None:
        self._receive, self._parked = receive, parked
        self._most = MAX_BYTES.get(path, MAX_OTHER_BYTES)
        self._until = time.monotonic() + BODY_S
        self._done = False
        self.bytes = 0

    async def __call__(self) -> Message:
        if self._done:
            # Waits for the client to leave; that may take as long as the answer.
            return await self._receive()
        try:
            async with asyncio.timeout(self._until - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            raise Refused(
                408,
                "body_too_slow",
                f"the body did not arrive in {BODY_S:g} s",
                close=True,
            ) from None
        self._count(len(message.get("body", b"")))
        self._done = not message.get("more_body", False)
        return message

    def release(self) -> None:
        self._parked.now -= self.bytes
        self.bytes = 0

    def _count(self, arrived: int) -> None:
        self.bytes += arrived
        self._parked.now += arrived
        if self.bytes > self._most:
            raise Refused(
                413,
                "body_too_large",
                f"the body is over {self._most:,} bytes",
                close=True,
            )
        if self._parked.now > self._parked.most:
            raise Refused(
                503,
                "busy",
                "the bodies of other requests take all the memory there is for them",
                retry_s=2,
                close=True,
            )
