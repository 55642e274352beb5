"""What the runner gives a stage, and what a stage gives back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kindling.recipe import Recipe
from kindling.records import Record, Rejection


@dataclass(frozen=True)
class Shard:
    """Part `index` of `of` equal parts of a stage's work; the whole of it by default."""

    index: int = 0
    of: int = 1


@dataclass(frozen=True)
class Context:
    """One run of one recipe. `niche` and `target_size` are the run's own, over the recipe's."""

    run_id: str
    recipe: Recipe
    niche: tuple[str, ...]
    target_size: int
    seed: int
    shard: Shard = Shard()
    #: Language model and address that the environment names, for stages that are handed one.
    llm: str = ""


@dataclass(frozen=True)
class Outcome:
    """A stage's work. The runner commits records, rejections and manifest in one transaction."""

    rows_in: int
    rows_out: int
    records: Iterable[Record] = ()
    rejections: Iterable[Rejection] = ()
    #: A frozen dataclass of `kindling.figures`, or a mapping ready for JSON.
    figures: Any = field(default_factory=dict)
    uris: Mapping[str, str] = field(default_factory=dict)
    implementation: Mapping[str, str] = field(default_factory=dict)
