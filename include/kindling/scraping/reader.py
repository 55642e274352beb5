"""Reads pages in a process of its own, with a time limit.

Parsers take quadratic time on some documents, and native code can crash: such a page costs its budget and a
new process, not the run. Beside that, reading uses one core while fetching uses another.
"""

import asyncio
import multiprocessing
import signal
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Self

from kindling.errors import KindlingError
from kindling.scraping.extract import extract
from kindling.scraping.findings import Extraction, Links
from kindling.scraping.mapping import Mapping

# Not fork: the process that starts this one has threads.
_SPAWN = multiprocessing.get_context("spawn")
_READY = "ready"
_START_S = 60.0


class Reader:
    """`extract` behind a pipe; one page at a time, `budget_s` seconds each."""

    def __init__(self, mapping: Mapping, budget_s: float = 20.0) -> None:
        self._mapping, self._budget_s = mapping, budget_s
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop()

    @property
    def pid(self) -> int | None:
        """The process that reads; None before the first page."""
        return self._process.pid if self._process else None

    async def read(self, body: bytes, url: str, content_type: str = "") -> Extraction:
        """The page's findings; an empty extraction with the problem where the page cannot be read."""
        async with self._turn:
            return await asyncio.to_thread(self._ask, body, url, content_type)

    def _ask(self, body: bytes, url: str, content_type: str) -> Extraction:
        pipe = self._pipe or self._start()
        try:
            pipe.send((body, url, content_type))
            if pipe.poll(self._budget_s):
                return pipe.recv()
            problem = f"not read within {self._budget_s:g} s"
        except (EOFError, ConnectionError):
            problem = "the parser's process died"
        self._stop()
        return Extraction(None, (), Links(), problems=(problem,))

    def _start(self) -> Connection:
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(
            target=_serve, args=(theirs, self._mapping), daemon=True
        )
        self._process.start()
        theirs.close()
        # A process that never comes up is no page's fault.
        if not self._pipe.poll(_START_S) or not self._greeted():
            self._stop()
            raise KindlingError(
                f"the page reader's process does not start within {_START_S:g} s"
            )
        return self._pipe

    def _greeted(self) -> bool:
        try:
            return self._pipe is not None and self._pipe.recv() == _READY
        except (EOFError, ConnectionError):
            return False

    def _stop(self) -> None:
        if self._process is not None and self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
            self._process.close()
        self._process = self._pipe = None


def _serve(pipe: Connection, mapping: Mapping) -> None:
    """Answer until the other side is gone."""
    # Ctrl-C goes to the whole group; the parent decides what becomes of this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe.send(_READY)
    while True:
        try:
            body, url, content_type = pipe.recv()
        except EOFError:
            return
        pipe.send(extract(body, url, mapping, content_type))
