"""Turns for one host, so that all that ask it keep the distance that it wants."""

import asyncio
import time
from collections.abc import Awaitable, Callable

Sleep = Callable[[float], Awaitable[None]]


class Pace:
    """Turns `delay_s` apart, shared by everything that asks one host."""

    def __init__(
        self,
        delay_s: float,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.delay_s = delay_s
        self._sleep, self._clock, self._next = sleep, clock, 0.0

    async def turn(self) -> None:
        """Wait until the host may be asked again."""
        if self.delay_s <= 0:
            return
        now = self._clock()
        mine = max(now, self._next)
        self._next = mine + self.delay_s
        if mine > now:
            await self._sleep(mine - now)
