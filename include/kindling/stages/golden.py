"""The golden rows as models are asked about them: the gate's apart from the sealed, photos read once."""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kindling.dedupe.shingles import fold, length
from kindling.errors import DataError
from kindling.evaluation.ledger import sealed_rows
from kindling.evaluation.training_rows import TrainingRows
from kindling.extensions import load_classifier
from kindling.modeling.folder import BASELINE
from kindling.ports.classifier import Classifier
from kindling.ports.objects import ObjectStore
from kindling.ports.registry import ModelRegistry
from kindling.records import Example

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """Golden rows of one kind, with the bytes of their photos."""

    rows: list[Example]
    photos: list[bytes | None]

    @property
    def texts(self) -> list[str]:
        """In the order of the rows."""
        return [one.text for one in self.rows]

    @property
    def pictured(self) -> np.ndarray:
        """int64 [m]: the rows that have a photo."""
        found = [row for row, photo in enumerate(self.photos) if photo is not None]
        return np.array(found, dtype=np.int64)


def parted(
    golden: Sequence[Example], opened: Collection[str], objects: ObjectStore
) -> tuple[Part, Part]:
    """The rows that the gate reads, and those that only ever print."""
    hidden = sealed_rows([one.product_id for one in golden], opened)
    pairs = list(zip(golden, hidden, strict=True))
    read = _part([one for one, kept in pairs if not kept], objects)
    return read, _part([one for one, kept in pairs if kept], objects)


def _part(rows: list[Example], objects: ObjectStore) -> Part:
    uris = sorted({one.photo_uri for one in rows if one.photo_uri})
    bytes_of = {uri: objects.get(uri) for uri in uris}
    return Part(rows, [bytes_of.get(one.photo_uri or "") for one in rows])


class Shelf:
    """Registered models, each fetched once into a folder of this evaluation."""

    def __init__(self, registry: ModelRegistry, folder: Path) -> None:
        self._registry = registry
        self._folder = folder
        self._paths: dict[str, Path] = {}

    def model(self, version: str) -> Classifier:
        """DataError or ConfigurationError where this code cannot load it."""
        return load_classifier(self._path(version))

    def baseline(self, version: str) -> Classifier:
        """The TF-IDF model that was trained on the same rows."""
        return load_classifier(self._path(version) / BASELINE)

    def trained_on(self, version: str) -> TrainingRows | None:
        """None of a model that was registered before its rows were kept."""
        return TrainingRows.read(self._path(version))

    def _path(self, version: str) -> Path:
        if version not in self._paths:
            self._paths[version] = self._registry.download(
                version, self._folder / f"version-{version}"
            )
        return self._paths[version]


def training_rows(seen: Iterable[Example], short_text: int) -> TrainingRows:
    """Of rows that a model is trained on or fitted to.

    Texts of fewer than `short_text` characters are no evidence: many people write "Love it".
    """
    rows = list(seen)
    folded = (fold(one.text) for one in rows)
    return TrainingRows.of(
        (text for text in folded if length(text) >= short_text),
        (one.photo_id for one in rows if one.photo_id),
    )


def seen_by(trained: TrainingRows | None, rows: Sequence[Example]) -> np.ndarray:
    """bool [n]: golden rows whose text or photo the model was trained on; none where not known."""
    if trained is None:
        return np.zeros(len(rows), dtype=bool)
    folded = [fold(one.text) for one in rows]
    return trained.saw(folded, [one.photo_id for one in rows])


def pinned(
    ledger_reference: str | None, champion: str | None, candidate: str, shelf: Shelf
) -> str:
    """Version of the model that every night is measured beside.

    The one that is pinned, as long as this code can load it; else the champion, else the
    candidate of the first night.
    """
    if ledger_reference is not None:
        try:
            shelf.model(ledger_reference)
        except DataError as error:
            log.warning(
                "the pinned reference, version %s, cannot be asked any more: %s;"
                " another is pinned and the ledger's level is found anew",
                ledger_reference,
                error,
            )
        else:
            return ledger_reference
    return champion or candidate
