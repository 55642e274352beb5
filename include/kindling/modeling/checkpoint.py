"""A training run's state on disk, so that a killed run goes on and ends where an uninterrupted one would."""

import contextlib
import errno
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from kindling.errors import DataError, KindlingError


class Checkpoint:
    """One file, replaced atomically; `every` is in optimiser steps."""

    def __init__(self, path: Path, every: int = 100) -> None:
        self._path = path
        self.every = every

    def load(self) -> dict[str, Any] | None:
        """The last state saved, or None; tensors and plain values only (nothing is unpickled to code)."""
        if not self._path.exists():
            return None
        try:
            return torch.load(self._path, map_location="cpu", weights_only=True)
        except (EOFError, RuntimeError, pickle.UnpicklingError) as error:
            raise DataError(
                f"checkpoint {self._path} is damaged ({error}); delete it and run again"
            ) from error

    def save(self, state: dict[str, Any]) -> None:
        partial = self._path.with_suffix(".partial")
        with disk_full_named(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self._path)


@contextlib.contextmanager
def disk_full_named(path: Path) -> Iterator[None]:
    """A full disk becomes an error that says where; torch and safetensors report it in their own ways."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        free = os.statvfs(
            next(parent for parent in (path, *path.parents) if parent.exists())
        ).f_bavail
        if getattr(error, "errno", None) == errno.ENOSPC or free == 0:
            raise KindlingError(
                f"disk full while writing {path}; free some space and run again"
            ) from error
        raise
