"""The compact model as graphs of 8-bit integers, for a processor. Nothing here needs torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kindling.errors import DataError
from kindling.modeling import folder as files
from kindling.modeling import pretrained
from kindling.modeling.compact.answering import Towers, answered
from kindling.modeling.compact.fusion import Fusion
from kindling.modeling.compact.pooled import load_words
from kindling.modeling.onnx_session import opened
from kindling.modeling.onnx_text import GraphEncoder, TextGraph
from kindling.modeling.photos import decode
from kindling.ports.classifier import Prediction

#: Folder within the model's, and what lies in it.
FOLDER = "int8"
EXPORT, TEXT, IMAGE, SEARCH = "export.json", "text.onnx", "image.onnx", "search.onnx"
SEARCH_TOKENIZER = "search/tokenizer.json"


@dataclass(frozen=True)
class Export:
    """What was exported with a model, and how near it comes to it."""

    #: Why the graphs are not to be used; None where they are.
    refused: str | None
    #: Name of the vector space of the search encoder.
    search_model: str
    search_tokens: int
    #: Figures of the comparison.
    parity: dict[str, Any]


def export_of(folder: Path) -> Export | None:
    """What was exported with the model in the folder; None where nothing was."""
    path = folder / FOLDER / EXPORT
    return Export(**files.read_json(path)) if path.is_file() else None


class Int8Model:
    """Answers as the CompactModel does whose folder it lies in, from graphs."""

    kind = "compact"

    def __init__(self, towers: Towers, fusion: Fusion, photo_size: int | None) -> None:
        self._towers, self._fusion = towers, fusion
        #: Pixels a side of what it sees of a photo; None where it sees none.
        self.photo_size = photo_size

    @classmethod
    def load(cls, folder: Path, threads: int) -> "Int8Model":
        """The graphs of a model folder; DataError when a file is missing or was changed."""
        wanted = [f"{FOLDER}/{EXPORT}", f"{FOLDER}/{TEXT}", "fusion.json"]
        files.verify(folder, wanted)
        config = files.read_json(folder / files.CONFIG)
        return cls.from_graphs(folder, config, threads)

    @classmethod
    def from_graphs(
        cls, folder: Path, config: dict[str, Any], threads: int
    ) -> "Int8Model":
        """The same without asking whether the folder is sealed."""
        tokenizer = pretrained.load_tokenizer(folder / "text", config["max_tokens"])
        graph = TextGraph(folder / FOLDER / TEXT, tokenizer, threads)
        words = load_words(folder, config)
        texts = words.beside(graph) if words else graph
        image = config["image"]
        photos = _PhotoGraph(folder, image["size"], threads) if image else None
        return cls(
            Towers(texts, photos),
            Fusion.from_dict(files.read_json(folder / "fusion.json")),
            image["size"] if image else None,
        )

    @property
    def calibrated(self) -> bool:
        """Without validation rows the temperature stays at exactly 1."""
        return self._fusion.text_temperature != 1.0

    def predict(
        self, texts: Sequence[str | None], photos: Sequence[bytes | None]
    ) -> Prediction:
        """One answer a row, as the port Classifier has it."""
        return answered(texts, photos, self._towers, self._fusion)


def load_encoder(folder: Path, threads: int) -> GraphEncoder:
    """The search encoder that was exported with the model."""
    export = export_of(folder)
    if export is None:
        raise DataError(f"{folder} holds no {FOLDER}/{EXPORT}")
    tokenizer = pretrained.load_tokenizer(
        folder / FOLDER / "search", export.search_tokens
    )
    graph = TextGraph(folder / FOLDER / SEARCH, tokenizer, threads)
    return GraphEncoder(graph, export.search_model)


class _PhotoGraph:
    """Opened with the first photo: many endpoints never see one."""

    def __init__(self, folder: Path, size: int, threads: int) -> None:
        # Read now: the folder may be gone by then.
        self._data = (folder / FOLDER / IMAGE).read_bytes()
        self._size, self._threads = size, threads
        self._session: Any = None

    def __call__(self, photos: Sequence[bytes]) -> NDArray[np.float32]:
        """Encoded photos -> sentiment logits, float32 [n, 3]."""
        if self._session is None:
            self._session = opened(self._data, self._threads)
        pictures = np.stack([decode(photo, self._size) for photo in photos])
        # One by one: a batch needs its memory many times and is no faster on a core.
        rows = [self._session.run(None, {"pixels": one[None]})[0] for one in pictures]
        return np.concatenate(rows)
