"""Notices in the process in front that the worker hangs or is gone, and fails what it had.

LitServe's own watch runs in another process than the requests, so a dead worker's clients
waited for their time-out. Here a worker's death is read from its process descriptor at once,
and a worker that stops beating, or is busy with one batch for too long, is killed; LitServe
starts the next.
"""

import asyncio
import logging
import os
import queue
import signal
import time
from collections.abc import Callable
from typing import Any

from litserve.utils import LitAPIStatus, ResponseBufferItem

from kindling.serving.refusals import Refused
from kindling.serving.worker import BEAT

#: Seconds without a beat, and seconds in one batch, after which a worker counts as hung.
SILENT_S = 6.0
STUCK_S = 20.0
LOOK_EVERY_S = 0.25
#: Seconds that a new worker takes to load: what clients are told to wait.
START_S = 5

log = logging.getLogger(__name__)


class WorkerWatch:
    """What is known of the worker from its beats. Lives in the event loop of the requests."""

    def __init__(
        self, waiting: dict[Any, ResponseBufferItem], request_queue: Any
    ) -> None:
        self._waiting, self._request_queue = waiting, request_queue
        self._item = waiting[BEAT] = ResponseBufferItem(event=asyncio.Event())
        self._state: dict[str, Any] | None = None
        self._heard_at = 0.0
        self._lost: set[int] = set()
        self.workers_lost = 0

    @property
    def state(self) -> dict[str, Any] | None:
        """The newest beat of a worker that lives; None while there is none."""
        return self._state

    async def run(self, seen: Callable[[dict[str, Any] | None], None]) -> None:
        """Look until cancelled; beats arrive between two looks. `seen` is told what each finds."""
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._item.event.wait()
            except TimeoutError:
                pass
            else:
                self._item.event.clear()
                self._heard(self._item.response[0])
            self._judge()
            seen(self._state)

    def _heard(self, state: dict[str, Any]) -> None:
        pid = state["pid"]
        if pid in self._lost:
            return  # Sent before it died, read after.
        if self._state is None or self._state["pid"] != pid:
            self._follow(pid)
        self._state, self._heard_at = state, time.monotonic()

    def _follow(self, pid: int) -> None:
        """Be told of this process's end by the kernel."""
        try:
            descriptor = os.pidfd_open(pid)
        except OSError as error:
            log.warning("worker %d cannot be followed: %s", pid, error)
            return
        loop = asyncio.get_running_loop()

        def ended() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            self._gone(pid, "ended")

        loop.add_reader(descriptor, ended)

    def _judge(self) -> None:
        if self._state is None:
            return
        silent = time.monotonic() - self._heard_at
        pid, busy = self._state["pid"], self._state["busy_s"]
        if silent > SILENT_S or busy > STUCK_S:
            reason = (
                f"silent for {silent:.1f} s"
                if silent > SILENT_S
                else f"busy with one batch for {busy:.1f} s"
            )
            self._gone(pid, reason)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def _gone(self, pid: int, reason: str) -> None:
        if pid in self._lost:
            return
        self._lost.add(pid)
        self.workers_lost += 1
        self._state = None
        self._drop_queued()
        lost = Refused(
            503, "worker_lost", "the model's process ended; ask again", retry_s=START_S
        )
        failed = 0
        for key, item in self._waiting.items():
            if key != BEAT and not item.event.is_set():
                item.response = (lost, LitAPIStatus.ERROR)
                item.event.set()
                failed += 1
        log.error("worker %d %s; %d requests failed", pid, reason, failed)

    def _drop_queued(self) -> None:
        """Nobody waits for these any more; the next worker is not to begin with them."""
        drop: Callable[[], Any] = self._request_queue.get_nowait
        while True:
            try:
                drop()
            except queue.Empty:
                return
