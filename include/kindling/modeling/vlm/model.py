"""A tuned vision-language model as a folder and as a classifier: evaluated, gated and served like any other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from torch import nn

from kindling.errors import DataError
from kindling.modeling import folder as files
from kindling.modeling.calibration import fit_temperature
from kindling.modeling.device import device
from kindling.modeling.vlm import weights
from kindling.modeling.vlm.conversation import PROMPT, Conversation, Turn
from kindling.modeling.vlm.reading import answer_logits
from kindling.ports.classifier import Modality, Prediction
from kindling.records import SENTIMENTS

FORMAT = 1
#: Folder of the model and its processor within the model folder.
INNER = "vlm"
WANTED = (files.CONFIG, f"{INNER}/config.json")
Asked = tuple[str | None, bytes | None]


class VlmModel:
    """Model, processor and the temperature of its answers."""

    kind = "vlm"
    reads_photos = True

    def __init__(
        self,
        model: nn.Module,
        processor: Any,
        base_model: str,
        text_tokens: int,
        temperature: float = 1.0,
    ) -> None:
        self.model = model.to(device()).train(False)
        self.conversation = Conversation(processor, text_tokens)
        #: Kind and hash of the weights that training started from.
        self.base_model = base_model
        self.temperature = temperature
        self._known: dict[Asked, NDArray[np.float32]] | None = None

    @property
    def parameters(self) -> int:
        """How many weights it has, eyes included."""
        return sum(one.numel() for one in self.model.parameters())

    @property
    def calibrated(self) -> bool:
        """Without validation rows the temperature stays at exactly 1."""
        return self.temperature != 1.0

    def remembering(self) -> "VlmModel":
        """The same model; a text with its photo is read once."""
        other = VlmModel(
            self.model,
            self.conversation.processor,
            self.base_model,
            self.conversation.text_tokens,
            self.temperature,
        )
        other._known = {}
        return other

    def predict(
        self, texts: Sequence[str | None], photos: Sequence[bytes | None]
    ) -> Prediction:
        """One answer a row, by the log-probabilities of the three words.

        DataError for a row without text and photo, and for a photo that cannot be read.
        """
        if len(texts) != len(photos):
            raise ValueError(f"{len(texts)} texts and {len(photos)} photos")
        asked = list(zip(texts, photos, strict=True))
        modality = tuple(_modality(row, *one) for row, one in enumerate(asked))
        return Prediction(self._probabilities(self.logits(asked)), modality)

    def logits(self, asked: Sequence[Asked]) -> NDArray[np.float32]:
        """float32 [n, 3]: log P(answer) of each text and photo."""
        known = {} if self._known is None else self._known
        new = [one for one in dict.fromkeys(asked) if one not in known]
        if new:
            turns = [turn(*one) for one in new]
            read = answer_logits(self.model, self.conversation, turns)
            known.update(zip(new, read, strict=True))
        shape = (len(asked), len(SENTIMENTS))
        return np.array([known[one] for one in asked], dtype=np.float32).reshape(shape)

    def calibrate(self, asked: Sequence[Asked], labels: NDArray[np.int64]) -> None:
        """Fit the temperature on rows that training has not seen; `labels` [n] are indices in SENTIMENTS."""
        self.temperature = fit_temperature(self.logits(asked), labels)

    def save(self, folder: Path) -> None:
        """The whole model, not an adapter; the manifest with every file's SHA-256 comes last."""
        with files.disk_full_named(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self.model.save_pretrained(folder / INNER)  # type: ignore[operator]
            self.conversation.processor.save_pretrained(folder / INNER)
            files.write_json(folder / files.CONFIG, self._config())
            files.seal(folder)

    @classmethod
    def load(cls, folder: Path) -> "VlmModel":
        """The model in a folder; DataError when a file is missing, changed, or of another prompt."""
        files.verify(folder, WANTED)
        config = files.read_config(folder, "vision-language", FORMAT)
        model, processor = weights.load(folder / INNER)
        found = cls(
            model,
            processor,
            config["base_model"],
            config["text_tokens"],
            config["temperature"],
        )
        if config["prompt_sha256"] != found.conversation.prompt_sha256:
            raise DataError(
                f"{folder}: trained on another text of the prompt {config['prompt']};"
                " train it again"
            )
        return found

    def _config(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "format": FORMAT,
            "labels": SENTIMENTS,
            "base_model": self.base_model,
            "text_tokens": self.conversation.text_tokens,
            "temperature": self.temperature,
            "prompt": PROMPT,
            "prompt_sha256": self.conversation.prompt_sha256,
        }

    def _probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        scaled = logits.astype(np.float64) / self.temperature
        return np.asarray(softmax(scaled, axis=1))


def turn(text: str | None, photo: bytes | None) -> Turn:
    """What is asked about a text, a photo, or both."""
    return Turn(text or "(the customer wrote nothing)", photo)


def _modality(row: int, text: str | None, photo: bytes | None) -> Modality:
    if text is None and photo is None:
        raise DataError(f"row {row} has no text and no photo")
    if photo is None:
        return "text"
    return "image" if text is None else "text+image"
