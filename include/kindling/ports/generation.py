"""What a writer of reviews and an editor of photos must do.

A writer is a module that holds `Options` (a pydantic model) and `writer(options, material)`;
an editor one that holds `Options` and `editor(options, material)`. `kindling.extensions`
finds them by file name in `kindling/synthesis/writers/` and `kindling/synthesis/editors/`,
or by entry points of the groups `kindling.writers` and `kindling.editors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from kindling.ports.llm import Llm
from kindling.records import Condition, Product, Review, Sentiment


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
    #: Real train-split reviews whose words it uses; empty for a writer that uses none.
    source_review_ids: tuple[str, ...] = ()
    #: Aspects that its sentences speak of.
    aspects: tuple[str, ...] = ()
    #: What was asked for, by name, where the writer asked: recorded with the row.
    attributes: Mapping[str, str] = field(default_factory=dict)

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
    #: Share of the object that looks different from its intact twin; None where the
    #: condition is intact or the editor has no twin to hold it against.
    changed: float | None = None
    #: False where a person could not see the change: such a photo is no label.
    visible: bool = True
    #: How often the change was drawn until it could be seen, or was given up.
    attempts: int = 1


@dataclass(frozen=True)
class Material:
    """What a writer or an editor may learn from: real rows of the train split, nothing else."""

    reviews: Sequence[Review]
    products: Sequence[Product]
    seed: int
    #: The language model that the environment names; None where it names none.
    llm: Llm | None = None


class Writer(Protocol):
    """Writes reviews for a cell."""

    #: Name and version, recorded with every row that it wrote.
    name: str

    def write(
        self, cell: Cell, count: int, rng: np.random.Generator
    ) -> Sequence[Draft]:
        """Up to `count` drafts; none when it has nothing to say for the cell.

        BudgetSpent when not one more draft can be paid for.
        """
        ...

    def obstacle(self, cell: Cell) -> str:
        """Why the cell cannot be written for; empty when nothing speaks against it."""
        ...

    def fault(self, cell: Cell, draft: Draft) -> tuple[str, str]:
        """A rule of this writer's own that the draft breaks: (reason, detail), else ("", "")."""
        ...

    @property
    def provenance(self) -> Mapping[str, str]:
        """What made the drafts: model, prompt id and hash, where there are such."""
        ...


class Editor(Protocol):
    """Makes photos of a wanted condition."""

    #: Name and version, recorded with every row whose photo it made.
    name: str

    def edit(
        self,
        photo: bytes,
        condition: Condition,
        rng: np.random.Generator,
        subject: str = "",
    ) -> EditedPhoto:
        """The photo's object in that condition; DataError when the bytes are no image.

        `subject` says in words what is shown, such as category and product name: cloth does
        not crack. From equal generators, the results for two conditions differ in the damage
        and in nothing else.
        """
        ...

    @property
    def provenance(self) -> Mapping[str, str]:
        """What made the photos: weights and settings, where there are such."""
        ...
