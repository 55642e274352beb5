"""Fits the compact text+image model: both towers apart, then their fusion on validation rows."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from kindling.modeling import preflight, pretrained
from kindling.modeling.calibration import fit_temperature
from kindling.modeling.checkpoint import Checkpoint
from kindling.modeling.compact.fusion import fit_fusion
from kindling.modeling.compact.image_tower import ImageClassifier
from kindling.modeling.compact.image_training import fit_image
from kindling.modeling.compact.model import CompactModel
from kindling.modeling.compact.options import Options
from kindling.modeling.compact.pooled import Words
from kindling.modeling.compact.rows import (
    Indices,
    Reviews,
    Shots,
    as_reviews,
    as_shots,
    class_weights,
)
from kindling.modeling.compact.text_tower import TextClassifier
from kindling.modeling.device import autocast, describe
from kindling.modeling.encoding import pad, tokenize
from kindling.modeling.fitting import (
    LABEL_SMOOTHING,
    Fitted,
    Task,
    fit,
    length_bucketed_plan,
)
from kindling.modeling.tfidf.model import TfidfModel
from kindling.ports.classifier import Trained, TrainingData, TrainingTools
from kindling.records import SENTIMENTS

CHECKPOINT_STEPS = 100

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fit:
    """The model and how its towers were fitted."""

    model: CompactModel
    text: Fitted
    #: None for a text-only model.
    image: Fitted | None


def train(data: TrainingData, options: Options, tools: TrainingTools) -> Trained:
    """The model with its figures; see `fit_model`."""
    read, size = tools.objects.get, options.image_size
    found = fit_model(
        as_reviews(data.train, read, size),
        as_shots(data.studies, data.train, read, size),
        as_reviews(data.validation, read, size),
        options,
        tools,
    )
    model = found.model
    return Trained(
        model,
        figures=_figures(found),
        implementation={
            "model": "compact text+image"
            if model.image
            else "compact text only: too few training photos",
            "text_tower": model.base_model,
            "words": TfidfModel.base_model,
            "fusion": model.fusion.method,
            "device": describe(),
        },
    )


def fit_model(
    reviews: Reviews,
    shots: Shots,
    validation: Reviews,
    options: Options,
    tools: TrainingTools,
) -> Fit:
    """The model fitted on `reviews` and `shots`, calibrated and fused on `validation`."""
    classes = class_weights(reviews.labels, len(SENTIMENTS))
    folder, sha256 = pretrained.locate(tools.text_model)
    text = TextClassifier.fresh(folder, len(SENTIMENTS), options.max_tokens, tools.seed)
    text_fit = _fit_text(text, reviews, classes, options, tools)
    seen = fit_image(
        reviews,
        shots,
        options.image_size,
        options.image_epochs,
        _checkpoint(tools, "image"),
        tools.seed + 1,
    )
    image, image_fit = seen if seen else (None, None)
    tower_logits = text.logits(validation.texts)
    words = _words(reviews, validation, tower_logits)
    fusion = fit_fusion(
        words.pooled(tower_logits, validation.texts),
        validation.labels,
        validation.pictured,
        _image_logits(image, validation) if image else None,
        classes * np.bincount(reviews.labels, minlength=len(SENTIMENTS)),
    )
    log.info(
        "fusion: %s on %d validation rows with photo, weights text %.2f image %.2f",
        fusion.method,
        fusion.fitted_on,
        fusion.text_weight,
        fusion.image_weight,
    )
    base = pretrained.model_id(folder, sha256)
    model = CompactModel(text, image, fusion, base, options.max_tokens, words)
    return Fit(model, text_fit, image_fit)


def _words(
    reviews: Reviews, validation: Reviews, tower_logits: NDArray[np.float32]
) -> Words:
    """N-grams of the train rows, and the tower's temperature beside them."""
    fitted = TfidfModel.fit(reviews.texts, reviews.labels, reviews.weights)
    return Words(
        fitted.calibrated_on(validation.texts, validation.labels),
        fit_temperature(tower_logits, validation.labels),
    )


def sentiment_loss(
    logits: torch.Tensor,
    reviews: Reviews,
    batch: Indices,
    classes: NDArray[np.float32],
) -> torch.Tensor:
    """Smoothed cross-entropy, weighted by class and row."""
    rows = reviews.labels[batch]
    labels = torch.from_numpy(rows).to(logits.device)
    weights = torch.from_numpy(reviews.weights[batch] * classes[rows])
    weights = weights.to(logits.device)
    losses = cross_entropy(
        logits, labels, label_smoothing=LABEL_SMOOTHING, reduction="none"
    )
    return (losses * weights).sum() / weights.sum().clamp(min=1e-6)


def _fit_text(
    classifier: TextClassifier,
    reviews: Reviews,
    classes: NDArray[np.float32],
    options: Options,
    tools: TrainingTools,
) -> Fitted:
    tower = classifier.tower
    # 31 k word vectors see too few reviews to be moved well, and are half of the optimiser's memory.
    tower.encoder.embeddings.word_embeddings.weight.requires_grad_(False)
    tokens = tokenize(classifier.tokenizer, reviews.texts)

    def loss_of(batch: Indices) -> torch.Tensor:
        with autocast():
            logits = tower(*pad([tokens[row] for row in batch]))
        return sentiment_loss(logits.float(), reviews, batch, classes)

    lengths = [len(row) for row in tokens]
    preflight.check_lengths("text tower", lengths, options.max_tokens)
    plan = length_bucketed_plan(lengths, options.batch_size, options.epochs, tools.seed)
    preflight.check_gradient("text tower", tower.train(False), loss_of(plan[0]))
    preflight.check_sensitivity(
        "text tower",
        lambda at: classifier.logits([reviews.texts[row] for row in at]),
        np.array([row for row in plan[0] if reviews.texts[row]]),
    )
    groups = [
        {
            "params": [p for p in tower.encoder.parameters() if p.requires_grad],
            "lr": options.learning_rate,
        },
        {"params": tower.head.parameters(), "lr": options.head_learning_rate},
    ]
    checkpoint = _checkpoint(tools, "text")
    task = Task("text tower", tower, groups, loss_of)
    return fit(task, plan, checkpoint, tools.seed)


def _checkpoint(tools: TrainingTools, name: str) -> Checkpoint:
    return Checkpoint(tools.objects, f"{tools.work}/{name}.pt", CHECKPOINT_STEPS)


def _image_logits(classifier: ImageClassifier, reviews: Reviews) -> NDArray[np.float32]:
    """float32 [m, 3] of the rows with a photo, each distinct photo seen once."""
    return classifier.logits_of(reviews.pictures)[0][reviews.picture_of]


def _figures(found: Fit) -> dict[str, Any]:
    image = found.image
    return {
        "parameters": found.model.parameters,
        "text_loss_first": found.text.first_loss,
        "text_loss_last": found.text.last_loss,
        "image_loss_first": image.first_loss if image else None,
        "image_loss_last": image.last_loss if image else None,
        "resumed_at_step": max(found.text.resumed_at, image.resumed_at if image else 0),
        "fusion": found.model.fusion.to_dict(),
    }
