"""A crawl's requests shared out among workers, each answer kept as soon as it is there.

Every worker walks the same levels in the same order and so adds the same keys; who asks for which is a
matter of leases, and all end with the same answers. A worker that was killed leaves at most its batch to be
asked for again.
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import msgspec

from kindling.ports.frontier import Frontier

log = logging.getLogger(__name__)

A = TypeVar("A")

#: Seconds that a worker's death goes unnoticed at most, and how often it renews its leases meanwhile.
LEASE_S = 15.0
_RENEWALS = 3
#: Batches that one lease chooses from; those of a level far ahead are not even looked at.
_BATCHES = 4
#: Seconds between two looks at what other workers are at.
_LOOK_S = 0.1


@dataclass(frozen=True)
class Work(Generic[A]):
    """One kind of request: how to do it, what its answers are, and which of them the next attempt repeats."""

    kind: str
    answer: type[A]
    do: Callable[[Sequence[str]], Awaitable[dict[str, A]]]
    passing: Callable[[A], bool]


class Sharing(Protocol):
    """Has a level's addresses asked for, by this worker or by others."""

    async def answers(self, urls: Sequence[str], work: Work[A]) -> dict[str, A]:
        """An answer for each address."""
        ...


class Alone:
    """No other worker, nothing kept: for a crawl without a frontier."""

    async def answers(self, urls: Sequence[str], work: Work[A]) -> dict[str, A]:
        """All of them, asked for at once."""
        return await work.do(urls) if urls else {}


@dataclass
class Shared:
    """Over a frontier. `batch` addresses are leased at once, and are what a death repeats at most."""

    frontier: Frontier
    crawl: str
    batch: int = 32
    lease_s: float = LEASE_S
    worker: str = field(default_factory=lambda: uuid.uuid4().hex)

    async def answers(self, urls: Sequence[str], work: Work[A]) -> dict[str, A]:
        """An answer for each address, whoever got it; the same for all workers."""
        url_of = {f"{work.kind} {url}": url for url in urls}
        found = await self._settled(url_of, work)
        missing = [key for key in url_of if key not in found]
        if found:
            log.info("%d answers (%s) were there already", len(found), work.kind)
        if missing:
            await asyncio.to_thread(self.frontier.add, self.crawl, missing)
        async with self._renewing():
            while missing:
                if not await self._work_off(missing, url_of, work):
                    await asyncio.sleep(_LOOK_S)
                found |= await self._settled(missing, work)
                missing = [key for key in missing if key not in found]
        return {url: found[key] for key, url in url_of.items()}

    async def _work_off(
        self, keys: Sequence[str], url_of: dict[str, str], work: Work[A]
    ) -> bool:
        """Do what can be leased of these, batch after batch; whether there was anything."""
        worked = False
        step = self.batch * _BATCHES
        for start in range(0, len(keys), step):
            near = keys[start : start + step]
            while leased := await self._lease(near):
                worked = True
                answers = await work.do([url_of[key] for key in leased])
                await self._settle(
                    {key: answers[url_of[key]] for key in leased}, work.passing
                )
        return worked

    async def _lease(self, keys: Sequence[str]) -> list[str]:
        return await asyncio.to_thread(
            self.frontier.lease,
            self.crawl,
            self.worker,
            keys,
            self.batch,
            self.lease_s,
        )

    async def _settle(
        self, answers: dict[str, A], passing: Callable[[A], bool]
    ) -> None:
        results = {key: msgspec.msgpack.encode(one) for key, one in answers.items()}
        again = [key for key, one in answers.items() if passing(one)]
        await asyncio.to_thread(self.frontier.settle, self.crawl, results, again)

    async def _settled(self, keys: Iterable[str], work: Work[A]) -> dict[str, A]:
        raw = await asyncio.to_thread(self.frontier.settled, self.crawl, list(keys))
        return {
            key: msgspec.msgpack.decode(value, type=work.answer)
            for key, value in raw.items()
        }

    @asynccontextmanager
    async def _renewing(self) -> AsyncIterator[None]:
        """Keep this worker's leases while it works, for one page may take longer than a lease."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(self.lease_s / _RENEWALS)
                await asyncio.to_thread(
                    self.frontier.renew, self.crawl, self.worker, self.lease_s
                )

        renewal = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewal.cancel()
            with suppress(asyncio.CancelledError):
                await renewal
