"""Train the baseline and the compact model on the run's accepted rows, and register the folder."""

import dataclasses
import hashlib
import logging
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from kindling.errors import DataError
from kindling.measure.estimates import estimate
from kindling.measure.metrics import POLARITY, THREE_WAY, Metric
from kindling.measure.sample import Sample
from kindling.modeling.baseline import FOLDER, Baseline
from kindling.modeling.rows import Rows, as_rows
from kindling.modeling.trainer import Hyperparameters, Trained, train
from kindling.observe.lineage import sha256_of
from kindling.ports.objects import ObjectStore
from kindling.ports.registry import ModelRegistry, ModelVersion
from kindling.recipe import TrainConfig
from kindling.records import CONDITIONS, Estimate, Example, Study
from kindling.stages.contract import Context, Outcome
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
    torch.set_num_threads(needs.threads)
    train_rows, held_out = (
        needs.view.examples("train"),
        needs.view.examples("validation"),
    )
    data = [*train_rows, *held_out]
    chosen = _at_most(config.max_rows, train_rows, context.seed)
    if not chosen or not held_out:
        raise DataError(
            f"run {context.run_id!r}: {len(chosen)} accepted train rows and {len(held_out)} validation "
            "rows; both are needed (look at what dedupe and label left out)"
        )
    studies = _shots(needs.view.studies())
    rows = as_rows([*chosen, *studies], needs.objects.get, config.image_size)
    reviews = rows.only(np.arange(len(chosen)))
    validation = as_rows(held_out, needs.objects.get, config.image_size)
    log.info(
        "training on %d rows (%d with photo) and %d photos of condition studies, validating on %d",
        len(chosen),
        len(reviews.with_photo),
        len(studies),
        len(held_out),
    )
    baseline = Baseline.fit(reviews.texts, reviews.labels, reviews.weights)
    work = _work_folder(config, context, needs, [*chosen, *studies, *held_out])
    trained = train(
        rows, validation, _hyperparameters(config), needs.text_model, work, context.seed
    )
    figures = _validation(Sample.of(held_out), validation, baseline, trained)
    version = _register(config, context, needs, baseline, trained, figures)
    shutil.rmtree(work)
    return Outcome(
        rows_in=len(data),
        rows_out=len(chosen),
        figures={
            **figures,
            **_about(trained),
            "model_version": version.version,
            "rows": _counts(data),
            "study_photos": len(studies),
            "seconds": round(time.monotonic() - began, 1),
            "torch": torch.__version__,
            "threads": needs.threads,
        },
        uris={"model": version.uri},
        implementation={
            "model": "compact text+image"
            if trained.image
            else "compact text only: too few training photos",
            "text_tower": trained.model.text_model,
            "fusion": trained.model.fusion.method,
            "baseline": "TF-IDF + logistic regression",
            "registry": needs.registry.name,
        },
    )


def _shots(studies: Sequence[Study]) -> list[Example]:
    """The studies' photos, which state a condition and with weight 0 no sentiment; in fours."""
    return [
        Example(
            review_id=f"{study.study_id}/{condition}",
            product_id=study.product_id,
            category="",
            text="",
            sentiment="neutral",
            rating=3,
            origin="synthetic",
            split="train",
            weight=0.0,
            photo_id=study.uris[condition],
            photo_uri=study.uris[condition],
            condition=condition,
            intact_uri=study.uris["intact"],
        )
        for study in studies
        for condition in CONDITIONS
    ]


def _hyperparameters(config: TrainConfig) -> Hyperparameters:
    return Hyperparameters(**config.model_dump(exclude={"max_rows"}))


def _at_most(limit: int, rows: list[Example], seed: int) -> list[Example]:
    if not limit or len(rows) <= limit:
        return rows
    kept = np.random.default_rng(seed).choice(len(rows), size=limit, replace=False)
    return [rows[at] for at in sorted(kept)]


def _work_folder(
    config: TrainConfig, context: Context, needs: Needs, data: Sequence[Example]
) -> Path:
    """Where the checkpoints of exactly this training lie: other rows or settings never find them."""
    identity = sha256_of(
        {
            "config": config.model_dump(mode="json"),
            "seed": context.seed,
            "threads": needs.threads,
            "torch": torch.__version__,
            "text_model": str(needs.text_model),
            "rows": [dataclasses.asdict(one) for one in data],
        }
    )
    run_id = hashlib.sha256(context.run_id.encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"kindling-train-{run_id}-{identity[:16]}"


def _validation(
    sample: Sample, rows: Rows, baseline: Baseline, trained: Trained
) -> dict[str, Estimate]:
    """Validation figures; temperature and fusion were fitted on these rows, so they are a little too good."""
    answers = {
        "validation": _answers(trained, rows),
        "validation_baseline": baseline.probabilities(rows.texts),
    }
    metrics: tuple[Metric, ...] = (THREE_WAY,) + (
        (POLARITY,) if POLARITY.counts(sample.truth).any() else ()
    )
    return {
        f"{name}_{metric.name}": estimate(metric, sample, probabilities)
        for name, probabilities in answers.items()
        for metric in metrics
    }


def _answers(trained: Trained, rows: Rows) -> np.ndarray:
    model, pictured = trained.model, rows.with_photo
    logits = model.text.logits(rows.texts)
    answers = model.fusion.probabilities(logits, None)
    if model.image and len(pictured):
        seen = model.image.logits_of(rows.pictures)[0][rows.picture_of[pictured]]
        answers[pictured] = model.fusion.probabilities(logits[pictured], seen)
    return answers


def _register(
    config: TrainConfig,
    context: Context,
    needs: Needs,
    baseline: Baseline,
    trained: Trained,
    figures: dict[str, Estimate],
) -> ModelVersion:
    with tempfile.TemporaryDirectory(prefix="kindling-model-") as folder:
        baseline.save(Path(folder) / FOLDER)
        trained.model.save(Path(folder))
        version = needs.registry.register(
            context.run_id,
            Path(folder),
            {
                **config.model_dump(),
                "seed": context.seed,
                "recipe": context.recipe.name,
            },
            {name: figure.value for name, figure in figures.items()},
        )
    log.info("registered version %s at %s", version.version, version.uri)
    return version


def _about(trained: Trained) -> dict[str, Any]:
    fusion = trained.model.fusion
    return {
        "parameters": trained.model.parameters,
        "text_loss_first": trained.text.first_loss,
        "text_loss_last": trained.text.last_loss,
        "image_loss_first": trained.image.first_loss if trained.image else None,
        "image_loss_last": trained.image.last_loss if trained.image else None,
        "resumed_at_step": max(
            trained.text.resumed_at, trained.image.resumed_at if trained.image else 0
        ),
        "fusion": fusion.to_dict(),
    }


def _counts(data: Sequence[Example]) -> dict[str, int]:
    """Rows by split, origin and sentiment; with photo apart."""
    counts = Counter(f"{one.split}/{one.origin}/{one.sentiment}" for one in data)
    counts.update(
        f"{one.split}/{one.origin}/with photo" for one in data if one.photo_uri
    )
    return dict(sorted(counts.items()))
