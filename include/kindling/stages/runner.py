"""Runs one stage once: checks what it stands on, skips what is done, commits the rest in one piece."""

import dataclasses
import importlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kindling import catalog, extensions
from kindling.errors import ConfigurationError, DataError
from kindling.observe.lineage import sha256_of, stage_code_sha256
from kindling.ports.rows import RowStore
from kindling.recipe import Recipe
from kindling.records import Rejection, StageReport
from kindling.stages import nights
from kindling.stages.contract import Context, Outcome, Shard

log = logging.getLogger(__name__)

#: Makes what a stage needs: (context, names) -> an object with those attributes and no other.
Hand = Callable[[Context, Iterable[str]], Any]


def run_stage(stage: str, context: Context, rows: RowStore, hand: Hand) -> StageReport:
    """The stage's report, from an earlier commit of the same inputs or from running it now.

    Inputs are the stage's configuration, the run's parameters, the code that decides its
    result, the language model that it is handed, and the inputs of the stages it stands on:
    when any of them changed the stage runs again and replaces its rows (those of its shard).
    Where they are those of the night before, rows and all, its work is this night's too.
    """
    described = catalog.stage(stage)
    if context.shard != Shard() and not described.shards:
        raise ConfigurationError(f"{stage} cannot be split into shards")
    inputs = _inputs_sha256(described, context, rows)
    done = _committed(stage, context, rows, inputs)
    if done:
        log.info(
            "%s of run %s is already committed; nothing to do", stage, context.run_id
        )
        return dataclasses.replace(done, unchanged=True)
    same = nights.same_night(described, context, inputs, rows)
    if same is not None:
        log.info(
            "nothing is new since run %s: %s stands on its work", same.same_as, stage
        )
        rows.commit_same(same, rows.before(context.run_id, stage) or same.same_as)
        return same
    module = importlib.import_module(f"kindling.stages.{stage}")
    started = time.monotonic()
    outcome: Outcome = module.run(
        getattr(context.recipe, stage), context, hand(context, described.needs)
    )
    rejections = _once(outcome.rejections)
    records = list(outcome.records)
    report = StageReport(
        stage=stage,
        run_id=context.run_id,
        rows_in=outcome.rows_in,
        rows_out=outcome.rows_out,
        rejected=_by_reason(rejections),
        figures=_plain(outcome.figures),
        uris=dict(outcome.uris),
        implementation=dict(outcome.implementation),
        elapsed_s=round(time.monotonic() - started, 2),
        inputs_sha256=inputs,
        code_sha256=stage_code_sha256(stage),
        shard=context.shard.index,
        shards=context.shard.of,
        rows_sha256=nights.rows_sha256(records),
    )
    rows.commit(report, records, rejections)
    return report


def take_part(stage: str, context: Context, rows: RowStore, hand: Hand) -> None:
    """Help the machine that runs the stage, where its module can be helped; nothing is committed."""
    described = catalog.stage(stage)
    module = importlib.import_module(f"kindling.stages.{stage}")
    if not hasattr(module, "take_part"):
        raise ConfigurationError(
            f"{stage} runs on one machine; RANK and WORLD_SIZE are for train"
        )
    inputs = _inputs_sha256(described, context, rows)
    if _committed(stage, context, rows, inputs):
        log.info("%s of run %s needs no help any more", stage, context.run_id)
        return
    config = getattr(context.recipe, stage)
    module.take_part(config, context, hand(context, described.needs))


def _committed(
    stage: str, context: Context, rows: RowStore, inputs: str
) -> StageReport | None:
    done = rows.report(context.run_id, stage, context.shard.index)
    return done if done and done.inputs_sha256 == inputs else None


def _inputs_sha256(stage: catalog.Stage, context: Context, rows: RowStore) -> str:
    # Only where there is one: without a model, what was committed before stays what it is.
    llm = {"llm": context.llm} if context.llm and "llm" in stage.needs else {}
    return sha256_of(
        {
            **llm,
            "stage": stage.name,
            "config": context.recipe.settings_of(stage.name),
            "niche": context.niche,
            "target_size": context.target_size,
            "seed": context.seed,
            "shard": dataclasses.asdict(context.shard),
            "code": stage_code_sha256(stage.name),
            "extensions": _extensions(stage.name, context.recipe),
            "upstream": {
                one: _upstream(stage.name, one, context.run_id, rows)
                for one in stage.after
            },
        }
    )


def _upstream(stage: str, before: str, run_id: str, rows: RowStore) -> list[str]:
    """Inputs of every shard of a stage that this one stands on; DataError while one is missing."""
    reports = rows.shard_reports(run_id, before)
    if not reports:
        raise DataError(
            f"run {run_id!r}: {stage} needs {before}, which has not been committed; run it first"
        )
    missing = sorted(set(range(reports[0].shards)) - {one.shard for one in reports})
    if missing or len({one.shards for one in reports}) > 1:
        raise DataError(
            f"run {run_id!r}: {stage} needs all {reports[0].shards} shards of {before}; "
            f"not committed: {', '.join(map(str, missing)) or 'shards of another split'}"
        )
    return [one.inputs_sha256 for one in reports]


def _extensions(stage: str, recipe: Recipe) -> list[str]:
    """Hashes of the modules that the recipe chose for the stage by name."""
    return [extensions.identity(kind, name) for kind, name in recipe.chosen(stage)]


def _once(rejections: Iterable[Rejection]) -> list[Rejection]:
    return list({(one.row_id, one.reason): one for one in rejections}.values())


def _by_reason(rejections: Iterable[Rejection]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for rejection in rejections:
        counts[rejection.reason] = counts.get(rejection.reason, 0) + 1
    return dict(sorted(counts.items()))


def _plain(figures: Any) -> dict[str, Any]:
    """Figures as a dict: the one place where a stage's dataclass becomes data."""
    if dataclasses.is_dataclass(figures) and not isinstance(figures, type):
        return {
            field.name: getattr(figures, field.name)
            for field in dataclasses.fields(figures)
        }
    if isinstance(figures, Mapping):
        return dict(figures)
    raise TypeError(f"figures are a dataclass or a mapping, not {type(figures)}")
