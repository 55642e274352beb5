"""Hybrid search over the ports: both legs of one index version, and the reviews behind the ids."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from kindling.client.schemas import SimilarReview
from kindling.ports.index import (
    Document,
    Filters,
    Hit,
    IndexAlias,
    KeywordIndex,
    VectorIndex,
)
from kindling.retrieval.hybrid import Hybrid
from kindling.retrieval.rerank import Query

#: Cosine of the nearest review below which nothing found says anything about the query.
#: Against 1,200 reviews of clothing the nearest to another whole review is never below .41
#: (median .70); random letters, code and sentences about other things reach .13 to .29.
CLOSE = 0.25


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
        self._keywords, self._vectors, self._alias = keywords, vectors, alias
        self._encoder = encoder
        self._probe: Query | None = None

    @property
    def fusion(self) -> str:
        return Hybrid(
            _Dense(self._vectors, self.version, {}),
            _Keyword(self._keywords, self.version, {}),
            None,
        ).fusion

    def embed(self, texts: Sequence[str]) -> list[Query]:
        """The texts as queries, in one pass of the encoder."""
        vectors = self._encoder.encode(texts)
        return [Query(*pair) for pair in zip(texts, vectors, strict=True)]

    def similar(
        self, query: Query, limit: int, filters: Filters | None = None
    ) -> tuple[list[SimilarReview], bool]:
        """Reviews closest to the query, best first, and whether any review is close at all.

        Without filters there are no reviews where none is close; with filters the client
        has chosen what to see, and `similarity` says how close it is. KindlingError where
        a store fails.
        """
        dense = _Dense(self._vectors, self.version, filters or {})
        keyword = _Keyword(self._keywords, self.version, filters or {})
        # No rerank: it adds nothing that `make bench NAME=retrieval` can see.
        found = Hybrid(dense, keyword, None).search(query, limit)
        unmet = [one for one, _ in found if one not in dense.seen]
        if unmet:
            # Found by their words alone: how close they are is still told.
            dense.scores(query, unmet)
        nearest = max((dense.seen.get(one, -1.0) for one, _ in found), default=-1.0)
        if not filters and nearest < CLOSE:
            return [], False
        documents = self._alias.documents(self.version, [one for one, _ in found])
        reviews = [
            _review(document, score, dense.seen.get(review_id, 0.0))
            for review_id, score in found
            if (document := documents.get(review_id))
        ]
        return reviews, True

    def probe(self) -> None:
        """Ask every store something small; raises what it raises."""
        if self._probe is None:
            [self._probe] = self.embed(["soft fabric"])
        self.similar(self._probe, 1)


def _review(document: Document, score: float, similarity: float) -> SimilarReview:
    return SimilarReview(
        review_id=document.review_id,
        text=document.text,
        rating=document.rating,
        sentiment=document.sentiment,
        score=round(score, 4),
        similarity=round(similarity, 4),
        product_id=document.product_id,
        category=document.category,
    )


class _Dense:
    def __init__(self, index: VectorIndex, version: str, filters: Filters) -> None:
        self.name = index.name
        self._index, self._version, self._filters = index, version, filters
        #: Cosine of every review that this query has met.
        self.seen: dict[str, float] = {}

    def best(self, query: Query, limit: int) -> dict[str, float]:
        hits = self._index.search(self._version, query.embedding, limit, self._filters)
        return self._met(hits)

    def scores(self, query: Query, ids: Sequence[str]) -> dict[str, float]:
        hits = self._index.search(
            self._version, query.embedding, len(ids), {"review_id": ids}, exact=True
        )
        return self._met(hits)

    def _met(self, hits: Sequence[Hit]) -> dict[str, float]:
        scores = {hit.review_id: hit.score for hit in hits}
        self.seen.update(scores)
        return scores


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
