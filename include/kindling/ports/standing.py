"""What outlives a run: facts by topic and key, appended one at a time and never changed.

Rows of a run are committed by the runner in one piece and replaced by a retry. A call to a
language model that was paid for, a page that was fetched or a person's verdict must survive
the stage that learned of it, so it is written here at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class Fact:
    """One entry of a topic. `number` grows within the store, so that readers can go on."""

    number: int
    topic: str
    key: str
    value: Mapping[str, Any]
    at: datetime


class StandingStore(Protocol):
    """Append-only memory. Every method is one transaction of its own."""

    def append(self, topic: str, key: str, value: Mapping[str, Any]) -> Fact:
        """Add a fact; a key may have many, of which the newest counts."""
        ...

    def put_once(self, topic: str, key: str, value: Mapping[str, Any]) -> Fact:
        """The key's first fact: this one, or the one that came before it.

        Of two writers at once exactly one wins, and both are given the winner's.
        """
        ...

    def get(self, topic: str, key: str) -> Fact | None:
        """The key's newest fact."""
        ...

    def read(self, topic: str, after: int = 0) -> Iterator[Fact]:
        """All facts of the topic in the order they were added, from behind `after`."""
        ...

    def latest(self, topic: str) -> dict[str, Fact]:
        """The newest fact of every key of the topic."""
        ...
