"""From what two towers say to one answer a row, whatever the towers run on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kindling.errors import DataError
from kindling.modeling.compact.fusion import Fusion
from kindling.ports.classifier import Modality, Prediction
from kindling.records import SENTIMENTS

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Towers:
    """Readers of texts and photos into logits [n, 3]; no photo reader in a text-only model."""

    texts: Callable[[Sequence[str]], Logits]
    photos: Callable[[Sequence[bytes]], Logits] | None


def answered(
    texts: Sequence[str | None],
    photos: Sequence[bytes | None],
    towers: Towers,
    fusion: Fusion,
) -> Prediction:
    """One answer a row; a row has a text, an encoded photo, or both.

    DataError for a row without either (a photo alone needs an image tower) and for a photo that
    cannot be read. A text-only model answers a row of both from the text and says so.
    """
    if len(texts) != len(photos):
        raise ValueError(f"{len(texts)} texts and {len(photos)} photos")
    modality = [
        _modality(row, text, photo, towers.photos is not None)
        for row, (text, photo) in enumerate(zip(texts, photos, strict=True))
    ]
    said = [text for text in texts if text is not None]
    seen = [photo for photo in photos if photo is not None]
    text_logits = np.zeros((len(texts), len(SENTIMENTS)), dtype=np.float32)
    image_logits = np.zeros_like(text_logits)
    if said:
        text_logits[_rows(modality, "text", "text+image")] = towers.texts(said)
    if seen and towers.photos:
        image_logits[_rows(modality, "image", "text+image")] = towers.photos(seen)
    return Prediction(
        _fused(modality, text_logits, image_logits, fusion), tuple(modality)
    )


def _fused(
    modality: Sequence[Modality], text: Logits, image: Logits, fusion: Fusion
) -> NDArray[Any]:
    probabilities = np.zeros((len(modality), len(SENTIMENTS)))
    for kind in set(modality):
        rows = _rows(modality, kind)
        probabilities[rows] = fusion.probabilities(
            None if kind == "image" else text[rows],
            None if kind == "text" else image[rows],
        )
    return probabilities


def _modality(
    row: int, text: str | None, photo: bytes | None, reads_photos: bool
) -> Modality:
    seen = photo is not None and reads_photos
    if text is not None:
        return "text+image" if seen else "text"
    if seen:
        return "image"
    why = (
        " and no photo"
        if photo is None
        else ", and this model was trained without photos"
    )
    raise DataError(f"row {row} has no text{why}")


def _rows(modality: Sequence[Modality], *kinds: Modality) -> list[int]:
    return [row for row, kind in enumerate(modality) if kind in kinds]
