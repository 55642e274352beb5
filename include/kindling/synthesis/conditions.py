"""Which synthetic rows get a photo, what it shows, and where it contradicts the text on purpose."""

from dataclasses import dataclass

import numpy as np

from kindling.records import CONDITIONS, Condition
from kindling.synthesis.ports import Cell

DAMAGED: tuple[Condition, ...] = tuple(
    condition for condition in CONDITIONS if condition != "intact"
)


@dataclass(frozen=True)
class PhotoPlan:
    """What one row's photo shows; no condition, no photo."""

    condition: Condition | None
    consistent: bool = True


def plan(
    cell: Cell,
    rows: int,
    photo_share: float,
    conflict_share: float,
    rng: np.random.Generator,
) -> list[PhotoPlan]:
    """A plan for each row of a cell, in random order; shares are met to the row, kinds of damage evenly.

    Complaints come with damage and praise with an intact product; of neutral rows every other one
    shows damage, which contradicts nothing.
    """
    pictured = round(photo_share * rows)
    conflicts = round(conflict_share * pictured) if cell.sentiment != "neutral" else 0
    plans = [PhotoPlan(None)] * (rows - pictured)
    first = int(rng.integers(len(DAMAGED)))
    for number in range(pictured):
        conflict = number < conflicts
        damage = DAMAGED[
            (first + number // (2 if cell.sentiment == "neutral" else 1)) % len(DAMAGED)
        ]
        damaged = (
            number % 2 == 0
            if cell.sentiment == "neutral"
            else (cell.sentiment == "negative") != conflict
        )
        plans.append(PhotoPlan(damage if damaged else "intact", not conflict))
    return [plans[index] for index in rng.permutation(rows)]
