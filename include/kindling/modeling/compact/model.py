"""The compact model as a folder and as a classifier; training writes it, evaluation and serving read it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import BertConfig, BertModel

from kindling.errors import DataError
from kindling.modeling import folder as files
from kindling.modeling import pretrained
from kindling.modeling.compact.answering import Towers, answered
from kindling.modeling.compact.fusion import Fusion
from kindling.modeling.compact.image_tower import (
    ImageClassifier,
    ImageTower,
    Preprocessing,
)
from kindling.modeling.compact.pooled import WORDS, Words, load_words
from kindling.modeling.compact.text_tower import TextClassifier, TextTower
from kindling.modeling.memo import Memo
from kindling.ports.classifier import Prediction
from kindling.records import CONDITIONS, SENTIMENTS

FORMAT = 5
#: Written before word n-grams stood beside the text tower: it answers without them.
TOWERS_FORMAT = 4
#: Written before the pretrained eyes: its image tower is gone, its text tower is the same.
TEXT_ONLY_FORMAT = 3
FUSION = "fusion.json"
TEXT_CONFIG, TEXT_WEIGHTS, TOKENIZER = (
    "text/config.json",
    "text/model.safetensors",
    "text/tokenizer.json",
)
IMAGE_WEIGHTS = "image/model.safetensors"
WANTED = (files.CONFIG, FUSION, TEXT_CONFIG, TEXT_WEIGHTS, TOKENIZER)


class CompactModel:
    """Text tower with word n-grams beside it (None in an older folder), image tower (None in a text-only
    model) and their fusion.
    """

    kind = "compact"

    def __init__(
        self,
        text: TextClassifier,
        image: ImageClassifier | None,
        fusion: Fusion,
        base_model: str,
        max_tokens: int,
        words: Words | None = None,
    ) -> None:
        self.text = text
        self.words = words
        self.image = image
        self.fusion = fusion
        #: Name of the published weights that the text tower started from.
        self.base_model = base_model
        self.max_tokens = max_tokens
        self._read_texts: Callable[[Sequence[str]], NDArray[np.float32]] = (
            words.beside(text.logits) if words else text.logits
        )
        self._read_photos: Callable[[Sequence[bytes]], NDArray[np.float32]] | None = (
            image.logits if image else None
        )

    @property
    def parameters(self) -> int:
        """How many weights it has, frozen ones included."""
        text = sum(one.numel() for one in self.text.tower.parameters())
        words = self.words.model.parameters if self.words else 0
        return text + words + (self.image.parameters if self.image else 0)

    @property
    def reads_photos(self) -> bool:
        """Whether it has an image tower."""
        return self.image is not None

    @property
    def photo_size(self) -> int | None:
        """Pixels a side of what it sees of a photo; None where it sees none."""
        return self.image.preprocessing.size if self.image else None

    @property
    def calibrated(self) -> bool:
        """Without validation rows the temperature stays at exactly 1."""
        return self.fusion.text_temperature != 1.0

    def remembering(self) -> "CompactModel":
        """The same model; each tower reads a text or photo once, whatever it is put together with."""
        other = CompactModel(
            self.text,
            self.image,
            self.fusion,
            self.base_model,
            self.max_tokens,
            self.words,
        )
        other._read_texts = Memo(self._read_texts)
        if self._read_photos:
            other._read_photos = Memo(self._read_photos)
        return other

    def predict(
        self, texts: Sequence[str | None], photos: Sequence[bytes | None]
    ) -> Prediction:
        """One answer a row; a row has a text, an encoded photo, or both.

        DataError for a row without either (a photo alone needs an image tower) and for a photo that
        cannot be read. A text-only model answers a row of both from the text and says so.
        """
        towers = Towers(self._read_texts, self._read_photos)
        return answered(texts, photos, towers, self.fusion)

    def save(self, folder: Path) -> None:
        """Write the model; the manifest with every file's SHA-256 comes last.

        Files that are already in the folder (the baseline's) become part of the manifest.
        """
        with files.disk_full_named(folder):
            (folder / "text").mkdir(parents=True, exist_ok=True)
            files.write_json(
                folder / TEXT_CONFIG, self.text.tower.encoder.config.to_diff_dict()
            )
            self.text.tokenizer.save(str(folder / TOKENIZER))
            files.write_weights(
                folder / TEXT_WEIGHTS, dict(self.text.tower.state_dict())
            )
            if self.image:
                files.write_weights(
                    folder / IMAGE_WEIGHTS, dict(self.image.tower.state_dict())
                )
            if self.words:
                self.words.model.save(folder / WORDS)
            files.write_json(folder / FUSION, self.fusion.to_dict())
            files.write_json(folder / files.CONFIG, self._config())
            files.seal(folder)

    def _config(self) -> dict[str, Any]:
        image = self.image and {
            **asdict(self.image.preprocessing),
            "sha256": self.image.preprocessing.sha256(),
            "conditions": CONDITIONS,
        }
        return {
            "kind": self.kind,
            "format": FORMAT,
            "labels": SENTIMENTS,
            "text_model": self.base_model,
            "max_tokens": self.max_tokens,
            "tower_temperature": self.words and self.words.tower_temperature,
            "image": image,
        }

    @classmethod
    def load(cls, folder: Path) -> "CompactModel":
        """The model in a folder; DataError when a file is missing or is not the one that was written."""
        files.verify(folder, WANTED)
        config = files.read_json(folder / files.CONFIG)
        readable = [FORMAT, TOWERS_FORMAT]
        if not config["image"]:
            readable.append(TEXT_ONLY_FORMAT)
        if config["format"] not in readable or tuple(config["labels"]) != SENTIMENTS:
            raise DataError(
                f"{folder}: model format {config['format']} with labels {config['labels']}; "
                f"this code reads formats {TOWERS_FORMAT} and {FORMAT} (and {TEXT_ONLY_FORMAT} without an"
                f" image tower) with {list(SENTIMENTS)}; train it again"
            )
        return cls(
            _load_text(folder, config["max_tokens"]),
            _load_image(folder, config["image"]),
            Fusion.from_dict(files.read_json(folder / FUSION)),
            config["text_model"],
            config["max_tokens"],
            load_words(folder, config),
        )


def _load_text(folder: Path, max_tokens: int) -> TextClassifier:
    encoder = BertModel(
        BertConfig(**files.read_json(folder / TEXT_CONFIG)), add_pooling_layer=False
    )
    tower = TextTower(encoder, len(SENTIMENTS))
    files.fill(tower, folder / TEXT_WEIGHTS)
    return TextClassifier(pretrained.load_tokenizer(folder / "text", max_tokens), tower)


def _load_image(folder: Path, config: dict[str, Any] | None) -> ImageClassifier | None:
    if config is None:
        return None
    preprocessing = Preprocessing(
        config["size"],
        config["mean"],
        config["scale"],
        config["fit"],
        config.get("eyes", "none"),
    )
    if preprocessing.sha256() != config["sha256"]:
        raise DataError(
            f"{folder / files.CONFIG}: made with another image preprocessing than this code's"
        )
    tower = ImageTower(len(SENTIMENTS), len(CONDITIONS))
    files.fill(tower, folder / IMAGE_WEIGHTS)
    return ImageClassifier(preprocessing, tower)
