"""Teaches the image tower: what damage looks like and where it is, then what it says about the sentiment."""

import logging

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from kindling.modeling import preflight
from kindling.modeling.checkpoint import Checkpoint
from kindling.modeling.compact.image_tower import (
    ImageClassifier,
    augment,
    damaged_places,
)
from kindling.modeling.compact.rows import Indices, Reviews, Shots
from kindling.modeling.fitting import LABEL_SMOOTHING, Fitted, Task, fit
from kindling.records import CONDITIONS, SENTIMENTS

#: Fewer photos than this, of known condition or with stars, teach nothing; the model is then text only and says so.
MIN_PHOTOS = 24
LEARNING_RATE = 1e-3
#: Four studies. Half as many steps of 32 photos learned less in the same time (AUC .905 against .935, n=352).
BATCH = 16
#: Most places of a photo are intact whatever its condition, so that their mean loss is small.
PLACE_LOSS = 4.0
#: Prior variance of how much rarer or more frequent than in the studies a condition is, in log; of all else 1.
SHIFT_VARIANCE = 4.0
INTACT = CONDITIONS.index("intact")

log = logging.getLogger(__name__)


def fit_image(
    reviews: Reviews,
    shots: Shots,
    size: int,
    epochs: int,
    checkpoint: Checkpoint,
    seed: int,
) -> tuple[ImageClassifier, Fitted] | None:
    """A tower fitted on photos of known condition, its sentiment on photos with stars.

    None when there are too few of either.
    """
    starred = _starred(reviews)
    sentiments = np.unique(reviews.labels[reviews.pictured[starred]])
    known = len(shots.conditions)
    if min(known, len(starred)) < MIN_PHOTOS or len(sentiments) < 2:
        log.warning(
            "%d training photos of known condition and %d with stars, %d each and two sentiments are needed: "
            "text-only model",
            known,
            len(starred),
            MIN_PHOTOS,
        )
        return None
    classifier = ImageClassifier.fresh(size, len(SENTIMENTS), len(CONDITIONS), seed)
    preflight.check_sensitivity(
        "image tower",
        lambda at: classifier.logits_of(shots.pictures[at])[1],
        np.arange(known),
    )
    fitted = _fit_conditions(classifier, shots, epochs, checkpoint, seed)
    _fit_sentiment(classifier, reviews, starred)
    return classifier, fitted


def _starred(reviews: Reviews) -> Indices:
    """Places in `pictured` that say what a condition means for the sentiment: real rows, or all where those are too few.

    The condition of a synthetic review was chosen to suit its sentiment: it tells the chooser's beliefs.
    """
    real = np.flatnonzero(~reviews.drawn)
    sentiments = np.unique(reviews.labels[reviews.pictured[real]])
    if len(real) >= MIN_PHOTOS and len(sentiments) == len(SENTIMENTS):
        return real
    return np.arange(len(reviews.pictured))


def _fit_conditions(
    classifier: ImageClassifier,
    shots: Shots,
    epochs: int,
    checkpoint: Checkpoint,
    seed: int,
) -> Fitted:
    tower = classifier.tower
    truth = torch.from_numpy(shots.conditions).to(tower.place.weight.device)

    def loss_of(at: Indices) -> torch.Tensor:
        pixels, damage = augment(
            classifier.pixels(shots.pictures[at]), _damage(shots, at)
        )
        places, condition = classifier.read(pixels)
        located = torch.from_numpy(shots.studied(at)).to(truth.device)
        return condition_loss(condition, places, truth[at], damage, located)

    plan = image_plan(shots, BATCH, epochs, seed)
    preflight.check_gradient("image tower", tower.train(False), loss_of(plan[0]))
    groups = [{"params": [*tower.parameters()], "lr": LEARNING_RATE}]
    task = Task("image tower", tower, groups, loss_of)
    return fit(task, plan, checkpoint, seed)


def _damage(shots: Shots, at: Indices) -> torch.Tensor:
    """bool [n, h, w]: the damaged places of studies; nowhere on photos whose intact shot is unknown."""
    known = shots.studied(at)
    against = shots.pictures[at].copy()
    against[known] = shots.intact(at[known])
    return damaged_places(shots.pictures[at], against)


def condition_loss(
    condition: torch.Tensor,
    places: torch.Tensor,
    truth: torch.Tensor,
    damage: torch.Tensor,
    located: torch.Tensor,
) -> torch.Tensor:
    """Smoothed cross-entropy of the photos' conditions [n, 4], and of their places [n, 4, h, w] where `located` [n].

    `truth` int64 [n]; `damage` bool [n, h, w] says which places show it, all others are intact.
    """
    loss = cross_entropy(condition, truth, label_smoothing=LABEL_SMOOTHING)
    if not located.any():
        return loss
    shown = torch.where(damage, truth[:, None, None], INTACT)[located]
    return loss + PLACE_LOSS * cross_entropy(places[located], shown)


def image_plan(shots: Shots, batch_size: int, epochs: int, seed: int) -> list[Indices]:
    """Every photo once an epoch, in random order, the conditions of one studied photo side by side.

    Within a batch they differ in the damage and in nothing else; dealt out at random, the tower took
    twice the epochs to see that damage is what is asked for.
    """
    studied = shots.studies * len(CONDITIONS)
    units = [
        *np.arange(studied).reshape(-1, len(CONDITIONS)),
        *np.arange(studied, len(shots.conditions)).reshape(-1, 1),
    ]
    rng = np.random.default_rng(seed)
    plan: list[Indices] = []
    for _ in range(epochs):
        order = np.concatenate([units[at] for at in rng.permutation(len(units))])
        plan += [order[at : at + batch_size] for at in range(0, len(order), batch_size)]
    return plan


def _fit_sentiment(
    classifier: ImageClassifier, reviews: Reviews, starred: Indices
) -> None:
    """What conditions mean by maximum a posteriori, with L-BFGS: without evidence, what the stars say without photos."""
    meaning = classifier.tower.sentiment
    to = meaning.table.device
    pictures = reviews.pictures[reviews.picture_of[starred]]
    conditions = torch.from_numpy(classifier.logits_of(pictures)[1]).to(to)
    rows = reviews.pictured[starred]
    labels = torch.from_numpy(reviews.labels[rows]).to(to)
    weights = torch.from_numpy(reviews.weights[rows]).to(to)
    counts = torch.bincount(labels, weights=weights, minlength=len(SENTIMENTS)) + 1
    unconditional = (counts / counts.sum()).float().log()
    with torch.no_grad():
        meaning.table.copy_(unconditional.expand_as(meaning.table))
    optimizer = torch.optim.LBFGS(
        meaning.parameters(), max_iter=300, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        pull = (
            ((meaning.table - unconditional) ** 2).sum()
            + meaning.log_sharpness**2
            + (meaning.shift**2).sum() / SHIFT_VARIANCE
        )
        said = meaning(conditions)[torch.arange(len(labels)), labels]
        value: torch.Tensor = 0.5 * pull - (said * weights).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
