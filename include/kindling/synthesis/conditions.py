"""Which synthetic rows get a photo, and what it shows."""

from dataclasses import dataclass

import numpy as np

from kindling.ports.generation import Cell
from kindling.records import CONDITIONS, Condition

DAMAGED: tuple[Condition, ...] = tuple(
    condition for condition in CONDITIONS if condition != "intact"
)


@dataclass(frozen=True)
class PhotoPlan:
    """What one row's photo shows; no condition, no photo."""

    condition: Condition | None


def plan(
    cell: Cell, rows: int, photo_share: float, rng: np.random.Generator
) -> list[PhotoPlan]:
    """A plan for each row of a cell, in random order; shares are met to the row, kinds of damage evenly.

    Complaints come with damage and praise with an intact product; of neutral rows every other one
    shows damage. No photo contradicts its text: late fusion has one weight for each side, so pairs
    that disagree on purpose would teach it nothing.
    """
    pictured = round(photo_share * rows)
    plans = [PhotoPlan(None)] * (rows - pictured)
    first = int(rng.integers(len(DAMAGED)))
    for number in range(pictured):
        plans.append(PhotoPlan(_condition(cell, first, number)))
    return [plans[index] for index in rng.permutation(rows)]


def _condition(cell: Cell, first: int, number: int) -> Condition:
    if cell.sentiment == "positive":
        return "intact"
    if cell.sentiment == "neutral":
        if number % 2:
            return "intact"
        number //= 2
    return DAMAGED[(first + number) % len(DAMAGED)]
