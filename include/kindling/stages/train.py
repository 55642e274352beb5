"""Train the recipe's model and the baseline on the run's accepted rows, and register the folder."""

import dataclasses
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from kindling import extensions
from kindling.errors import DataError
from kindling.measure.estimates import estimate
from kindling.measure.metrics import POLARITY, THREE_WAY
from kindling.measure.sample import Sample
from kindling.modeling import tfidf
from kindling.modeling.device import set_threads
from kindling.modeling.folder import BASELINE
from kindling.observe.lineage import sha256_of
from kindling.ports.classifier import Trained, TrainingData, TrainingTools
from kindling.ports.objects import ObjectStore
from kindling.ports.registry import ModelRegistry, ModelVersion
from kindling.recipe import TrainConfig
from kindling.records import CONDITIONS, Estimate, Example
from kindling.stages.contract import Context, Outcome
from kindling.stages.training_set import training_set
from kindling.stages.view import RunView

log = logging.getLogger(__name__)


class Needs(Protocol):
    """What the stage is handed."""

    view: RunView
    objects: ObjectStore
    registry: ModelRegistry
    text_model: Path | None
    threads: int


def run(config: TrainConfig, context: Context, needs: Needs) -> Outcome:
    """A registered model version with its validation figures; the golden split is never read."""
    began = time.monotonic()
    set_threads(needs.threads)
    accepted = needs.view.examples("train")
    held_out = needs.view.examples("validation")
    data = _training_data(accepted, held_out, config, context, needs)
    log.info(
        "training %s on %d rows (%d with photo) and %d studies of conditions, validating on %d",
        config.model,
        len(data.train),
        sum(one.photo_uri is not None for one in data.train),
        len(data.studies),
        len(data.validation),
    )
    tools = TrainingTools(
        objects=needs.objects,
        work=_work(config, context, needs, data),
        text_model=needs.text_model,
        threads=needs.threads,
        seed=context.seed,
    )
    trained = extensions.find("classifier", config.model).train(
        data, _options(config), tools
    )
    baseline = tfidf.train(data, tfidf.Options(), tools)
    figures = _validation(held_out, baseline, trained, needs)
    version = _register(config, context, needs, baseline, trained, figures)
    needs.registry.keep_training_set(
        version.version, training_set(context, data, needs.view)
    )
    needs.objects.remove_named(tools.work)
    return Outcome(
        rows_in=len(accepted) + len(held_out),
        rows_out=len(data.train),
        figures={
            **figures,
            **trained.figures,
            "model_version": version.version,
            "rows": _counts([*accepted, *held_out]),
            "study_photos": len(data.studies) * len(CONDITIONS),
            "seconds": round(time.monotonic() - began, 1),
            "torch": torch.__version__,
            "threads": needs.threads,
        },
        uris={"model": version.uri},
        implementation={
            **trained.implementation,
            "baseline": baseline.classifier.base_model,
            "registry": needs.registry.name,
        },
    )


def _training_data(
    accepted: list[Example],
    held_out: list[Example],
    config: TrainConfig,
    context: Context,
    needs: Needs,
) -> TrainingData:
    if not accepted or not held_out:
        raise DataError(
            f"run {context.run_id!r}: {len(accepted)} accepted train rows and {len(held_out)} validation "
            "rows; both are needed (look at what dedupe and label left out)"
        )
    return TrainingData(
        train=_at_most(config.max_rows, accepted, context.seed),
        validation=held_out,
        studies=needs.view.studies(),
    )


def _options(config: TrainConfig) -> Any:
    return extensions.options("classifier", config.model, config.model_options)


def _at_most(limit: int, rows: list[Example], seed: int) -> list[Example]:
    if not limit or len(rows) <= limit:
        return rows
    kept = np.random.default_rng(seed).choice(len(rows), size=limit, replace=False)
    return [rows[at] for at in sorted(kept)]


def _work(
    config: TrainConfig, context: Context, needs: Needs, data: TrainingData
) -> str:
    """Where the checkpoints of exactly this training are kept: other rows or settings never find them."""
    identity = sha256_of(
        {
            "model": config.model,
            "options": _options(config).model_dump(mode="json"),
            "seed": context.seed,
            "threads": needs.threads,
            "torch": torch.__version__,
            "text_model": str(needs.text_model),
            "data": dataclasses.asdict(data),
        }
    )
    return f"runs/{context.run_id}/checkpoints/{identity[:16]}"


def _validation(
    rows: Sequence[Example], baseline: Trained, trained: Trained, needs: Needs
) -> dict[str, Estimate]:
    """Validation figures; temperature and fusion were fitted on these rows, so they are a little too good."""
    sample, texts = Sample.of(rows), [one.text for one in rows]
    photos = [
        needs.objects.get(one.photo_uri) if one.photo_uri else None for one in rows
    ]
    metrics = [THREE_WAY]
    if POLARITY.counts(sample.truth).any():
        metrics.append(POLARITY)
    figures = {}
    for name, one in (("validation", trained), ("validation_baseline", baseline)):
        answers = one.classifier.predict(texts, photos).probabilities
        for metric in metrics:
            figures[f"{name}_{metric.name}"] = estimate(metric, sample, answers)
    return figures


def _register(
    config: TrainConfig,
    context: Context,
    needs: Needs,
    baseline: Trained,
    trained: Trained,
    figures: dict[str, Estimate],
) -> ModelVersion:
    with tempfile.TemporaryDirectory(prefix="kindling-model-") as folder:
        baseline.classifier.save(Path(folder) / BASELINE)
        trained.classifier.save(Path(folder))
        version = needs.registry.register(
            context.run_id,
            Path(folder),
            {
                **_options(config).model_dump(),
                "model": config.model,
                "max_rows": config.max_rows,
                "seed": context.seed,
                "recipe": context.recipe.name,
            },
            {name: figure.value for name, figure in figures.items()},
        )
    log.info("registered version %s at %s", version.version, version.uri)
    return version


def _counts(data: Sequence[Example]) -> dict[str, int]:
    """Rows by split, origin and sentiment; with photo apart."""
    counts = Counter(f"{one.split}/{one.origin}/{one.sentiment}" for one in data)
    counts.update(
        f"{one.split}/{one.origin}/with photo" for one in data if one.photo_uri
    )
    return dict(sorted(counts.items()))
