"""Photos are decoded in threads of their own, with a bound on the pixels under way.

A PNG of 150 kB can hold 39 million pixels. Twelve of them at once took every thread of the
default executor, which the transport to the worker needs too, and all clients waited.
"""

import asyncio
import io
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from PIL import Image

from kindling.serving.refusals import Refused

T = TypeVar("T")

THREADS = 2
#: Pixels of all requests under way; the largest photo that is read fits twice.
PIXELS = 80_000_000
#: Seconds that a photo waits for its turn and for its decoding.
DEADLINE_S = 10.0


class PixelBudget:
    """Lends pixels in the order of asking, so that a large photo is not passed for ever."""

    def __init__(self, pixels: int = PIXELS) -> None:
        self._free = self._all = pixels
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def lent(self, pixels: int) -> AsyncIterator[None]:
        """Hold pixels for as long as the block runs; TimeoutError after DEADLINE_S."""
        wanted = min(pixels, self._all)
        if self._waiting or wanted > self._free:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            entry = (wanted, turn)
            self._waiting.append(entry)
            try:
                async with asyncio.timeout(DEADLINE_S):
                    await turn
            except (TimeoutError, asyncio.CancelledError):
                if turn.done() and not turn.cancelled():
                    self._free += wanted
                elif entry in self._waiting:
                    self._waiting.remove(entry)
                self._hand_out()
                raise
        else:
            self._free -= wanted
        try:
            yield
        finally:
            self._free += wanted
            self._hand_out()

    def _hand_out(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= wanted
                turn.set_result(None)


class Decoder:
    """Runs what looks into a photo; a photo is held to the budget until its answer is given."""

    def __init__(self, budget: PixelBudget | None = None) -> None:
        self._budget = budget or PixelBudget()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="decode")

    @asynccontextmanager
    async def room(self, image: bytes | None) -> AsyncIterator[None]:
        """Room for the photo's pixels; 503 where there is none in time."""
        if image is None:
            yield
            return
        lent = self._budget.lent(pixels_of(image))
        try:
            await lent.__aenter__()
        except TimeoutError:
            raise Refused(
                503, "busy", "too many large photos are under way", retry_s=5
            ) from None
        try:
            yield
        finally:
            await lent.__aexit__(None, None, None)

    async def run(self, look: Callable[[bytes], T], image: bytes) -> T:
        """`look(image)` in a thread; 422 where it takes longer than DEADLINE_S."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await loop.run_in_executor(self._threads, look, image)
        except TimeoutError:
            raise Refused(
                422, "bad_image", f"the image was not decoded in {DEADLINE_S:g} s"
            ) from None


def pixels_of(image: bytes) -> int:
    """Pixels that the header promises; 1 where there is no header, and nothing to decode."""
    try:
        with Image.open(io.BytesIO(image)) as opened:
            return max(1, opened.width * opened.height)
    except Image.DecompressionBombError:
        # Refused before it is decoded.
        return 1
    except (OSError, SyntaxError, ValueError, EOFError, TypeError):
        return 1
