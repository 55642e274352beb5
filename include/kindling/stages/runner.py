"""Runs one stage once: checks what came before, skips what is done, commits the rest in one piece."""

import dataclasses
import importlib
import logging
import time

from kindling.catalog import STAGE_NAMES
from kindling.errors import DataError
from kindling.observe.lineage import code_sha256, sha256_of
from kindling.records import Rejection, StageReport
from kindling.stages.contract import Context, Deps, Outcome

log = logging.getLogger(__name__)


def run_stage(stage: str, context: Context, deps: Deps) -> StageReport:
    """The stage's report, from an earlier commit of the same inputs or from running it now.

    Inputs are the stage's configuration, the run's parameters, the code, and the inputs of the
    stage before: when any of them changed the stage runs again and replaces its rows.
    """
    inputs = _inputs_sha256(stage, context, deps)
    done = deps.rows.report(context.run_id, stage)
    if done and done.inputs_sha256 == inputs:
        log.info(
            "%s of run %s is already committed; nothing to do", stage, context.run_id
        )
        return dataclasses.replace(done, unchanged=True)
    module = importlib.import_module(f"kindling.stages.{stage}")
    started = time.monotonic()
    outcome: Outcome = module.run(getattr(context.recipe, stage), context, deps)
    rejections = _once(outcome.rejections)
    report = StageReport(
        stage=stage,
        run_id=context.run_id,
        rows_in=outcome.rows_in,
        rows_out=outcome.rows_out,
        rejected=_by_reason(rejections),
        figures=dict(outcome.figures),
        uris=dict(outcome.uris),
        implementation=dict(outcome.implementation),
        elapsed_s=round(time.monotonic() - started, 2),
        inputs_sha256=inputs,
        code_sha256=code_sha256(),
    )
    deps.rows.commit(report, outcome.records, rejections)
    return report


def _inputs_sha256(stage: str, context: Context, deps: Deps) -> str:
    position = STAGE_NAMES.index(stage)
    before = STAGE_NAMES[position - 1] if position else None
    upstream = deps.rows.report(context.run_id, before) if before else None
    if before and upstream is None:
        raise DataError(
            f"run {context.run_id!r}: {stage} needs {before}, which has not been committed; run it first"
        )
    return sha256_of(
        {
            "stage": stage,
            "config": getattr(context.recipe, stage).model_dump(mode="json"),
            "niche": context.niche,
            "target_size": context.target_size,
            "seed": context.seed,
            "sources": [one.model_dump() for one in context.recipe.sources],
            "code": code_sha256(),
            "upstream": upstream.inputs_sha256 if upstream else None,
        }
    )


def _once(rejections: object) -> list[Rejection]:
    return list({(one.row_id, one.reason): one for one in rejections}.values())  # type: ignore[attr-defined]


def _by_reason(rejections: list[Rejection]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for rejection in rejections:
        counts[rejection.reason] = counts.get(rejection.reason, 0) + 1
    return dict(sorted(counts.items()))
