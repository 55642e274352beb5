"""Trained models by version, and which of them serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class ModelVersion:
    """A registered model."""

    version: str
    run_id: str
    uri: str
    #: True of a model that serves although no gate has let it through, because none has yet.
    provisional: bool = False


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
