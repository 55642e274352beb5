"""A stage that ran in shards, seen as one."""

from collections import Counter
from collections.abc import Sequence

from kindling.records import StageReport


def added_up(reports: Sequence[StageReport]) -> StageReport:
    """The reports of a stage's shards, which are all there, as one."""
    rejected: Counter[str] = Counter()
    uris: dict[str, str] = {}
    implementation: dict[str, str] = {}
    for report in reports:
        rejected.update(report.rejected)
        uris |= report.uris
        implementation |= report.implementation
    first = reports[0]
    return StageReport(
        stage=first.stage,
        run_id=first.run_id,
        rows_in=sum(report.rows_in for report in reports),
        rows_out=sum(report.rows_out for report in reports),
        rejected=dict(sorted(rejected.items())),
        figures={str(report.shard): dict(report.figures) for report in reports},
        uris=uris,
        implementation=implementation,
        elapsed_s=sum(report.elapsed_s for report in reports),
        inputs_sha256=first.inputs_sha256,
        code_sha256=first.code_sha256,
        shards=first.shards,
        same_as=first.same_as,
    )
