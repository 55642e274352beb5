"""The order that serving gives: both legs heard, candidates scored exactly, nothing doubled or lost."""

from collections.abc import Sequence

import numpy as np
import pytest

from kindling.retrieval.hybrid import DEPTH, RERANKED, WEIGHTS, Hybrid
from kindling.retrieval.rerank import ExactScores, Query

QUERY = Query("text", np.zeros(3, dtype=np.float32))


class Fixed:
    """A leg whose true scores are given, and whose search misses some of them."""

    def __init__(
        self, name: str, scores: dict[str, float], misses: Sequence[str] = ()
    ) -> None:
        self.name, self._scores, self._misses = name, scores, set(misses)
        self.asked: list[list[str]] = []

    def best(self, query: Query, limit: int) -> dict[str, float]:
        seen = {
            item: score
            for item, score in self._scores.items()
            if item not in self._misses
        }
        return dict(sorted(seen.items(), key=lambda pair: -pair[1])[:limit])

    def scores(self, query: Query, ids: Sequence[str]) -> dict[str, float]:
        self.asked.append(list(ids))
        return {item: self._scores.get(item, 0.0) for item in ids}


def test_a_candidate_that_one_search_missed_gets_its_true_score() -> None:
    # Both legs put "a" first in truth, the dense search missed it: fused alone it would lose to "b".
    dense = Fixed("dense", {"a": 0.9, "b": 0.8, "c": 0.1}, misses=["a"])
    keyword = Fixed("bm25", {"b": 10.0, "a": 9.9, "c": 1.0})
    assert [item for item, _ in Hybrid(dense, keyword, None).search(QUERY, 2)] == [
        "b",
        "a",
    ]
    assert [item for item, _ in Hybrid.of(dense, keyword).search(QUERY, 2)] == [
        "a",
        "b",
    ]


def test_a_leg_without_any_hit_is_no_harm() -> None:
    hybrid = Hybrid.of(Fixed("dense", {"a": 0.2, "b": 0.7}), Fixed("bm25", {}))
    assert [item for item, _ in hybrid.search(QUERY, 5)] == ["b", "a"]
    assert Hybrid.of(Fixed("dense", {}), Fixed("bm25", {})).search(QUERY, 5) == []


@pytest.mark.parametrize("limit", [1, 5, RERANKED, RERANKED + 20])
def test_the_limit_holds_and_no_more_than_needed_is_looked_at_again(limit: int) -> None:
    dense = Fixed("dense", {f"d{i:03}": i / 300 for i in range(300)})
    found = Hybrid.of(
        dense, Fixed("bm25", {f"k{i:03}": float(i) for i in range(300)})
    ).search(QUERY, limit)
    assert len(found) == limit == len(dict(found))
    assert [len(asked) for asked in dense.asked] == [max(limit, RERANKED)]


def test_the_answer_names_what_made_the_order() -> None:
    legs = Fixed("pgvector", {}), Fixed("tantivy", {})
    assert (
        Hybrid.of(*legs).fusion
        == "convex(pgvector 0.3, tantivy 0.7); rerank exact-scores"
    )
    assert Hybrid(*legs, None).fusion.endswith("rerank none")


def test_the_rerank_only_reorders() -> None:
    ids = [f"r{i}" for i in range(30)]
    rng = np.random.default_rng(0)
    legs = [
        Fixed(name, dict(zip(ids, rng.random(30), strict=True)))
        for name in ("one", "two")
    ]
    reranked = ExactScores(legs, WEIGHTS).rerank(QUERY, ids)
    assert sorted(item for item, _ in reranked) == sorted(ids)
    assert reranked == ExactScores(legs, WEIGHTS).rerank(QUERY, ids[::-1])
    assert DEPTH >= RERANKED
