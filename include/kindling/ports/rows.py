"""Rows of a run: written by its stages, committed by the runner, gone with the run."""

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from kindling.records import Record, Rejection, StageReport

R = TypeVar("R", bound=Record)


class RowStore(Protocol):
    """Rows by run id. Postgres is the record; everything else can be rebuilt from it."""

    def read(self, record_type: type[R], run_id: str, **equals: Any) -> list[R]:
        """All rows of that type in the run, ordered by key; `equals` filters columns."""
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
