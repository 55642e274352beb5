"""Trained models by version, what each was trained on, and which of them serves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from kindling.records import Origin, Sentiment


@dataclass(frozen=True)
class ModelVersion:
    """A registered model."""

    version: str
    run_id: str
    uri: str
    #: True of a model that serves although no gate has let it through, because none has yet.
    provisional: bool = False


@dataclass(frozen=True)
class TrainingRow:
    """One row that a model learned from (`train`) or was fitted to (`validation`)."""

    review_id: str
    part: Literal["train", "validation"]
    #: Hash of all that the model was shown of the row: text, photo, label, weight.
    row_sha256: str
    #: Hash of the text's words alone (`observe.row_hashes.text_sha256`).
    text_sha256: str
    origin: Origin
    sentiment: Sentiment
    weight: float
    photo_id: str | None = None
    #: Real reviews that a synthetic row was made from.
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainingSet:
    """A model's manifest: every row by its hash, and the versions of what made the set."""

    run_id: str
    recipe: str
    rows: tuple[TrainingRow, ...]
    #: Studies of conditions: id of each, with the real photo behind it.
    studies: Mapping[str, str] = field(default_factory=dict)
    #: Stage -> hash of what went into it, and the code's.
    versions: Mapping[str, str] = field(default_factory=dict)
    #: Rows and studies that were in the set and have been forgotten since.
    forgotten: int = 0

    def with_review(self, review_ids: Iterable[str]) -> dict[str, list[TrainingRow]]:
        """Review id -> its own row and the synthetic ones made from it, where there are such."""
        wanted = set(review_ids)
        found: dict[str, list[TrainingRow]] = {}
        for row in self.rows:
            for review_id in wanted.intersection((row.review_id, *row.sources)):
                found.setdefault(review_id, []).append(row)
        return found


class ModelRegistry(Protocol):
    """Runs, models, and the aliases `champion` and `provisional` (MLflow)."""

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

    def champion(self) -> ModelVersion | None:
        """The version that passed its gate last; None while none has."""
        ...

    def serving(self) -> ModelVersion | None:
        """The champion, or while there is none the provisional version."""
        ...

    def candidate(self, run_id: str) -> ModelVersion | None:
        """The version that this run registered."""
        ...

    def promote(self, version: str) -> None:
        """Make the version the champion; a provisional one ends with it."""
        ...

    def serve_provisionally(self, version: str) -> None:
        """Serve the version, marked as provisional, until there is a champion."""
        ...

    def download(self, version: str, into: Path) -> Path:
        """Fetch the model folder; returns its path."""
        ...

    def versions(self) -> list[ModelVersion]:
        """Every registered version, oldest first."""
        ...

    def keep_training_set(self, version: str, training_set: TrainingSet) -> None:
        """Keep the version's manifest beside its model, replacing an earlier one."""
        ...

    def training_set(self, version: str) -> TrainingSet | None:
        """The version's manifest; None for a model registered before there were manifests."""
        ...
