"""Runs, models and the alias `champion` in MLflow, by a tracking server or straight to its database."""

import gzip
import hashlib
import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import mlflow.artifacts
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.exceptions import MlflowException

from kindling.ports.registry import ModelVersion, TrainingRow, TrainingSet

MODEL = "kindling-sentiment"
EXPERIMENT = "nightly-retraining"
ALIAS = "champion"
PROVISIONAL = "provisional"
FOLDER = "model"
#: Beside the model's folder, not in it: whoever serves the model has no use for it.
MANIFEST_FOLDER, MANIFEST = "training_set", "training_set.json.gz"

log = logging.getLogger(__name__)


class MlflowRegistry:
    """ModelRegistry over MLflow; artifacts of new experiments go under the product's object store."""

    name = "mlflow"

    def __init__(self, tracking_uri: str, objects_url: str) -> None:
        for noisy in ("mlflow", "alembic"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        self._uri = tracking_uri
        self._artifacts = f"{objects_url.rstrip('/')}/mlflow"
        self._client = MlflowClient(tracking_uri, registry_uri=tracking_uri)

    def register(
        self,
        run_id: str,
        directory: Path,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
    ) -> ModelVersion:
        """Log a trained model folder; the same content of the same run is the same version."""
        digest = _digest(directory)
        for version in self._versions(run_id):
            if version.tags.get("content_sha256") == digest:
                return _version(version)
        run = self._client.create_run(
            self._experiment(), run_name=run_id, tags={"kindling.run_id": run_id}
        )
        for key, value in params.items():
            self._client.log_param(run.info.run_id, key, value)
        for key, value in metrics.items():
            self._client.log_metric(run.info.run_id, key, float(value))
        self._client.log_artifacts(run.info.run_id, str(directory), FOLDER)
        self._client.set_terminated(run.info.run_id)
        self._ensure_model()
        # Last: a version is there only when all of its files are.
        return _version(
            self._client.create_model_version(
                MODEL,
                source=f"{run.info.artifact_uri}/{FOLDER}",
                run_id=run.info.run_id,
                tags={"kindling.run_id": run_id, "content_sha256": digest},
            )
        )

    def log_metrics(self, version: str, metrics: Mapping[str, float]) -> None:
        """Add figures to the run behind a version."""
        run_id = self._mlflow_run(version)
        for key, value in metrics.items():
            self._client.log_metric(run_id, key, float(value))

    def champion(self) -> ModelVersion | None:
        """The version behind the alias; None while nothing was ever promoted."""
        return self._behind(ALIAS)

    def serving(self) -> ModelVersion | None:
        """The champion, or while there is none the provisional version."""
        champion = self.champion()
        if champion is not None:
            return champion
        provisional = self._behind(PROVISIONAL)
        return replace(provisional, provisional=True) if provisional else None

    def candidate(self, run_id: str) -> ModelVersion | None:
        """The newest version that this run registered."""
        versions = self._versions(run_id)
        return (
            _version(max(versions, key=lambda one: int(one.version)))
            if versions
            else None
        )

    def promote(self, version: str) -> None:
        """Point `champion` at the version; the alias moves in one statement."""
        self._client.set_registered_model_alias(MODEL, ALIAS, version)
        # From here on nothing reads it: a champion comes first.
        self._client.delete_registered_model_alias(MODEL, PROVISIONAL)

    def serve_provisionally(self, version: str) -> None:
        """Serve the version, marked as provisional, until there is a champion."""
        self._client.set_registered_model_alias(MODEL, PROVISIONAL, version)

    def download(self, version: str, into: Path) -> Path:
        """Fetch the model folder; returns its path."""
        source = self._client.get_model_version(MODEL, version).source
        return Path(
            mlflow.artifacts.download_artifacts(
                artifact_uri=source, dst_path=str(into), tracking_uri=self._uri
            )
        )

    def versions(self) -> list[ModelVersion]:
        """Every registered version, oldest first."""
        found = self._client.search_model_versions(
            f"name = '{MODEL}'", max_results=10_000
        )
        return [
            _version(one) for one in sorted(found, key=lambda one: int(one.version))
        ]

    def keep_training_set(self, version: str, training_set: TrainingSet) -> None:
        """Keep the version's manifest beside its model, replacing an earlier one."""
        content = json.dumps(asdict(training_set), sort_keys=True).encode()
        with tempfile.TemporaryDirectory(prefix="kindling-manifest-") as folder:
            path = Path(folder) / MANIFEST
            path.write_bytes(gzip.compress(content, compresslevel=6, mtime=0))
            self._client.log_artifact(
                self._mlflow_run(version), str(path), MANIFEST_FOLDER
            )
        # Last: a version that says so has its manifest whole.
        self._client.set_model_version_tag(MODEL, version, MANIFEST_FOLDER, MANIFEST)

    def training_set(self, version: str) -> TrainingSet | None:
        """The version's manifest; None for a model registered before there were manifests."""
        found = self._client.get_model_version(MODEL, version)
        if found.tags.get(MANIFEST_FOLDER) is None:
            return None
        with tempfile.TemporaryDirectory(prefix="kindling-manifest-") as folder:
            path = self._client.download_artifacts(
                str(found.run_id), f"{MANIFEST_FOLDER}/{MANIFEST}", folder
            )
            content = json.loads(gzip.decompress(Path(path).read_bytes()))
        rows = tuple(
            TrainingRow(**{**row, "sources": tuple(row["sources"])})
            for row in content["rows"]
        )
        return TrainingSet(**{**content, "rows": rows})

    def _mlflow_run(self, version: str) -> str:
        return str(self._client.get_model_version(MODEL, version).run_id)

    def _behind(self, alias: str) -> ModelVersion | None:
        try:
            return _version(self._client.get_model_version_by_alias(MODEL, alias))
        except MlflowException as error:
            if error.error_code in {
                "RESOURCE_DOES_NOT_EXIST",
                "INVALID_PARAMETER_VALUE",
            }:
                return None
            raise

    def _versions(self, run_id: str) -> list[MlflowVersion]:
        found = self._client.search_model_versions(
            f"name = '{MODEL}'", max_results=10_000
        )
        return [one for one in found if one.tags.get("kindling.run_id") == run_id]

    def _experiment(self) -> str:
        known = self._client.get_experiment_by_name(EXPERIMENT)
        return (
            known.experiment_id
            if known
            else self._client.create_experiment(EXPERIMENT, self._artifacts)
        )

    def _ensure_model(self) -> None:
        try:
            self._client.create_registered_model(MODEL)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def _version(version: MlflowVersion) -> ModelVersion:
    return ModelVersion(
        str(version.version),
        version.tags.get("kindling.run_id", ""),
        str(version.source),
    )


def _digest(directory: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(directory).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
