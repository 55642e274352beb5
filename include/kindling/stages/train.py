"""Train the recipe's model and the baseline on the run's accepted rows, and register the folder."""

import dataclasses
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kindling import extensions
from kindling.errors import DataError
from kindling.evaluation.bootstrap import Bootstrap
from kindling.evaluation.metrics import POLARITY, THREE_WAY
from kindling.evaluation.sample import Sample
from kindling.modeling import tfidf
from kindling.modeling.device import set_threads
from kindling.observe.lineage import sha256_of
from kindling.ports.classifier import Trained, TrainingData, TrainingTools
from kindling.ports.registry import ModelVersion
from kindling.recipe import TrainConfig
from kindling.records import CONDITIONS, Estimate, Example
from kindling.stages.contract import Context, Deps, Outcome
from kindling.stages.dataset import examples, studies

BASELINE = "baseline"
BOOTSTRAP = 300

log = logging.getLogger(__name__)


def run(config: TrainConfig, context: Context, deps: Deps) -> Outcome:
    """A registered model version with its validation figures; the golden split is never read."""
    began = time.monotonic()
    set_threads(deps.threads)
    rows = examples(deps.rows, context.run_id, ("train", "validation"))
    data = _training_data(rows, config, context, deps)
    log.info(
        "training %s on %d rows (%d with photo) and %d studies of conditions, validating on %d",
        config.model,
        len(data.train),
        sum(one.photo_uri is not None for one in data.train),
        len(data.studies),
        len(data.validation),
    )
    tools = TrainingTools(
        objects=deps.objects,
        work=_work(config, context, deps, data),
        text_model=deps.text_model,
        threads=deps.threads,
        seed=context.seed,
    )
    trained = extensions.find("classifier", config.model).train(
        data, _options(config), tools
    )
    baseline = tfidf.train(data, tfidf.Options(), tools)
    figures = _validation(data.validation, baseline, trained, context.seed, deps)
    version = _register(config, context, deps, baseline, trained, figures)
    deps.objects.remove_named(tools.work)
    return Outcome(
        rows_in=len(rows),
        rows_out=len(data.train),
        figures={
            **figures,
            **trained.figures,
            "model_version": version.version,
            "rows": _counts(rows),
            "study_photos": len(data.studies) * len(CONDITIONS),
            "seconds": round(time.monotonic() - began, 1),
            "torch": torch.__version__,
            "threads": deps.threads,
        },
        uris={"model": version.uri},
        implementation={
            **trained.implementation,
            "baseline": baseline.classifier.base_model,
            "registry": deps.registry.name,
        },
    )


def _training_data(
    rows: list[Example], config: TrainConfig, context: Context, deps: Deps
) -> TrainingData:
    train = [one for one in rows if one.split == "train"]
    validation = [one for one in rows if one.split == "validation"]
    if not train or not validation:
        raise DataError(
            f"run {context.run_id!r}: {len(train)} accepted train rows and {len(validation)} validation "
            "rows; both are needed (look at what dedupe and label left out)"
        )
    return TrainingData(
        train=_at_most(config.max_rows, train, context.seed),
        validation=validation,
        studies=studies(deps.rows, context.run_id),
    )


def _options(config: TrainConfig) -> Any:
    return extensions.options("classifier", config.model, config.model_options)


def _at_most(limit: int, rows: list[Example], seed: int) -> list[Example]:
    if not limit or len(rows) <= limit:
        return rows
    kept = np.random.default_rng(seed).choice(len(rows), size=limit, replace=False)
    return [rows[at] for at in sorted(kept)]


def _work(config: TrainConfig, context: Context, deps: Deps, data: TrainingData) -> str:
    """Where the checkpoints of exactly this training are kept: other rows or settings never find them."""
    identity = sha256_of(
        {
            "model": config.model,
            "options": _options(config).model_dump(mode="json"),
            "seed": context.seed,
            "threads": deps.threads,
            "torch": torch.__version__,
            "text_model": str(deps.text_model),
            "data": dataclasses.asdict(data),
        }
    )
    return f"runs/{context.run_id}/checkpoints/{identity[:16]}"


def _validation(
    rows: Sequence[Example], baseline: Trained, trained: Trained, seed: int, deps: Deps
) -> dict[str, Estimate]:
    """Validation figures; temperature and fusion were fitted on these rows, so they are a little too good."""
    sample, bootstrap = Sample.of(rows), Bootstrap(BOOTSTRAP, seed)
    texts = [one.text for one in rows]
    photos = [
        deps.objects.get(one.photo_uri) if one.photo_uri else None for one in rows
    ]
    metrics = [THREE_WAY]
    if POLARITY.counts(sample.truth).any():
        metrics.append(POLARITY)
    figures = {}
    for name, one in (("validation", trained), ("validation_baseline", baseline)):
        answers = one.classifier.predict(texts, photos).probabilities
        for metric in metrics:
            figure = bootstrap.estimate(metric, sample, answers)
            figures[f"{name}_{metric.name}"] = figure
    return figures


def _register(
    config: TrainConfig,
    context: Context,
    deps: Deps,
    baseline: Trained,
    trained: Trained,
    figures: dict[str, Estimate],
) -> ModelVersion:
    with tempfile.TemporaryDirectory(prefix="kindling-model-") as folder:
        baseline.classifier.save(Path(folder) / BASELINE)
        trained.classifier.save(Path(folder))
        version = deps.registry.register(
            context.run_id,
            Path(folder),
            {
                **_options(config).model_dump(),
                "model": config.model,
                "max_rows": config.max_rows,
                "seed": context.seed,
                "recipe": context.recipe.name,
            },
            {name: estimate.value for name, estimate in figures.items()},
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
