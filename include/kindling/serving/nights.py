"""Training from outside: a run of the whole loop is begun, watched and ended by whoever may."""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TypeVar

from kindling.client.schemas import TrainRequest
from kindling.errors import DataError, KindlingError, TransientError
from kindling.ports.nights import Night, Nights
from kindling.serving.refusals import Refused

DEADLINE_S = 15.0
#: What an id may look like; it goes into Airflow's path.
RUN_ID = re.compile(r"[A-Za-z0-9_.:+-]{1,100}")
ENDED = ("success", "failed")

OpenNights = Callable[[], Nights]
T = TypeVar("T")


class NightDesk:
    """Asks the scheduler from the event loop, in threads that only this uses."""

    def __init__(
        self, open_nights: OpenNights | None, changed: Callable[[Night], None]
    ) -> None:
        """`changed` is told of every run that is begun or ended here."""
        self._open, self._changed = open_nights, changed
        self._nights: Nights | None = None
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="nights")

    async def start(self, asked: TrainRequest, request_id: str) -> dict[str, Any]:
        """Begin a run; the fields of Training."""
        parameters = asked.model_dump(exclude_none=True, exclude={"train_id"})
        made = f"api__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}_{request_id[:8]}"
        run_id = asked.train_id or made
        night = await self._ask(lambda nights: nights.start(run_id, parameters))
        self._changed(night)
        return shown(night)

    async def find(self, run_id: str) -> dict[str, Any]:
        """The run as it is now; the fields of Training."""
        checked = _checked(run_id)
        return shown(await self._ask(lambda nights: nights.find(checked)))

    async def cancel(self, run_id: str) -> dict[str, Any]:
        """End it; one that has ended stays as it was."""
        checked = _checked(run_id)
        night = await self._ask(lambda nights: nights.find(checked))
        if night.state in ENDED:
            return shown(night)
        night = await self._ask(lambda nights: nights.cancel(checked))
        self._changed(night)
        return shown(night)

    async def index(self) -> dict[str, Any]:
        """Let the newest good run build its index again."""
        night = await self._ask(lambda nights: nights.again("index"))
        self._changed(night)
        return shown(night)

    async def _ask(self, question: Callable[[Nights], T]) -> T:
        if self._open is None:
            raise Refused(
                404,
                "no_scheduler",
                "this server knows no Airflow: KINDLING_AIRFLOW_URL is not set",
            )
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await loop.run_in_executor(self._threads, self._asked, question)
        except DataError as error:
            raise Refused(404, "unknown_run", str(error)) from error
        except (TransientError, TimeoutError):
            raise Refused(
                503, "scheduler_unavailable", "Airflow does not answer now", retry_s=10
            ) from None
        except KindlingError as error:
            raise Refused(422, "scheduler_refused", str(error)) from error

    def _asked(self, question: Callable[[Nights], T]) -> T:
        if self._nights is None:
            assert self._open is not None
            self._nights = self._open()
        return question(self._nights)


def shown(night: Night) -> dict[str, Any]:
    """The fields of Training."""
    fields = asdict(night)
    return {"train_id": fields.pop("run_id"), **fields}


def _checked(run_id: str) -> str:
    if not RUN_ID.fullmatch(run_id):
        raise Refused(404, "unknown_run", "no run has an id like this")
    return run_id
