"""Examples and studies as arrays: what the towers and the fusion are fitted on."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kindling.errors import DataError
from kindling.modeling.photos import decode
from kindling.records import CONDITIONS, SENTIMENTS, Example, Study

Pictures = NDArray[np.uint8]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Reviews:
    """n rows in the order of the examples, m of them with a photo."""

    texts: tuple[str, ...]
    #: int64 [n], index in SENTIMENTS.
    labels: Indices
    #: float32 [n].
    weights: NDArray[np.float32]
    #: int64 [m], ascending: the rows that have a photo.
    pictured: Indices
    #: int64 [m]: which of `pictures` each of them shows.
    picture_of: Indices
    #: bool [m]: whether the photo's condition was drawn on it, to suit the row's sentiment.
    drawn: NDArray[np.bool_]
    #: uint8 [p, size, size, 3]: each distinct photo once, decoded.
    pictures: Pictures


@dataclass(frozen=True)
class Shots:
    """m photos of known condition; the first 4 * `studies` are studies, in the order of CONDITIONS."""

    #: uint8 [m, size, size, 3].
    pictures: Pictures
    #: int64 [m], index in CONDITIONS.
    conditions: Indices
    studies: int

    def studied(self, rows: Indices) -> NDArray[np.bool_]:
        """Of rows [n], whether each belongs to a study: only there is the shot without damage known."""
        return np.asarray(rows < self.studies * len(CONDITIONS))

    def intact(self, rows: Indices) -> Pictures:
        """Of rows of studies [n], the same shots without their damage."""
        return np.asarray(self.pictures[rows - rows % len(CONDITIONS)])


def as_reviews(
    examples: Sequence[Example], read_photo: Callable[[str], bytes], size: int
) -> Reviews:
    """Arrays of the examples; `read_photo` gives the bytes behind a URI, asked once for each."""
    uris = sorted({one.photo_uri for one in examples if one.photo_uri})
    picture_at = {uri: at for at, uri in enumerate(uris)}
    pictured = [row for row, one in enumerate(examples) if one.photo_uri]
    shown = [examples[row] for row in pictured]
    return Reviews(
        texts=tuple(one.text for one in examples),
        labels=np.array(
            [SENTIMENTS.index(one.sentiment) for one in examples], dtype=np.int64
        ),
        weights=np.array([one.weight for one in examples], dtype=np.float32),
        pictured=np.array(pictured, dtype=np.int64),
        picture_of=np.array(
            [picture_at[one.photo_uri or ""] for one in shown], dtype=np.int64
        ),
        drawn=np.array([one.condition is not None for one in shown], dtype=bool),
        pictures=decode_all(uris, read_photo, size),
    )


def as_shots(
    studies: Sequence[Study],
    examples: Sequence[Example],
    read_photo: Callable[[str], bytes],
    size: int,
) -> Shots:
    """Every photo of the studies, then those of the examples whose condition is known."""
    uris = [study.uris[condition] for study in studies for condition in CONDITIONS]
    conditions = list(range(len(CONDITIONS))) * len(studies)
    for one in examples:
        if one.photo_uri and one.condition:
            uris.append(one.photo_uri)
            conditions.append(CONDITIONS.index(one.condition))
    return Shots(
        pictures=decode_all(uris, read_photo, size),
        conditions=np.array(conditions, dtype=np.int64),
        studies=len(studies),
    )


def decode_all(
    uris: Iterable[str], read_photo: Callable[[str], bytes], size: int
) -> Pictures:
    """uint8 [n, size, size, 3]; DataError names the address of a photo that cannot be read."""
    pictures = [_decode(uri, read_photo, size) for uri in uris]
    if not pictures:
        return np.zeros((0, size, size, 3), dtype=np.uint8)
    return np.stack(pictures)


def class_weights(labels: Indices, classes: int) -> NDArray[np.float32]:
    """float32 [classes]: inverse square root of a class's share, 1 on average over the rows.

    The square root lies between ignoring rare classes and drowning in their noise.
    """
    counts = np.bincount(labels, minlength=classes)
    if (counts == 0).any():
        absent = ", ".join(SENTIMENTS[at] for at in np.flatnonzero(counts == 0))
        raise DataError(f"no training row is {absent}; every sentiment is needed")
    weights = np.sqrt(len(labels) / (classes * counts))
    scaled: NDArray[np.float32] = weights / weights[labels].mean()
    return scaled.astype(np.float32)


def _decode(uri: str, read_photo: Callable[[str], bytes], size: int) -> Pictures:
    try:
        return decode(read_photo(uri), size)
    except DataError as error:
        raise DataError(f"{uri}: {error}") from error
