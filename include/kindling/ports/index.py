"""The search indexes: projections of the record, in versions that are swapped whole."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Document:
    """A review as the keyword index holds it; the filters are the fields besides the text."""

    review_id: str
    text: str
    product_id: str
    category: str
    rating: int
    sentiment: str


@dataclass(frozen=True)
class Hit:
    review_id: str
    score: float


Filters = Mapping[str, str | int | Sequence[str | int]]
"""Field of Document -> wanted value, or values of which one must match."""


class KeywordIndex(Protocol):
    """BM25 over English-stemmed text, in versions that are built beside the one that serves."""

    name: str

    def build(self, version: str, documents: Iterable[Document]) -> int:
        """Make the version from nothing (replacing a half-built one); returns its count."""
        ...

    def count(self, version: str) -> int: ...

    def search(
        self, version: str, query: str, limit: int, filters: Filters | None = None
    ) -> list[Hit]:
        """Best first, ties by review id. Any text is a valid query; no word in common, no hit."""
        ...

    def versions(self) -> list[str]:
        """Oldest first."""
        ...

    def drop(self, version: str) -> None: ...


@dataclass(frozen=True)
class VectorRow:
    document: Document
    #: float32 [D], L2-normalised.
    embedding: np.ndarray


class VectorIndex(Protocol):
    """Dense nearest neighbours by cosine, versioned like the keyword index."""

    name: str

    def build(self, version: str, rows: Iterable[VectorRow]) -> int: ...

    def count(self, version: str) -> int: ...

    def search(
        self,
        version: str,
        embedding: np.ndarray,
        limit: int,
        filters: Filters | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """Best first by cosine similarity; `exact` scans every row (for measuring recall)."""
        ...

    def rows(self, version: str) -> Iterator[VectorRow]:
        """Every row of the version, ordered by review id."""
        ...

    def versions(self) -> list[str]:
        """Oldest first."""
        ...

    def drop(self, version: str) -> None: ...


class IndexAlias(Protocol):
    """Which index version serves: one row in Postgres, so that both legs swap in one statement."""

    def current(self) -> str | None: ...

    def swap(self, version: str) -> str | None:
        """Point the alias at `version`; returns the version before."""
        ...

    def documents(
        self, version: str, review_ids: Sequence[str]
    ) -> dict[str, Document]: ...


class EmbeddingCache(Protocol):
    """Vectors by (model, text hash), so that a nightly run embeds only what is new."""

    def get(self, model: str, text_sha256s: Sequence[str]) -> dict[str, np.ndarray]: ...

    def put(self, model: str, vectors: Mapping[str, np.ndarray]) -> None: ...
