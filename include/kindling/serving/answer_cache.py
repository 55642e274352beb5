"""One computation for many equal questions: those under way are joined, those answered kept."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from kindling.ports.answers import SharedAnswers

ENTRIES = 4096

Answer = dict[str, Any]


class AnswerCache:
    """Newest answers by key. The key holds the versions, so a swap leaves nothing stale."""

    def __init__(
        self, entries: int = ENTRIES, shared: SharedAnswers | None = None
    ) -> None:
        self._entries, self._shared = entries, shared
        self._kept: OrderedDict[Hashable, Answer] = OrderedDict()
        self._under_way: dict[Hashable, asyncio.Future[Answer]] = {}
        self.hits = self.misses = self.joined = self.shared_hits = 0

    def __len__(self) -> int:
        return len(self._kept)

    async def get(
        self,
        key: Hashable,
        compute: Callable[[], Awaitable[Answer]],
        keep: Callable[[Answer], bool],
    ) -> Answer:
        """The answer to the key; `compute` is called where nobody has asked or is asking.

        An error is given to everybody who waits for it and is not kept.
        """
        kept = self._kept.get(key)
        if kept is not None:
            self.hits += 1
            self._kept.move_to_end(key)
            return kept
        under_way = self._under_way.get(key)
        if under_way is not None:
            self.joined += 1
            # Shielded: a client that leaves does not end the others' answer.
            return await asyncio.shield(under_way)
        self.misses += 1
        return await asyncio.shield(self._start(key, compute, keep))

    async def _made(
        self,
        key: Hashable,
        compute: Callable[[], Awaitable[Answer]],
        keep: Callable[[Answer], bool],
    ) -> Answer:
        """Another server's answer where it is shared, else a new one."""
        if self._shared is None:
            return await compute()
        name = hashlib.sha256(repr(key).encode()).hexdigest()
        found = await self._shared.find(name)
        if found is not None:
            self.shared_hits += 1
            return found
        answer = await compute()
        if keep(answer):
            await self._shared.keep(name, answer)
        return answer

    def _start(
        self,
        key: Hashable,
        compute: Callable[[], Awaitable[Answer]],
        keep: Callable[[Answer], bool],
    ) -> "asyncio.Future[Answer]":
        async def run() -> Answer:
            try:
                answer = await self._made(key, compute, keep)
            finally:
                del self._under_way[key]
            if keep(answer):
                self._kept[key] = answer
                while len(self._kept) > self._entries:
                    self._kept.popitem(last=False)
            return answer

        task = self._under_way[key] = asyncio.ensure_future(run())
        # Where every client has left, nobody asks for the error.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task
