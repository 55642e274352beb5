"""Hybrid search over the ports: both legs of one index version, and the reviews behind the ids."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from kindling.ports.index import Filters, IndexAlias, KeywordIndex, VectorIndex
from kindling.retrieval.hybrid import Hybrid
from kindling.retrieval.rerank import Query
from kindling.serving.schemas import SimilarReview


class Encoder(Protocol):
    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [n, D], L2-normalised."""
        ...


class ReviewSearch:
    """Answers from one index version for as long as it lives; a swap makes a new one."""

    def __init__(
        self,
        keywords: KeywordIndex,
        vectors: VectorIndex,
        alias: IndexAlias,
        encoder: Encoder,
        version: str,
    ) -> None:
        self.version = version
        self._keywords, self._vectors, self._alias, self._encoder = (
            keywords,
            vectors,
            alias,
            encoder,
        )

    @property
    def fusion(self) -> str:
        return self._hybrid({}).fusion

    def similar(
        self, text: str, limit: int, filters: Filters | None = None
    ) -> list[SimilarReview]:
        """Reviews of the index closest to the text, best first; TransientError where a store is down."""
        query = Query(text, self._encoder.encode([text])[0])
        found = self._hybrid(filters or {}).search(query, limit)
        documents = self._alias.documents(
            self.version, [review_id for review_id, _ in found]
        )
        return [
            SimilarReview(
                review_id=review_id,
                text=document.text,
                rating=document.rating,
                sentiment=document.sentiment,
                score=round(score, 4),
                product_id=document.product_id,
                category=document.category,
            )
            for review_id, score in found
            if (document := documents.get(review_id))
        ]

    def _hybrid(self, filters: Filters) -> Hybrid:
        return Hybrid.of(
            _Dense(self._vectors, self.version, filters),
            _Keyword(self._keywords, self.version, filters),
        )


class _Dense:
    def __init__(self, index: VectorIndex, version: str, filters: Filters) -> None:
        self.name = index.name
        self._index, self._version, self._filters = index, version, filters

    def best(self, query: Query, limit: int) -> dict[str, float]:
        hits = self._index.search(self._version, query.embedding, limit, self._filters)
        return {hit.review_id: hit.score for hit in hits}

    def scores(self, query: Query, ids: Sequence[str]) -> dict[str, float]:
        hits = self._index.search(
            self._version, query.embedding, len(ids), {"review_id": ids}, exact=True
        )
        return {hit.review_id: hit.score for hit in hits}


class _Keyword:
    def __init__(self, index: KeywordIndex, version: str, filters: Filters) -> None:
        self.name = index.name
        self._index, self._version, self._filters = index, version, filters

    def best(self, query: Query, limit: int) -> dict[str, float]:
        hits = self._index.search(self._version, query.text, limit, self._filters)
        return {hit.review_id: hit.score for hit in hits}

    def scores(self, query: Query, ids: Sequence[str]) -> dict[str, float]:
        hits = self._index.search(
            self._version, query.text, len(ids), {"review_id": ids}
        )
        # No word in common is no hit, and BM25's 0.
        return dict.fromkeys(ids, 0.0) | {hit.review_id: hit.score for hit in hits}
