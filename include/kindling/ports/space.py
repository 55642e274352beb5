"""What a classifier lets be searched: a module's `SPACE` names settings of its `Options` and their bounds."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """A positive number, drawn evenly on a logarithmic scale."""

    low: float
    high: float


@dataclass(frozen=True)
class Choice:
    """One of these values."""

    values: tuple[int, ...]


Space = Mapping[str, Range | Choice]
