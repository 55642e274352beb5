"""Whether a night has anything to add to the night before it."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from kindling import catalog
from kindling.ports.rows import RowStore
from kindling.records import Record, StageReport, said_by
from kindling.stages.contract import Context

_SIZE = 2**256


def same_night(
    stage: catalog.Stage, context: Context, inputs: str, rows: RowStore
) -> StageReport | None:
    """The report of the night before as this night's own, where the stage would do the same again.

    That is so where configuration and code (`inputs`) are the same and every stage before it,
    near or far, has brought the same rows.
    """
    if not stage.settled:
        return None
    before = rows.before(context.run_id, stage.name)
    if before is None:
        return None
    done = rows.report(before, stage.name, context.shard.index)
    if done is None or done.inputs_sha256 != inputs:
        return None
    for name in catalog.upstream(stage.name):
        held = _identity(rows, context.run_id, name)
        if not held or held != _identity(rows, before, name):
            return None
    return dataclasses.replace(
        done, run_id=context.run_id, same_as=done.same_as or before, elapsed_s=0.0
    )


def rows_sha256(records: Iterable[Record]) -> str:
    """Hash of the records, whatever their order."""
    total = 0
    for record in records:
        fields = {name: getattr(record, name) for name in said_by(type(record))}
        content = json.dumps(
            [record.table, fields], sort_keys=True, default=_plain
        ).encode()
        total += int.from_bytes(hashlib.sha256(content).digest(), "big")
    return f"{total % _SIZE:064x}"


def _plain(value: Any) -> Any:
    return dict(value) if hasattr(value, "keys") else str(value)


def _identity(rows: RowStore, run_id: str, stage: str) -> list[tuple[str, str]]:
    """What a stage brought, shard by shard; empty where that is not known."""
    reports = rows.shard_reports(run_id, stage)
    if not all(one.rows_sha256 for one in reports):
        return []
    return [(one.rows_sha256, json.dumps(dict(one.uris))) for one in reports]
