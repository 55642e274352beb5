"""What the policy chooses among, and what it knows of each choice."""

from dataclasses import dataclass
from typing import Literal

Action = Literal["new", "deeper", "retry", "rest"]

#: Actions that ask for pages; `rest` asks for none.
FETCHING: tuple[Action, ...] = ("new", "deeper", "retry")


@dataclass(frozen=True, order=True)
class Arm:
    """One choice: pages never seen, pages seen before, pages that failed, or none, of one source."""

    source: str
    action: Action

    def __str__(self) -> str:
        return f"{self.source} {self.action}"


@dataclass(frozen=True)
class Observation:
    """What an arm brought in one night."""

    arm: Arm
    #: Nights since then, from 1.
    age: int
    requests: int
    #: In the unit that the policy minds: requests or CPU seconds.
    cost: float
    #: Rows that dedupe kept and no earlier night had.
    rows: int


@dataclass(frozen=True)
class Candidate:
    """An arm that could be chosen tonight, and how many pages it could ask for at most."""

    arm: Arm
    pages: int
