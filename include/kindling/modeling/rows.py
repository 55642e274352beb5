"""Examples as arrays: what the towers, the baseline and the fusion are fitted on."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kindling.errors import DataError
from kindling.modeling.image_tower import decode
from kindling.records import CONDITIONS, SENTIMENTS, Example

NONE = -1


@dataclass(frozen=True)
class Rows:
    """n rows in the order of the examples; `pictures` holds each distinct photo once, decoded."""

    texts: tuple[str, ...]
    #: int64 [n], index in SENTIMENTS.
    labels: np.ndarray
    #: float32 [n].
    weights: np.ndarray
    #: uint8 [m, size, size, 3].
    pictures: np.ndarray
    #: int64 [n], row in `pictures`, or -1.
    picture_of: np.ndarray
    #: int64 [n], index in CONDITIONS, or -1 where unknown.
    conditions: np.ndarray
    #: int64 [n], row in `pictures` of the same shot without its damage, or -1 where there is none.
    intact_of: np.ndarray

    @property
    def with_photo(self) -> np.ndarray:
        """int64: the rows that have a photo."""
        return np.flatnonzero(self.picture_of != NONE)

    def only(self, rows: np.ndarray) -> "Rows":
        """A part of the rows; the pictures are shared, not copied."""
        return replace(
            self,
            texts=tuple(self.texts[row] for row in rows),
            labels=self.labels[rows],
            weights=self.weights[rows],
            picture_of=self.picture_of[rows],
            conditions=self.conditions[rows],
            intact_of=self.intact_of[rows],
        )


def as_rows(
    examples: Sequence[Example], read_photo: Callable[[str], bytes], size: int
) -> Rows:
    """Arrays of the examples; `read_photo` gives the bytes behind a photo's URI, asked once for each."""
    uris = sorted(
        {
            uri
            for example in examples
            for uri in (example.photo_uri, example.intact_uri)
            if uri
        }
    )
    row_of = {uri: row for row, uri in enumerate(uris)}
    return Rows(
        texts=tuple(example.text for example in examples),
        labels=np.array(
            [SENTIMENTS.index(example.sentiment) for example in examples],
            dtype=np.int64,
        ),
        weights=np.array([example.weight for example in examples], dtype=np.float32),
        pictures=_pictures(uris, read_photo, size),
        picture_of=np.array(
            [row_of.get(example.photo_uri or "", NONE) for example in examples],
            dtype=np.int64,
        ),
        conditions=np.array(
            [_condition(example) for example in examples], dtype=np.int64
        ),
        intact_of=np.array(
            [row_of.get(example.intact_uri or "", NONE) for example in examples],
            dtype=np.int64,
        ),
    )


def class_weights(labels: np.ndarray, classes: int) -> np.ndarray:
    """float32 [classes]: inverse square root of a class's share, 1 on average over the rows.

    The square root lies between ignoring rare classes and drowning in their noise.
    """
    counts = np.bincount(labels, minlength=classes)
    if (counts == 0).any():
        absent = ", ".join(SENTIMENTS[at] for at in np.flatnonzero(counts == 0))
        raise DataError(f"no training row is {absent}; every sentiment is needed")
    weights = np.sqrt(len(labels) / (classes * counts))
    return (weights / weights[labels].mean()).astype(np.float32)


def _pictures(
    uris: Iterable[str], read_photo: Callable[[str], bytes], size: int
) -> np.ndarray:
    pictures = [_decode(uri, read_photo, size) for uri in uris]
    return (
        np.stack(pictures) if pictures else np.zeros((0, size, size, 3), dtype=np.uint8)
    )


def _decode(uri: str, read_photo: Callable[[str], bytes], size: int) -> np.ndarray:
    try:
        return decode(read_photo(uri), size)
    except DataError as error:
        raise DataError(f"{uri}: {error}") from error


def _condition(example: Example) -> int:
    known = example.condition is not None and example.photo_uri is not None
    return CONDITIONS.index(example.condition) if known else NONE  # type: ignore[arg-type]
