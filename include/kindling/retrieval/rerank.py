"""A second, closer look at the candidates that both legs brought together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kindling.retrieval.fusion import convex


@dataclass(frozen=True)
class Query:
    text: str
    #: float32 [D], L2-normalised.
    embedding: np.ndarray


class Leg(Protocol):
    """One way to find reviews, and to score any of them."""

    name: str

    def best(self, query: Query, limit: int) -> dict[str, float]:
        """The best ids with their scores; approximate where the index is."""
        ...

    def scores(self, query: Query, ids: Sequence[str]) -> dict[str, float]:
        """Every one of these ids with its exact score."""
        ...


class Reranker(Protocol):
    @property
    def name(self) -> str: ...

    def rerank(self, query: Query, ids: Sequence[str]) -> list[tuple[str, float]]:
        """The same ids with new scores, best first, ties by id."""
        ...


@dataclass(frozen=True)
class ExactScores:
    """Fusing top lists gives an id that only one leg listed 0 from the other; here each leg scores all.

    Needs no model of its own. Where cross-encoder weights are to be had, one goes behind this port.
    """

    legs: Sequence[Leg]
    weights: Sequence[float]
    name: str = "exact-scores"

    def rerank(self, query: Query, ids: Sequence[str]) -> list[tuple[str, float]]:
        return convex([leg.scores(query, ids) for leg in self.legs], self.weights)
