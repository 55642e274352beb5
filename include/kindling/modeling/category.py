"""What kind of product a photo shows: the likeliest categories, "unknown", and photos that show another than stated.

Many small pictures train a network of their own; few photos are looked at by the published eyes (frozen
EfficientNet-Lite0), whose features a logistic regression reads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from kindling.errors import DataError
from kindling.modeling import efficientnet
from kindling.modeling.calibration import fit_temperature
from kindling.modeling.checkpoint import Checkpoint
from kindling.modeling.device import autocast, device
from kindling.modeling.small_network import Course, fit_network, network_logits

UNKNOWN = "unknown"
#: From so many pictures on a network of their own is trained.
MANY = 10_000
#: Share of pictures that is held out to set what counts as unknown: of many, and of few.
HELD_OUT_SHARE, HELD_OUT_OF_FEW = 0.05, 0.2
#: Share of known pictures that may be called unknown.
FALSE_UNKNOWN = 0.01
FOLDS = 3
EYES_SIZE, EYES_BATCH = 128, 16

Pictures = NDArray[np.uint8]
Labels = NDArray[np.int64]
Logits = NDArray[np.float32]
Read = Callable[[Pictures], Logits]


@dataclass(frozen=True)
class Guess:
    """Categories of one picture, likeliest first, with their probabilities; none where it is unknown."""

    categories: tuple[str, ...]
    probabilities: tuple[float, ...]

    @property
    def best(self) -> str:
        """The likeliest category, or "unknown"."""
        return self.categories[0] if self.categories else UNKNOWN


@dataclass(frozen=True)
class CategoryModel:
    """Pictures of one thing -> their categories."""

    names: tuple[str, ...]
    #: uint8 [n, side, side, channels] -> logits [n, categories].
    read: Read
    temperature: float
    #: Largest logit below which a picture is unknown: Hendrycks et al. 2022, "Scaling OOD Detection".
    least_logit: float

    def top(self, pictures: Pictures, k: int = 3) -> list[Guess]:
        """The k likeliest categories of each picture."""
        logits = self.read(pictures)
        probabilities = softmax(logits / self.temperature, axis=1)
        found = []
        for row, likely in zip(logits, probabilities, strict=True):
            known = row.max() >= self.least_logit
            order = np.argsort(-likely)[: k if known else 0].tolist()
            found.append(
                Guess(
                    tuple(self.names[at] for at in order),
                    tuple(float(likely[at]) for at in order),
                )
            )
        return found


def fit_category(
    pictures: Pictures,
    labels: Labels,
    names: Sequence[str],
    course: Course,
    checkpoint: Checkpoint,
) -> CategoryModel:
    """The model of uint8 pictures [n, side, side, channels]; `labels` [n] are indices in `names`.

    DataError when a category has no picture.
    """
    absent = [name for at, name in enumerate(names) if at not in labels]
    if absent:
        raise DataError(f"no picture shows {', '.join(absent)}")
    order = np.random.default_rng(course.seed).permutation(len(pictures))
    many = len(pictures) >= MANY
    share = HELD_OUT_SHARE if many else HELD_OUT_OF_FEW
    held_out = order[: max(1, round(share * len(order)))]
    learned = order[len(held_out) :]
    if many:
        network, _ = fit_network(
            pictures[learned], labels[learned], len(names), course, checkpoint
        )
        read: Read = partial(network_logits, network)
    else:
        read = _fit_above_eyes(pictures[learned], labels[learned], len(names))
    logits = read(pictures[held_out])
    return CategoryModel(
        tuple(names),
        read,
        fit_temperature(logits, labels[held_out]),
        float(np.quantile(logits.max(1), FALSE_UNKNOWN)),
    )


@dataclass(frozen=True)
class Doubt:
    """A photo that does not show its category: what it seems to show, and how surely."""

    row: int
    seems: str
    probability: float


@dataclass(frozen=True)
class Agreement:
    """How well photos and stated categories agree, each photo judged by a model that has not seen it."""

    photos: int
    top_1: float
    top_3: float
    doubts: tuple[Doubt, ...]


def agreement(pictures: Pictures, categories: Sequence[str], seed: int) -> Agreement:
    """Photos uint8 [n, 128, 128, 3] against their categories.

    A photo is doubted where its category is not among the three likeliest and the likeliest is at least
    as sure as photos of that category are on average: Northcutt et al. 2021, "Confident Learning".
    ValueError where a category has fewer photos than FOLDS.
    """
    names, labels = np.unique(np.asarray(categories), return_inverse=True)
    if np.bincount(labels).min() < FOLDS:
        raise ValueError(f"every category needs {FOLDS} photos")
    seen = eyes_features(pictures)
    likely = np.zeros((len(labels), len(names)))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for learned, judged in folds.split(seen, labels):
        model = _regression().fit(seen[learned], labels[learned])
        likely[judged] = model.predict_proba(seen[judged])
    order = np.argsort(-likely, axis=1)
    usual = np.array([likely[labels == at, at].mean() for at in range(len(names))])
    rows = np.arange(len(labels))
    among = (order[:, :3] == labels[:, None]).any(1)
    sure = likely[rows, order[:, 0]] >= usual[order[:, 0]]
    doubts = tuple(
        Doubt(int(row), str(names[order[row, 0]]), float(likely[row].max()))
        for row in np.flatnonzero(~among & sure)
    )
    return Agreement(
        len(labels), float((order[:, 0] == labels).mean()), float(among.mean()), doubts
    )


def eyes_features(pictures: Pictures) -> NDArray[np.float32]:
    """float32 [n, 2 * channels of all levels]: mean and maximum of each channel of the frozen eyes."""
    eyes = efficientnet.load().to(device())
    found = []
    for start in range(0, len(pictures), EYES_BATCH):
        some = np.ascontiguousarray(pictures[start : start + EYES_BATCH])
        pixels = torch.from_numpy(some).to(device()).permute(0, 3, 1, 2).float()
        with torch.inference_mode(), autocast():
            levels = eyes((pixels - efficientnet.MEAN) / efficientnet.SCALE)
        pooled = [
            part
            for level in levels
            for part in (level.float().mean((2, 3)), level.float().amax((2, 3)))
        ]
        found.append(torch.cat(pooled, dim=1).cpu().numpy())
    return np.concatenate(found)


def _fit_above_eyes(pictures: Pictures, labels: Labels, classes: int) -> Read:
    model = _regression().fit(eyes_features(pictures), labels)

    def read(some: Pictures) -> Logits:
        logits = np.asarray(model.decision_function(eyes_features(some)))
        if classes == 2:
            logits = np.stack([-logits / 2, logits / 2], axis=1)
        return logits.astype(np.float32)

    return read


def _regression() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=300))
