"""What crosses from the process that reads requests to the one that holds the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Analyze:
    """What the predictor takes: text, image or both."""

    text: str | None
    image: bytes | None
    #: Why there is no image although one was named.
    image_reason: str | None
    top_k: int


@dataclass(frozen=True)
class Search:
    text: str
    top_k: int
    filters: Mapping[str, str | int | Sequence[str | int]]


@dataclass(frozen=True)
class Explain:
    """A text whose sentiment is to be told part by part."""

    text: str


Ask = Analyze | Search | Explain
