"""How many rows each cell of the grid lacks, and who goes short when not all can be made."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from kindling.ports.generation import Cell
from kindling.records import SENTIMENTS, Review, sentiment_of


def grid(categories: Iterable[str]) -> list[Cell]:
    """All cells of these categories, ordered."""
    return sorted(
        Cell(category, sentiment)
        for category in set(categories)
        for sentiment in SENTIMENTS
    )


def deficits(
    cells: Sequence[Cell], real: Iterable[Review], target: int
) -> dict[Cell, int]:
    """Rows that each cell lacks to `target` real ones."""
    present = Counter(
        Cell(review.category, sentiment_of(review.rating)) for review in real
    )
    return {cell: max(0, target - present[cell]) for cell in cells}


def spread(wanted: Mapping[Cell, int], budget: int) -> dict[Cell, int]:
    """Max-min fair shares: cells are filled to one level, and those that lack less leave theirs to the rest."""
    shares = dict.fromkeys(wanted, 0)
    open_cells = sorted(
        (cell for cell in wanted if wanted[cell]), key=lambda cell: (wanted[cell], cell)
    )
    for number, cell in enumerate(open_cells):
        left = len(open_cells) - number
        shares[cell] = min(wanted[cell], -(-budget // left))
        budget -= shares[cell]
    return shares
