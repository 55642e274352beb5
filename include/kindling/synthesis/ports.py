"""What a writer of reviews and an editor of photos must do; the offline ones stand beside this file.

A policy backed by a language or diffusion model fits the same two methods.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kindling.records import Condition, Sentiment


@dataclass(frozen=True, order=True)
class Cell:
    """One square of the deficit grid."""

    category: str
    sentiment: Sentiment

    def __str__(self) -> str:
        return f"{self.category}/{self.sentiment}"


@dataclass(frozen=True)
class Draft:
    """A review before anyone has judged it."""

    title: str
    body: str
    rating: int
    #: Real train-split reviews whose words it uses.
    source_review_ids: tuple[str, ...]
    #: Aspects that its sentences speak of.
    aspects: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Title and body as the models read them."""
        return f"{self.title}. {self.body}" if self.title else self.body


@dataclass(frozen=True)
class EditedPhoto:
    """An encoded image, and its size in pixels."""

    data: bytes
    suffix: str
    width: int
    height: int


class TextPolicy(Protocol):
    """Writes reviews for a cell."""

    name: str

    def write(
        self, cell: Cell, count: int, rng: np.random.Generator
    ) -> Sequence[Draft]:
        """Up to `count` drafts; none when it has nothing to say for the cell."""
        ...

    @property
    def aspects(self) -> Sequence[str]:
        """What its drafts may speak of."""
        ...

    def obstacle(self, cell: Cell) -> str:
        """Why the cell cannot be written for, or only in part; empty when nothing stands against it."""
        ...


class ImagePolicy(Protocol):
    """Makes photos of a wanted condition."""

    name: str

    def edit(
        self, photo: bytes, condition: Condition, rng: np.random.Generator
    ) -> EditedPhoto:
        """The photo's object in that condition; DataError when the bytes are no image.

        From equal generators, the results for two conditions differ in the damage and in nothing else.
        """
        ...
