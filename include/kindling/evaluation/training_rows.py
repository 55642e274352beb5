"""Which rows a model was trained on, kept in its folder: a later golden set is compared with them."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FILE = "trained_on.npy"


@dataclass(frozen=True)
class TrainingRows:
    """uint64 [n], sorted: 64-bit hashes of texts and of photo ids."""

    hashes: np.ndarray

    @classmethod
    def of(cls, texts: Iterable[str], photos: Iterable[str]) -> "TrainingRows":
        """`texts` are folded, so that case and spacing hide no row; `photos` are ids."""
        found = {_hash("text", one) for one in texts}
        found |= {_hash("photo", one) for one in photos}
        return cls(np.array(sorted(found), dtype=np.uint64))

    @classmethod
    def read(cls, folder: Path) -> "TrainingRows | None":
        """None of a model that was registered before these were kept."""
        path = folder / FILE
        return cls(np.load(path, allow_pickle=False)) if path.is_file() else None

    def write(self, folder: Path) -> None:
        """Into the model's folder, before its manifest is written."""
        np.save(folder / FILE, self.hashes, allow_pickle=False)

    def saw(self, texts: Sequence[str], photos: Sequence[str | None]) -> np.ndarray:
        """bool [n]: the row's text or photo is among them."""
        return np.asarray(
            self._holds("text", texts) | self._holds("photo", photos), dtype=bool
        )

    def _holds(self, kind: str, names: Sequence[str | None]) -> np.ndarray:
        hashed = [_hash(kind, name) if name else 0 for name in names]
        found = np.isin(np.array(hashed, dtype=np.uint64), self.hashes)
        return np.asarray(found & np.array([bool(name) for name in names], dtype=bool))


def _hash(kind: str, name: str) -> int:
    digest = hashlib.sha256(f"{kind}\0{name}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")
