"""How large the cold-start curve is drawn, and what its lines are."""

from dataclasses import dataclass

#: Real niche rows of the last point: all that a draw may learn from.
ALL = -1

ZERO = "zero-shot"
SEEDS = "seeds only"
NEIGHBOURS = "neighbours only"
SYNTHETIC = "synthetic only"
REAL = "seeds + neighbours"
WITH = "seeds + neighbours + synthetic"
AGAIN = "seeds + neighbours + real rows again"
FEW_SHOT = "few-shot head"
ADMITTED = "as admission decides"

#: Line -> what it learns from.
LINES = {
    ZERO: "no row: nearness to sentences that say the sentiment, or a language model asked",
    SEEDS: "the real niche rows",
    NEIGHBOURS: "real rows of other categories",
    SYNTHETIC: "generated rows alone",
    REAL: "real rows of the niche and of other categories",
    WITH: "the same and generated rows",
    AGAIN: "the same and, for each generated row, a real one of its kind once more",
    FEW_SHOT: "the real niche rows, by contrastive pairs and then a head (SetFit's way)",
    ADMITTED: "with the generated rows where admission lets them in, else without",
}

#: What is compared with what at each point: the answer's name, a line, and the line below it.
COMPARISONS = {
    "synthesis": (WITH, REAL),
    "synthesis over real rows again": (WITH, AGAIN),
    # Against what it was cut from: over seeds alone it wins by the words of the neighbours.
    "synthesis alone": (SYNTHETIC, REAL),
    "neighbours": (REAL, SEEDS),
    "few-shot head": (FEW_SHOT, SEEDS),
    "admission": (ADMITTED, REAL),
}


@dataclass(frozen=True)
class Plan:
    """The size of the curve: it decides the time that it takes."""

    #: Numbers of real niche rows.
    points: tuple[int, ...] = (0, 10, 50, 200)
    #: Draws of products, of seeds and of generated rows.
    draws: int = 5
    #: Real rows of other categories, and of the niche, that take part at most.
    neighbours: int = 1500
    niche_rows: int = 1500
    #: What a generated row counts in training, against 1 for a real one.
    weight: float = 0.5
    #: Rows asked of a generator for each category and sentiment.
    rows_a_cell: int = 20
    #: Whether the few-shot line and the admission line are drawn.
    few_shot: bool = True
    admission: bool = True
    seed: int = 0


def point_name(real_rows: int) -> str:
    """How a point is called in print."""
    return "all" if real_rows == ALL else str(real_rows)
