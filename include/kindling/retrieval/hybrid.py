"""Hybrid search: dense and keyword candidates, fused, then reranked."""

from dataclasses import dataclass

from kindling.retrieval.fusion import convex
from kindling.retrieval.rerank import ExactScores, Leg, Query, Reranker

#: Dense : keyword. The best of .3/.5/.7 on both sets of queries that were at hand (`make bench
#: NAME=retrieval`); at .7 the hybrid falls below its keyword leg.
WEIGHTS = (0.3, 0.7)
#: Candidates of each leg, and how many of the fused ones are looked at again.
DEPTH = 100
RERANKED = 50


@dataclass(frozen=True)
class Hybrid:
    dense: Leg
    keyword: Leg
    #: None: the fused order stands, and the answer says so.
    reranker: Reranker | None

    @classmethod
    def of(cls, dense: Leg, keyword: Leg) -> "Hybrid":
        """With the reranker that needs no weights; the bench asks whether it is worth its time."""
        return cls(dense, keyword, ExactScores((dense, keyword), WEIGHTS))

    @property
    def fusion(self) -> str:
        """What made the order, as an answer names it."""
        reranker = self.reranker.name if self.reranker else "none"
        return f"convex({self.dense.name} {WEIGHTS[0]}, {self.keyword.name} {WEIGHTS[1]}); rerank {reranker}"

    def search(self, query: Query, limit: int) -> list[tuple[str, float]]:
        """Ids with scores from 0 to 1 among the candidates, best first, ties by id."""
        fused = convex(
            [self.dense.best(query, DEPTH), self.keyword.best(query, DEPTH)], WEIGHTS
        )
        if self.reranker is None:
            return fused[:limit]
        return self.reranker.rerank(
            query, [item for item, _ in fused[: max(RERANKED, limit)]]
        )[:limit]
