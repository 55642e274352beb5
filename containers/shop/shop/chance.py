"""Randomness that does not depend on the order in which things are made."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def rng_for(seed: int, *names: str) -> np.random.Generator:
    """A generator of its own for everything that has a name, the same on every machine."""
    digest = hashlib.sha256("\x1f".join(names).encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, each as likely (numpy's `choice` would turn them into array scalars)."""
    return options[int(rng.integers(len(options)))]
