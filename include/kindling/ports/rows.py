"""Rows of a run: written by its stages, committed by the runner, gone with the run."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from kindling.records import Record, Rejection, StageReport

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Night:
    """A run in the record."""

    run_id: str
    recipe: str
    started_at: datetime
    stages: int
    #: The run whose rows it keeps changes to; None where it holds all of its rows.
    base_run_id: str | None
    #: Versions of reviews that it holds itself, and reviews that left with it.
    reviews_written: int
    reviews_gone: int


@dataclass(frozen=True)
class Sighting:
    """What a night saw of a review that the night before had not."""

    recipe: str
    run_id: str
    at: datetime
    event: Literal["new", "changed", "gone"]


class Outline(NamedTuple):
    """A scraped review without its words."""

    review_id: str
    product_id: str
    category: str
    rating: int
    photo_id: str | None
    source_url: str
    #: MD5 of title and body, with 0x1F between them.
    version: bytes


class RowStore(Protocol):
    """Rows by run id. Postgres is the record; everything else can be rebuilt from it."""

    def read(self, record_type: type[R], run_id: str, **equals: Any) -> list[R]:
        """All rows of that type in the run, ordered by key; `equals` filters columns."""
        ...

    def each(
        self,
        record_type: type[R],
        run_id: str,
        keys: Collection[str] | None = None,
        **equals: Any,
    ) -> Iterator[R]:
        """`read`, a row at a time; only those of `keys` where they are given."""
        ...

    def outlines(self, run_id: str) -> Iterator[Outline]:
        """Every scraped review of the run without its words, ordered by id."""
        ...

    def report(self, run_id: str, stage: str, shard: int = 0) -> StageReport | None:
        """A shard's manifest: present means that all of the shard's rows are there."""
        ...

    def shard_reports(self, run_id: str, stage: str) -> list[StageReport]:
        """Manifests of every committed shard of the stage, ordered by shard."""
        ...

    def commit(
        self,
        report: StageReport,
        records: Iterable[Record],
        rejections: Iterable[Rejection],
    ) -> None:
        """Replace the rows of the report's shard and write its manifest, in one transaction."""
        ...

    def before(self, run_id: str, stage: str) -> str | None:
        """The newest earlier run of the same recipe and parameters that has committed the stage."""
        ...

    def commit_same(self, report: StageReport, run_id: str) -> None:
        """Write the report's manifest over the rows that another run committed for the same shard."""
        ...

    def rejections(self, run_id: str, stage: str) -> list[Rejection]:
        """What one stage of the run has left out, ordered by row and reason."""
        ...
