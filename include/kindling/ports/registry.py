"""Trained models by version, and which of them serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


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
