"""Teaches the image tower: what damage looks like and where it is, then what it says about the sentiment."""

import logging

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from kindling.modeling import preflight
from kindling.modeling.checkpoint import Checkpoint
from kindling.modeling.fitting import LABEL_SMOOTHING, Fitted, fit
from kindling.modeling.image_tower import ImageClassifier, augment, damaged_places
from kindling.modeling.rows import NONE, Rows
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
    rows: Rows, size: int, epochs: int, checkpoint: Checkpoint, seed: int
) -> tuple[ImageClassifier | None, Fitted | None]:
    """A tower fitted on photos of known condition, its sentiment on photos with stars; None when there are too few."""
    pictured = rows.with_photo
    known = pictured[rows.conditions[pictured] != NONE]
    starred = _starred(rows, pictured)
    if (
        min(len(known), len(starred)) < MIN_PHOTOS
        or len(np.unique(rows.labels[starred])) < 2
    ):
        log.warning(
            "%d training photos of known condition and %d with stars, %d each and two sentiments are needed: "
            "text-only model",
            len(known),
            len(starred),
            MIN_PHOTOS,
        )
        return None, None
    classifier = ImageClassifier.fresh(size, len(SENTIMENTS), len(CONDITIONS), seed)
    probe = np.unique(rows.picture_of[known])
    preflight.check_sensitivity(
        "image tower", lambda at: classifier.logits_of(rows.pictures[at])[1], probe
    )
    fitted = _fit_conditions(classifier, rows, known, epochs, checkpoint, seed)
    _fit_sentiment(classifier, rows, starred)
    return classifier, fitted


def _starred(rows: Rows, pictured: np.ndarray) -> np.ndarray:
    """Rows that say what a condition means for the sentiment: real ones, or all where those are too few.

    The condition of a synthetic review was chosen to suit its sentiment: it tells the chooser's beliefs.
    """
    stating = pictured[rows.weights[pictured] > 0]
    real = stating[rows.conditions[stating] == NONE]
    return (
        real
        if len(real) >= MIN_PHOTOS
        and len(np.unique(rows.labels[real])) == len(SENTIMENTS)
        else stating
    )


def _fit_conditions(
    classifier: ImageClassifier,
    rows: Rows,
    known: np.ndarray,
    epochs: int,
    checkpoint: Checkpoint,
    seed: int,
) -> Fitted:
    def loss_of(at: np.ndarray) -> torch.Tensor:
        pictures, intact = rows.pictures[rows.picture_of[at]], rows.intact_of[at]
        located = torch.from_numpy(intact != NONE)
        # Without the intact shot (-1 stands for any picture here) the places are not judged.
        pixels, damage = augment(
            classifier.pixels(pictures), damaged_places(pictures, rows.pictures[intact])
        )
        places, condition = classifier.tower(pixels)
        return condition_loss(
            condition, places, torch.from_numpy(rows.conditions[at]), damage, located
        )

    plan = image_plan(rows, known, BATCH, epochs, seed)
    preflight.check_gradient(
        "image tower", classifier.tower.train(False), loss_of(plan[0])
    )
    groups = [{"params": [*classifier.tower.parameters()], "lr": LEARNING_RATE}]
    return fit("image tower", classifier.tower, groups, plan, loss_of, checkpoint, seed)


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


def image_plan(
    rows: Rows, known: np.ndarray, batch_size: int, epochs: int, seed: int
) -> list[np.ndarray]:
    """Every photo once an epoch, in random order, the conditions of one studied photo side by side.

    Within a batch they differ in the damage and in nothing else; dealt out at random, the tower took
    twice the epochs to see that damage is what is asked for.
    """
    studied = rows.weights[known] == 0
    studies, others = known[studied], known[~studied]
    units = [
        *np.split(studies, range(len(CONDITIONS), len(studies), len(CONDITIONS))),
        *others.reshape(-1, 1),
    ]
    rng = np.random.default_rng(seed)
    plan: list[np.ndarray] = []
    for _ in range(epochs):
        order = np.concatenate([units[at] for at in rng.permutation(len(units))])
        plan += [order[at : at + batch_size] for at in range(0, len(order), batch_size)]
    return plan


def _fit_sentiment(
    classifier: ImageClassifier, rows: Rows, starred: np.ndarray
) -> None:
    """What conditions mean by maximum a posteriori, with L-BFGS: without evidence, what the stars say without photos."""
    conditions = torch.from_numpy(
        classifier.logits_of(rows.pictures[rows.picture_of[starred]])[1]
    )
    labels, weights = (
        torch.from_numpy(rows.labels[starred]),
        torch.from_numpy(rows.weights[starred]),
    )
    counts = (
        torch.bincount(labels, weights=weights, minlength=len(SENTIMENTS)).float() + 1
    )
    meaning, unconditional = classifier.tower.sentiment, (counts / counts.sum()).log()
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
        value = (
            0.5 * pull
            - (meaning(conditions)[torch.arange(len(labels)), labels] * weights).sum()
        )
        value.backward()
        return value

    optimizer.step(loss)
