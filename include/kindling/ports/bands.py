"""Texts that stand for their copies, findable by keys, over all nights."""

from collections.abc import Iterable, Sequence
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


class BandStore(Protocol):
    """Rows by space (a recipe and its rules of likeness), in the order in which they came."""

    def add(self, space: str, rows: Iterable[BandRow]) -> None:
        """Add rows; one whose review is there already is left as it is."""
        ...

    def candidates(self, space: str, keys: np.ndarray) -> list[BandRow]:
        """Rows that share one of the keys (uint64), without their keys, oldest first.

        Of a key that many rows have, the first 50 are given.
        """
        ...

    def remove(self, space: str, review_ids: Iterable[str]) -> None:
        """Take rows out; unknown ids are ignored."""
        ...
