"""Reviews that stay and stand for their copies, as columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

import numpy as np

from kindling.records import Sentiment


class Leader(NamedTuple):
    """A review that stays and stands for its copies; what later nights compare new reviews with."""

    review_id: str
    folded: str
    #: The product for a short text, nothing for a long one: texts are compared within a scope.
    scope: str
    sentiment: Sentiment
    #: uint16 [permutations] of a long text, None for a short one.
    signature: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Leaders(Sequence[Leader]):
    """Leaders in the order in which they were decided."""

    review_ids: list[str]
    folded: list[str]
    scopes: list[str]
    sentiments: list[Sentiment]
    #: Row of each one's signature, int64; -1 for a short text.
    rows: np.ndarray
    #: uint16 [any number, permutations].
    signature: np.ndarray

    @classmethod
    def of(cls, leaders: Iterable[Leader], permutations: int) -> "Leaders":
        """The leaders as columns."""
        if isinstance(leaders, Leaders):
            return leaders
        some = list(leaders)
        long = np.array([one.signature is not None for one in some], bool)
        signed = [one.signature for one in some if one.signature is not None]
        return cls(
            [one.review_id for one in some],
            [one.folded for one in some],
            [one.scope for one in some],
            [one.sentiment for one in some],
            np.where(long, np.cumsum(long) - 1, -1),
            np.array(signed, np.uint16).reshape(len(signed), permutations),
        )

    def __len__(self) -> int:
        return len(self.review_ids)

    @overload
    def __getitem__(self, index: int) -> Leader: ...
    @overload
    def __getitem__(self, index: slice) -> "Leaders": ...
    def __getitem__(self, index: int | slice) -> "Leader | Leaders":
        if isinstance(index, slice):
            return self.some(range(len(self))[index])
        row = int(self.rows[index])
        return Leader(
            self.review_ids[index],
            self.folded[index],
            self.scopes[index],
            self.sentiments[index],
            None if row < 0 else self.signature[row],
        )

    def some(self, places: Iterable[int]) -> "Leaders":
        """Those at the places; the signatures are shared."""
        places = list(places)
        return Leaders(
            [self.review_ids[one] for one in places],
            [self.folded[one] for one in places],
            [self.scopes[one] for one in places],
            [self.sentiments[one] for one in places],
            self.rows[places] if places else np.empty(0, np.int64),
            self.signature,
        )

    def joined(self, others: "Leaders") -> "Leaders":
        """These and, behind them, the others."""
        rows = np.where(others.rows < 0, -1, others.rows + len(self.signature))
        return Leaders(
            self.review_ids + others.review_ids,
            self.folded + others.folded,
            self.scopes + others.scopes,
            self.sentiments + others.sentiments,
            np.concatenate([self.rows, rows]),
            np.concatenate([self.signature, others.signature]),
        )
