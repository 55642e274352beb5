"""A writer of the product as a generator of the cold-start curve."""

from collections.abc import Mapping, Sequence
from typing import Any

from kindling import extensions
from kindling.coldstart.generators import Request
from kindling.coldstart.written import Written
from kindling.ports.generation import Cell, Material
from kindling.ports.llm import Llm
from kindling.records import SENTIMENTS, Product
from kindling.synthesis.fill import fill

#: As in `SynthesizeConfig.max_copy_rate`.
_COPY = 0.6


class ByWriter:
    """Writes anew at every point from what may be known there, by the rules of `synthesize`."""

    def __init__(self, name: str, options: Mapping[str, Any], llm: Llm | None) -> None:
        """ConfigurationError for a writer or an option that is not known."""
        self.name = f"writer {name}"
        self._writer = extensions.find("writer", name)
        self._options = extensions.options("writer", name, dict(options))
        self._llm = llm

    def write(self, request: Request) -> Sequence[Written]:
        """Drafts that pass the writer's own checks and copy no review."""
        reviews = [*request.own, *request.neighbours]
        products = [Product(f"p-{one}", "", one, "") for one in request.categories]
        material = Material(reviews, products, request.seed, self._llm)
        writer = self._writer.writer(self._options, material)
        cells = {
            Cell(category, sentiment): request.rows_a_cell
            for category in request.categories
            for sentiment in SENTIMENTS
        }
        filled = fill(writer, cells, reviews, _COPY, request.seed)
        return [
            Written(draft.text, cell.sentiment, cell.category, draft.source_review_ids)
            for cell, drafts in filled.drafts.items()
            for draft in drafts.values()
        ]
