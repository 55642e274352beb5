"""Fits the compact text+image model: both towers apart, then their fusion on validation rows."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from kindling.modeling import preflight, pretrained
from kindling.modeling.checkpoint import Checkpoint
from kindling.modeling.fitting import LABEL_SMOOTHING, Fitted, fit, length_bucketed_plan
from kindling.modeling.fusion import fit_fusion
from kindling.modeling.image_tower import ImageClassifier
from kindling.modeling.image_training import fit_image
from kindling.modeling.model import SentimentModel
from kindling.modeling.rows import Rows, class_weights
from kindling.modeling.text_tower import TextClassifier, autocast, pad, tokenize
from kindling.records import SENTIMENTS

CHECKPOINT_STEPS = 100

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hyperparameters:
    epochs: int
    batch_size: int
    max_tokens: int
    learning_rate: float
    head_learning_rate: float
    image_epochs: int
    image_size: int


@dataclass(frozen=True)
class Trained:
    model: SentimentModel
    text: Fitted
    #: None for a text-only model.
    image: Fitted | None


def train(
    rows: Rows,
    validation: Rows,
    settings: Hyperparameters,
    text_model: Path | None,
    work: Path,
    seed: int,
) -> Trained:
    """The model fitted on `rows`, calibrated and fused on `validation`; `work` keeps the checkpoints.

    Rows of weight 0 state no sentiment: their photos show the image tower a condition, no more.
    """
    reviews = rows.only(np.flatnonzero(rows.weights > 0))
    classes = class_weights(reviews.labels, len(SENTIMENTS))
    folder, sha256 = pretrained.locate(text_model)
    text = TextClassifier.fresh(folder, len(SENTIMENTS), settings.max_tokens, seed)
    text_fit = _fit_text(text, reviews, classes, settings, work, seed)
    image, image_fit = fit_image(
        rows,
        settings.image_size,
        settings.image_epochs,
        _checkpoint(work, "image"),
        seed + 1,
    )
    pictured = validation.with_photo
    fusion = fit_fusion(
        text.logits(validation.texts),
        validation.labels,
        pictured,
        _image_logits(image, validation, pictured) if image else None,
        classes * np.bincount(reviews.labels, minlength=len(SENTIMENTS)),
    )
    log.info(
        "fusion: %s on %d validation rows with photo, weights text %.2f image %.2f",
        fusion.method,
        fusion.fitted_on,
        fusion.text_weight,
        fusion.image_weight,
    )
    model = SentimentModel(
        text, image, fusion, pretrained.model_id(folder, sha256), settings.max_tokens
    )
    return Trained(model, text_fit, image_fit)


def _fit_text(
    classifier: TextClassifier,
    rows: Rows,
    classes: np.ndarray,
    settings: Hyperparameters,
    work: Path,
    seed: int,
) -> Fitted:
    tower = classifier.tower
    # 31 k word vectors see too few reviews to be moved well, and are half of the optimiser's memory.
    tower.encoder.embeddings.word_embeddings.weight.requires_grad_(False)
    tokens = tokenize(classifier.tokenizer, rows.texts)

    def loss_of(batch: np.ndarray) -> torch.Tensor:
        with autocast():
            logits = tower(*pad([tokens[row] for row in batch]))
        return sentiment_loss(logits.float(), rows, batch, classes)

    plan = length_bucketed_plan(
        [len(row) for row in tokens], settings.batch_size, settings.epochs, seed
    )
    preflight.check_gradient("text tower", tower.train(False), loss_of(plan[0]))
    probe = np.array([row for row in plan[0] if rows.texts[row]])
    preflight.check_sensitivity(
        "text tower",
        lambda at: classifier.logits([rows.texts[row] for row in at]),
        probe,
    )
    groups = [
        {
            "params": [p for p in tower.encoder.parameters() if p.requires_grad],
            "lr": settings.learning_rate,
        },
        {"params": tower.head.parameters(), "lr": settings.head_learning_rate},
    ]
    return fit(
        "text tower", tower, groups, plan, loss_of, _checkpoint(work, "text"), seed
    )


def _checkpoint(work: Path, name: str) -> Checkpoint:
    return Checkpoint(work / f"{name}.pt", CHECKPOINT_STEPS)


def sentiment_loss(
    logits: torch.Tensor, rows: Rows, batch: np.ndarray, classes: np.ndarray
) -> torch.Tensor:
    """Smoothed cross-entropy, weighted by class and row."""
    labels = torch.from_numpy(rows.labels[batch])
    weights = torch.from_numpy(rows.weights[batch] * classes[rows.labels[batch]])
    losses = cross_entropy(
        logits, labels, label_smoothing=LABEL_SMOOTHING, reduction="none"
    )
    return (losses * weights).sum() / weights.sum().clamp(min=1e-6)


def _image_logits(
    classifier: ImageClassifier, rows: Rows, pictured: np.ndarray
) -> np.ndarray:
    distinct, back = np.unique(rows.picture_of[pictured], return_inverse=True)
    return classifier.logits_of(rows.pictures[distinct])[0][back]
