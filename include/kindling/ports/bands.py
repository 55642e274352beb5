"""Texts that stand for their copies, findable by keys, over all nights."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kindling.records import Sentiment


@dataclass(frozen=True)
class BandRow:
    """A text that stands for its copies. `keys` are uint64; two copies share one at least."""

    review_id: str
    folded: str
    scope: str
    sentiment: Sentiment
    #: uint16 little-endian, None for a short text.
    signature: bytes | None
    keys: Sequence[int] = ()
    #: Which words of the review these are.
    version: bytes = b""
    #: Whether a model may have learned from it.
    learned: bool = False


class BandStore(Protocol):
    """Rows by space (a recipe and its rules of likeness) and night, in the order in which they came."""

    def add(self, space: str, run_id: str, rows: Iterable[BandRow]) -> None:
        """Add a night's rows; one whose review is there in the same version is left as it is."""
        ...

    def learn(self, space: str, review_ids: Collection[str]) -> None:
        """Note that models may have learned from the reviews."""
        ...

    def candidates(
        self, space: str, keys: np.ndarray, besides: str = ""
    ) -> list[BandRow]:
        """Rows that share one of the keys (uint64), without their keys, oldest first.

        Of a key that many rows have, the first 50 are given. Those of the night `besides` are
        left out.
        """
        ...

    def learned(self, spaces: str, besides: str) -> Iterator[BandRow]:
        """Rows that were learned from, of all spaces whose names begin so and all other nights."""
        ...

    def of_review(self, spaces: str, review_id: str) -> list[BandRow]:
        """A review's rows in all spaces whose names begin so, the newest first."""
        ...

    def forget_night(self, space: str, run_id: str) -> None:
        """Take out what the night added."""
        ...

    def remove(self, space: str, review_ids: Iterable[str]) -> None:
        """Take rows out; unknown ids are ignored."""
        ...
