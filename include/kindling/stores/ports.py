"""What a stage may ask of the stores. Adapters stand beside this file; only `wiring` names them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from kindling.records import Record, Rejection, StageReport

R = TypeVar("R", bound=Record)


class RowStore(Protocol):
    """Rows by run id. Postgres is the record; everything else can be rebuilt from it."""

    def read(self, record_type: type[R], run_id: str, **equals: Any) -> list[R]:
        """All rows of that type in the run, ordered by key; `equals` filters columns."""
        ...

    def report(self, run_id: str, stage: str) -> StageReport | None:
        """The stage's manifest: present means that all of its rows are there."""
        ...

    def commit(
        self,
        report: StageReport,
        records: Iterable[Record],
        rejections: Iterable[Rejection],
    ) -> None:
        """Replace the stage's rows for this run and write its manifest, in one transaction."""
        ...


class ObjectStore(Protocol):
    """Bytes by URI, `file://` or `s3://`."""

    def put(self, data: bytes, suffix: str) -> str:
        """Store under the content's SHA-256 and return the URI; storing twice is a no-op."""
        ...

    def put_named(self, name: str, data: bytes) -> str:
        """Store under a name such as `runs/R/report.html`, replacing atomically; returns the URI."""
        ...

    def put_directory(self, name: str, directory: Path) -> str:
        """Store a folder's files under a name; returns the URI of the folder."""
        ...

    def get(self, uri: str) -> bytes:
        """The bytes; DataError naming the URI when they are not there."""
        ...


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


@dataclass(frozen=True)
class ModelVersion:
    version: str
    run_id: str
    uri: str


class ModelRegistry(Protocol):
    """Runs, models and the alias `champion` (MLflow)."""

    name: str

    def register(
        self,
        run_id: str,
        directory: Path,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
    ) -> ModelVersion:
        """Log a trained model folder; registering the same run again returns the same version."""
        ...

    def log_metrics(self, version: str, metrics: Mapping[str, float]) -> None:
        """Add figures to the run behind a version."""
        ...

    def champion(self) -> ModelVersion | None: ...

    def candidate(self, run_id: str) -> ModelVersion | None:
        """The version that this run registered."""
        ...

    def promote(self, version: str) -> None: ...

    def download(self, version: str, into: Path) -> Path:
        """Fetch the model folder; returns its path."""
        ...
