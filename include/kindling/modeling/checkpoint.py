"""A training run's state in the object store: a killed run, or the pod that replaces it, goes on where it was."""

import io
import pickle
from typing import Any

import torch

from kindling.errors import DataError
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
