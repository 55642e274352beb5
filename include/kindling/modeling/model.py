"""The model as a folder and as a predictor; training writes it, evaluation and serving read it.

Safetensors and JSON only: loading a model runs no code that came with it.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from transformers import BertConfig, BertModel

from kindling.errors import DataError
from kindling.modeling import pretrained
from kindling.modeling.checkpoint import disk_full_named
from kindling.modeling.fusion import Fusion
from kindling.modeling.image_tower import ImageClassifier, ImageTower, Preprocessing
from kindling.modeling.text_tower import TextClassifier, TextTower
from kindling.records import CONDITIONS, SENTIMENTS

Modality = Literal["text", "image", "text+image"]

FORMAT = 3
CONFIG, MANIFEST, FUSION = "config.json", "manifest.json", "fusion.json"
TEXT_CONFIG, TEXT_WEIGHTS, TOKENIZER = (
    "text/config.json",
    "text/model.safetensors",
    "text/tokenizer.json",
)
IMAGE_WEIGHTS = "image/model.safetensors"


@dataclass(frozen=True)
class Prediction:
    #: float64 [n, 3], calibrated, in the order of SENTIMENTS.
    probabilities: np.ndarray
    #: What each answer was read from.
    modality: tuple[Modality, ...]

    @property
    def sentiments(self) -> list[str]:
        return [SENTIMENTS[at] for at in self.probabilities.argmax(1)]

    @property
    def confidence(self) -> np.ndarray:
        """Probability of the sentiment answered, [n]."""
        return self.probabilities.max(1)


class SentimentModel:
    """Text tower, image tower (None in a text-only model) and their fusion."""

    def __init__(
        self,
        text: TextClassifier,
        image: ImageClassifier | None,
        fusion: Fusion,
        text_model: str,
        max_tokens: int,
    ) -> None:
        self.text = text
        self.image = image
        self.fusion = fusion
        #: Name of the published weights that the text tower started from.
        self.text_model = text_model
        self.max_tokens = max_tokens

    @property
    def parameters(self) -> int:
        towers = [self.text.tower] + ([self.image.tower] if self.image else [])
        return sum(
            parameter.numel() for tower in towers for parameter in tower.parameters()
        )

    def predict(
        self, texts: Sequence[str | None], images: Sequence[bytes | None]
    ) -> Prediction:
        """One answer a row; a row has a text, an encoded photo, or both.

        DataError for a row without either (a photo alone needs an image tower) and for a photo that
        cannot be read. A text-only model answers a row of both from the text and says so.
        """
        if len(texts) != len(images):
            raise ValueError(f"{len(texts)} texts and {len(images)} images")
        modality = [
            self._modality(row, *pair)
            for row, pair in enumerate(zip(texts, images, strict=True))
        ]
        with_text = [row for row, kind in enumerate(modality) if kind != "image"]
        with_image = [row for row, kind in enumerate(modality) if kind != "text"]
        text_logits, image_logits = np.zeros(
            (2, len(texts), len(SENTIMENTS)), dtype=np.float32
        )
        if with_text:
            text_logits[with_text] = self.text.logits([texts[row] for row in with_text])  # type: ignore[misc]
        if with_image and self.image:
            image_logits[with_image] = self.image.logits(
                [images[row] for row in with_image]
            )  # type: ignore[misc]
        probabilities = np.zeros((len(texts), len(SENTIMENTS)))
        for kind in set(modality):
            rows = [row for row, other in enumerate(modality) if other == kind]
            probabilities[rows] = self.fusion.probabilities(
                None if kind == "image" else text_logits[rows],
                None if kind == "text" else image_logits[rows],
            )
        return Prediction(probabilities, tuple(modality))

    def _modality(self, row: int, text: str | None, image: bytes | None) -> Modality:
        seen = image is not None and self.image is not None
        if text is None and not seen:
            raise DataError(
                f"row {row} has no text"
                + (
                    " and no photo"
                    if image is None
                    else ", and this model was trained without photos"
                )
            )
        return (
            "text+image" if text is not None and seen else "image" if seen else "text"
        )

    def save(self, folder: Path) -> None:
        """Write the model; the manifest with every file's SHA-256 comes last.

        Files that are already in the folder (the baseline's) become part of the manifest.
        """
        with disk_full_named(folder):
            (folder / "text").mkdir(parents=True, exist_ok=True)
            _write_json(
                folder / TEXT_CONFIG, self.text.tower.encoder.config.to_diff_dict()
            )
            self.text.tokenizer.save(str(folder / TOKENIZER))
            safetensors.torch.save_file(
                _tensors(self.text.tower), folder / TEXT_WEIGHTS
            )
            if self.image:
                (folder / "image").mkdir(exist_ok=True)
                safetensors.torch.save_file(
                    _tensors(self.image.tower), folder / IMAGE_WEIGHTS
                )
            _write_json(folder / FUSION, self.fusion.to_dict())
            _write_json(folder / CONFIG, self._config())
            _write_json(folder / MANIFEST, _hashes(folder))

    def _config(self) -> dict[str, Any]:
        image = self.image and {
            **asdict(self.image.preprocessing),
            "sha256": self.image.preprocessing.sha256(),
            "conditions": CONDITIONS,
        }
        return {
            "format": FORMAT,
            "labels": SENTIMENTS,
            "text_model": self.text_model,
            "max_tokens": self.max_tokens,
            "image": image,
        }

    @classmethod
    def load(cls, folder: Path) -> "SentimentModel":
        """The model in a folder; DataError when a file is missing or is not the one that was written."""
        verify(folder)
        config = _read_json(folder / CONFIG)
        if config["format"] != FORMAT or tuple(config["labels"]) != SENTIMENTS:
            raise DataError(
                f"{folder}: model format {config['format']} with labels {config['labels']}; "
                f"this code reads format {FORMAT} with {list(SENTIMENTS)}"
            )
        return cls(
            _load_text(folder, config["max_tokens"]),
            _load_image(folder, config["image"]),
            Fusion.from_dict(_read_json(folder / FUSION)),
            config["text_model"],
            config["max_tokens"],
        )


def verify(folder: Path) -> dict[str, str]:
    """The manifest (file -> SHA-256) once every file was found to be what it says; DataError otherwise."""
    if not (folder / MANIFEST).is_file():
        raise DataError(f"{folder} is no model folder: {MANIFEST} is missing")
    wanted = _read_json(folder / MANIFEST)
    found = _hashes(folder)
    for name, sha256 in wanted.items():
        if found.get(name) != sha256:
            raise DataError(
                f"{folder / name}: "
                + ("missing" if name not in found else "changed since training")
            )
    if {CONFIG, FUSION, TEXT_CONFIG, TEXT_WEIGHTS, TOKENIZER} - set(wanted):
        raise DataError(f"{folder / MANIFEST}: names too few files to be a model")
    return wanted


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    }


def _load_text(folder: Path, max_tokens: int) -> TextClassifier:
    encoder = BertModel(
        BertConfig(**_read_json(folder / TEXT_CONFIG)), add_pooling_layer=False
    )
    tower = TextTower(encoder, len(SENTIMENTS))
    _fill(tower, folder / TEXT_WEIGHTS)
    return TextClassifier(pretrained.load_tokenizer(folder / "text", max_tokens), tower)


def _load_image(folder: Path, config: dict[str, Any] | None) -> ImageClassifier | None:
    if config is None:
        return None
    preprocessing = Preprocessing(
        config["size"], config["mean"], config["scale"], config["fit"]
    )
    if preprocessing.sha256() != config["sha256"]:
        raise DataError(
            f"{folder / CONFIG}: made with another image preprocessing than this code's"
        )
    tower = ImageTower(len(SENTIMENTS), len(CONDITIONS))
    _fill(tower, folder / IMAGE_WEIGHTS)
    return ImageClassifier(preprocessing, tower)


def _fill(tower: torch.nn.Module, path: Path) -> None:
    try:
        tower.load_state_dict(safetensors.torch.load_file(path))
    except (RuntimeError, SafetensorError) as error:
        raise DataError(f"{path} does not hold this code's tower: {error}") from error
    tower.train(False)


def _tensors(tower: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {
        name: tensor.detach().contiguous()
        for name, tensor in tower.state_dict().items()
    }


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True), encoding="utf-8")
