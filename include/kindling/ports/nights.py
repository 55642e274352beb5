"""Runs of the whole loop, begun and watched from outside of the scheduler that does them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Night:
    """One run as the scheduler tells it."""

    run_id: str
    #: queued, running, success or failed.
    state: str
    #: The stage under way, or the one that failed; None before the first and after the last.
    stage: str | None
    #: Stages that have ended well, and all of them.
    done: int
    stages: int
    #: Seconds since it began; None while it is queued.
    elapsed_s: float | None
    #: Seconds until it ends, by the runs before it; None where none has succeeded yet.
    left_s: float | None


class Nights(Protocol):
    """Every method: TransientError where the scheduler is away, DataError for an unknown run,
    KindlingError with its words where it refuses."""

    def start(self, run_id: str, parameters: Mapping[str, Any]) -> Night:
        """Begin a run under an id of the caller's; the same id again is the same run."""
        ...

    def find(self, run_id: str) -> Night: ...

    def cancel(self, run_id: str) -> Night:
        """End it; its stages are told by their next heartbeat."""
        ...

    def again(self, stage: str) -> Night:
        """Let the newest run that succeeded do one stage again."""
        ...
