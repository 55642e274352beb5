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
from kindling.evaluation.training_rows import TrainingRows
from kindling.measure.estimates import estimate
from kindling.measure.metrics import POLARITY, THREE_WAY
from kindling.measure.sample import Sample
from kindling.modeling import categories, tfidf
from kindling.modeling.compact import int8_export
from kindling.modeling.compact.model import CompactModel
from kindling.modeling.device import describe, set_threads
from kindling.modeling.embedder import Embedder
from kindling.modeling.folder import BASELINE
from kindling.observe.lineage import sha256_of
from kindling.ports.classifier import Trained, TrainingData, TrainingTools
from kindling.ports.nodes import Nodes
from kindling.ports.objects import ObjectStore
from kindling.ports.registry import ModelRegistry, ModelVersion
from kindling.recipe import TrainConfig
from kindling.records import CONDITIONS, SENTIMENTS, Estimate, Example
from kindling.stages.contract import Context, Outcome
from kindling.stages.golden import training_rows
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
    nodes: Nodes


def run(config: TrainConfig, context: Context, needs: Needs) -> Outcome:
    """A registered model version with its validation figures; the golden split is never read."""
    began = time.monotonic()
    accepted, held_out, data, tools = _prepared(config, context, needs)
    log.info(
        "training %s on %d rows (%d with photo) and %d studies of conditions, validating on %d",
        config.model,
        len(data.train),
        sum(one.photo_uri is not None for one in data.train),
        len(data.studies),
        len(data.validation),
    )
    trained = extensions.find("classifier", config.model).train(
        data, _options(config), tools
    )
    baseline = tfidf.train(data, tfidf.Options(), tools)
    figures = _validation(held_out, baseline, trained, needs)
    rows = training_rows([*accepted, *held_out], context.recipe.dedupe.short_text)
    version, exported = _register(
        config, context, needs, (baseline, trained, rows), figures, held_out
    )
    needs.registry.keep_training_set(
        version.version, training_set(context, data, needs.view)
    )
    shown = categories.shown(accepted, needs.objects.get, context.seed)
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
            "photo_categories": shown,
            "seconds": round(time.monotonic() - began, 1),
            "torch": torch.__version__,
            "threads": needs.threads,
            "device": describe(),
            "settings": settings(config, context),
            "export": exported,
        },
        uris={"model": version.uri},
        implementation={
            **trained.implementation,
            "baseline": baseline.classifier.base_model,
            "registry": needs.registry.name,
        },
    )


def again(
    config: TrainConfig, context: Context, needs: Needs
) -> tuple[Trained, list[Example], TrainingData]:
    """The run's model trained once more, the validation rows, and what it learned from."""
    _, held_out, data, tools = _prepared(config, context, needs)
    module = extensions.find("classifier", config.model)
    trained: Trained = module.train(data, _options(config), tools)
    return trained, held_out, data


def settings(config: TrainConfig, context: Context) -> str:
    """Hash of model, options and seed."""
    return sha256_of({"train": config.model_dump(mode="json"), "seed": context.seed})[
        :16
    ]


def take_part(config: TrainConfig, context: Context, needs: Needs) -> None:
    """Train as one of several machines that is not the first: nothing is registered or committed here."""
    _, _, data, tools = _prepared(config, context, needs)
    extensions.find("classifier", config.model).train(data, _options(config), tools)


def _prepared(
    config: TrainConfig, context: Context, needs: Needs
) -> tuple[list[Example], list[Example], TrainingData, TrainingTools]:
    """Accepted and held-out rows, and what the model's training is handed: alike on every machine."""
    set_threads(needs.threads)
    accepted = needs.view.examples("train")
    held_out = needs.view.examples("validation")
    data = _training_data(accepted, held_out, config, context, needs)
    tools = TrainingTools(
        objects=needs.objects,
        work=_work(config, context, needs, data),
        text_model=needs.text_model,
        threads=needs.threads,
        seed=context.seed,
        nodes=needs.nodes,
    )
    return accepted, held_out, data, tools


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
    made: tuple[Trained, Trained, TrainingRows],
    figures: dict[str, Estimate],
    held_out: Sequence[Example],
) -> tuple[ModelVersion, dict[str, Any]]:
    """`made` are baseline, model, and the rows that both were trained on or fitted to."""
    baseline, trained, rows = made
    with tempfile.TemporaryDirectory(prefix="kindling-model-") as folder:
        baseline.classifier.save(Path(folder) / BASELINE)
        rows.write(Path(folder))
        trained.classifier.save(Path(folder))
        exported = _exported(trained, Path(folder), held_out, needs)
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
    return version, exported


def _exported(
    trained: Trained, folder: Path, rows: Sequence[Example], needs: Needs
) -> dict[str, Any]:
    """Graphs for servers without torch, in the model's folder; what they are worth, as figures."""
    model = trained.classifier
    if not isinstance(model, CompactModel):
        return {"engine": "as trained", "reason": f"{model.kind} has no export"}
    export = int8_export.export(
        model,
        Embedder(needs.text_model),
        folder,
        [
            (
                one.text,
                needs.objects.get(one.photo_uri) if one.photo_uri else None,
                SENTIMENTS.index(one.sentiment),
            )
            for one in rows[: int8_export.COMPARED]
        ],
    )
    log.info("int8 export: %s", export.refused or export.parity)
    return {
        "engine": "torch" if export.refused else "onnx-int8",
        "reason": export.refused,
        **export.parity,
    }


def _counts(data: Sequence[Example]) -> dict[str, int]:
    """Rows by split, origin and sentiment; with photo apart."""
    counts = Counter(f"{one.split}/{one.origin}/{one.sentiment}" for one in data)
    counts.update(
        f"{one.split}/{one.origin}/with photo" for one in data if one.photo_uri
    )
    return dict(sorted(counts.items()))
