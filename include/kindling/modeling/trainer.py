"""Fits the compact text+image model: both towers apart, then their fusion on validation rows."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from kindling.modeling import preflight, pretrained
from kindling.modeling.checkpoint import Checkpoint
from kindling.modeling.fitting import Fitted, fit, length_bucketed_plan
from kindling.modeling.fusion import fit_fusion
from kindling.modeling.image_tower import ImageClassifier, augment
from kindling.modeling.model import SentimentModel
from kindling.modeling.rows import NONE, Rows, class_weights
from kindling.modeling.text_tower import TextClassifier, autocast, pad, tokenize
from kindling.records import CONDITIONS, SENTIMENTS

#: Fewer training photos than this teach a tower nothing; the model is then text only and says so.
MIN_PHOTOS = 24
LABEL_SMOOTHING = 0.05
#: A condition known by construction says more about the photo than the review's stars do.
CONDITION_LOSS = 2.0
IMAGE_LEARNING_RATE = 2e-3
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
    rows: Rows, validation: Rows, settings: Hyperparameters, text_model: Path | None, work: Path, seed: int
) -> Trained:
    """The model fitted on `rows`, calibrated and fused on `validation`; `work` keeps the checkpoints.

    Rows of weight 0 state no sentiment: their photos show the image tower a condition, no more.
    """
    reviews = rows.only(np.flatnonzero(rows.weights > 0))
    classes = class_weights(reviews.labels, len(SENTIMENTS))
    folder, sha256 = pretrained.locate(text_model)
    text = TextClassifier.fresh(folder, len(SENTIMENTS), settings.max_tokens, seed)
    text_fit = _fit_text(text, reviews, classes, settings, work, seed)
    image, image_fit = _image(rows, classes, settings, work, seed + 1)
    pictured = validation.with_photo
    fusion = fit_fusion(
        text.logits(validation.texts), validation.labels, pictured,
        _image_logits(image, validation, pictured) if image else None,
        classes * np.bincount(reviews.labels, minlength=len(SENTIMENTS)))
    log.info("fusion: %s on %d validation rows with photo, weights text %.2f image %.2f",
             fusion.method, fusion.fitted_on, fusion.text_weight, fusion.image_weight)
    model = SentimentModel(text, image, fusion, pretrained.model_id(folder, sha256), settings.max_tokens)
    return Trained(model, text_fit, image_fit)


def _fit_text(
    classifier: TextClassifier, rows: Rows, classes: np.ndarray, settings: Hyperparameters, work: Path, seed: int
) -> Fitted:
    tower = classifier.tower
    # 31 k word vectors see too few reviews to be moved well, and are half of the optimiser's memory.
    tower.encoder.embeddings.word_embeddings.weight.requires_grad_(False)
    tokens = tokenize(classifier.tokenizer, rows.texts)

    def loss_of(batch: np.ndarray) -> torch.Tensor:
        with autocast():
            logits = tower(*pad([tokens[row] for row in batch]))
        return sentiment_loss(logits.float(), rows, batch, classes)

    plan = length_bucketed_plan([len(row) for row in tokens], settings.batch_size, settings.epochs, seed)
    preflight.check_gradient("text tower", tower.train(False), loss_of(plan[0]))
    probe = np.array([row for row in plan[0] if rows.texts[row]])
    preflight.check_sensitivity("text tower", lambda at: classifier.logits([rows.texts[row] for row in at]), probe)
    groups = [
        {"params": [p for p in tower.encoder.parameters() if p.requires_grad], "lr": settings.learning_rate},
        {"params": tower.head.parameters(), "lr": settings.head_learning_rate},
    ]
    return fit("text tower", tower, groups, plan, loss_of, _checkpoint(work, "text"), seed)


def _image(
    rows: Rows, classes: np.ndarray, settings: Hyperparameters, work: Path, seed: int
) -> tuple[ImageClassifier | None, Fitted | None]:
    pictured = rows.with_photo
    stating = pictured[rows.weights[pictured] > 0]
    if len(stating) < MIN_PHOTOS or len(np.unique(rows.labels[stating])) < 2:
        log.warning("%d training rows with a photo, %d of at least two sentiments are needed: text-only model",
                    len(stating), MIN_PHOTOS)
        return None, None
    classifier = ImageClassifier.fresh(settings.image_size, len(SENTIMENTS), len(CONDITIONS), seed)
    probe = np.unique(rows.picture_of[pictured])
    preflight.check_sensitivity("image tower", lambda at: classifier.logits_of(rows.pictures[at])[0], probe)
    return classifier, _fit_image(classifier, rows, pictured, classes, settings, work, seed)


def _fit_image(
    classifier: ImageClassifier, rows: Rows, pictured: np.ndarray, classes: np.ndarray,
    settings: Hyperparameters, work: Path, seed: int,
) -> Fitted:
    def loss_of(at: np.ndarray) -> torch.Tensor:
        sentiment, condition = classifier.tower(augment(classifier.pixels(rows.pictures[rows.picture_of[at]])))
        return sentiment_loss(sentiment, rows, at, classes) + CONDITION_LOSS * condition_loss(condition, rows, at)

    plan = image_plan(rows, pictured, settings.batch_size, settings.image_epochs, seed)
    preflight.check_gradient("image tower", classifier.tower.train(False), loss_of(plan[0]))
    groups = [{"params": classifier.tower.parameters(), "lr": IMAGE_LEARNING_RATE}]
    return fit("image tower", classifier.tower, groups, plan, loss_of, _checkpoint(work, "image"), seed)


def image_plan(rows: Rows, pictured: np.ndarray, batch_size: int, epochs: int, seed: int) -> list[np.ndarray]:
    """Every photo once an epoch, in random order, the conditions of one studied photo side by side.

    Within a batch they differ in the damage and in nothing else; dealt out at random, the tower took
    twice the epochs to see that damage is what is asked for.
    """
    studied = rows.weights[pictured] == 0
    studies, others = pictured[studied], pictured[~studied]
    units = [*np.split(studies, range(len(CONDITIONS), len(studies), len(CONDITIONS))), *others.reshape(-1, 1)]
    rng = np.random.default_rng(seed)
    plan: list[np.ndarray] = []
    for _ in range(epochs):
        order = np.concatenate([units[at] for at in rng.permutation(len(units))])
        plan += [order[at : at + batch_size] for at in range(0, len(order), batch_size)]
    return plan


def _checkpoint(work: Path, name: str) -> Checkpoint:
    return Checkpoint(work / f"{name}.pt", CHECKPOINT_STEPS)


def sentiment_loss(logits: torch.Tensor, rows: Rows, batch: np.ndarray, classes: np.ndarray) -> torch.Tensor:
    """Smoothed cross-entropy, weighted by class and row."""
    labels = torch.from_numpy(rows.labels[batch])
    weights = torch.from_numpy(rows.weights[batch] * classes[rows.labels[batch]])
    losses = cross_entropy(logits, labels, label_smoothing=LABEL_SMOOTHING, reduction="none")
    return (losses * weights).sum() / weights.sum().clamp(min=1e-6)


def condition_loss(logits: torch.Tensor, rows: Rows, batch: np.ndarray) -> torch.Tensor:
    """Mean smoothed cross-entropy of the rows whose condition is known; 0 where none is."""
    conditions = torch.from_numpy(rows.conditions[batch])
    losses = cross_entropy(logits, conditions, ignore_index=NONE, reduction="sum", label_smoothing=LABEL_SMOOTHING)
    return losses / (conditions != NONE).sum().clamp(min=1)


def _image_logits(classifier: ImageClassifier, rows: Rows, pictured: np.ndarray) -> np.ndarray:
    distinct, back = np.unique(rows.picture_of[pictured], return_inverse=True)
    return classifier.logits_of(rows.pictures[distinct])[0][back]
