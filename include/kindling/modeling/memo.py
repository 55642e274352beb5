"""Remembers what was worked out of an input, for questions that come back to it."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", str, bytes)
Logits = NDArray[np.float32]


class Memo(Generic[T]):
    """Logits of texts or photos, each worked out once for as long as this object lives."""

    def __init__(self, work_out: Callable[[Sequence[T]], Logits]) -> None:
        self._work_out: Callable[[Sequence[T]], Logits] = work_out
        self._known: dict[T, Logits] = {}

    def __call__(self, inputs: Sequence[T]) -> Logits:
        """float32 [n, classes]."""
        new = [one for one in dict.fromkeys(inputs) if one not in self._known]
        if new:
            self._known.update(zip(new, self._work_out(new), strict=True))
        return np.stack([self._known[one] for one in inputs])
