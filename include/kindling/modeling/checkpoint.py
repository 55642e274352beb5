"""A training run's state in the object store: a killed run, or the pod that replaces it, goes on where it was."""

import contextlib
import errno
import io
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from kindling.errors import DataError, KindlingError
from kindling.ports.objects import ObjectStore


class Checkpoint:
    """One object, replaced atomically; `every` is in optimiser steps."""

    def __init__(self, objects: ObjectStore, name: str, every: int = 100) -> None:
        self._objects = objects
        self._name = name
        self.every = every

    def load(self) -> dict[str, Any] | None:
        """The last state saved, or None; tensors and plain values only (nothing is unpickled to code)."""
        data = self._objects.find_named(self._name)
        if data is None:
            return None
        try:
            state: dict[str, Any] = torch.load(
                io.BytesIO(data), map_location="cpu", weights_only=True
            )
        except (EOFError, RuntimeError, pickle.UnpicklingError) as error:
            raise DataError(
                f"checkpoint {self._name} is damaged ({error}); delete it and run again"
            ) from error
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replace the state saved before; a kill in between leaves that one."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        self._objects.put_named(self._name, buffer.getvalue())


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
