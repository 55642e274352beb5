"""The gate: the alias `champion` moves to the run's model, or the reasons why not are kept."""

import logging
from typing import Protocol

from kindling.errors import DataError
from kindling.evaluation.figures import EvaluationFigures
from kindling.evaluation.gate import judge
from kindling.evaluation.verdict import Check, Evidence, Rules, Verdict
from kindling.ports.registry import ModelRegistry, ModelVersion
from kindling.recipe import PromoteConfig
from kindling.stages.contract import Context, Outcome
from kindling.stages.view import RunView

log = logging.getLogger(__name__)


class Needs(Protocol):
    """What the stage is handed."""

    view: RunView
    registry: ModelRegistry


def run(config: PromoteConfig, context: Context, needs: Needs) -> Outcome:
    """The verdict stands in the figures; a model that does not pass is no failure of the stage."""
    evaluation = needs.view.report("evaluate")
    if evaluation is None:
        raise DataError(f"run {context.run_id!r} has no evaluation; run evaluate first")
    figures = EvaluationFigures.from_dict(evaluation.figures)
    champion, candidate = needs.registry.champion(), figures.candidate_version
    if champion and champion.version == candidate:
        log.info("version %s is the champion already", candidate)
        nothing = Check(
            "already-champion", "already champion", "pass", "nothing to move"
        )
        done = Verdict((nothing,))
        return _outcome(candidate, champion, done, True, needs)
    verdict = _verdict(config, figures, champion)
    for check in verdict.checks:
        log.info("%s, %s: %s", check.verdict, check.name, check.detail)
    promoted = verdict.promoted or _served_unsure(config, verdict, champion)
    if promoted:
        needs.registry.promote(candidate)
        log.info("version %s is the champion now", candidate)
    return _outcome(candidate, champion, verdict, promoted, needs)


def _served_unsure(
    config: PromoteConfig, verdict: Verdict, champion: ModelVersion | None
) -> bool:
    """Whether the recipe serves a first model of which nothing bad is shown, and nothing is certain."""
    unsure = verdict.outcome == "cannot tell" and champion is None
    if unsure and config.unsure == "serve":
        log.warning(
            "served although %d criteria cannot tell (promote.unsure is serve)",
            sum(not check.passed for check in verdict.checks),
        )
        return True
    return False


def _verdict(
    config: PromoteConfig, figures: EvaluationFigures, champion: ModelVersion | None
) -> Verdict:
    try:
        evidence = Evidence.of(figures, config.metric)
    except KeyError as error:
        raise DataError(
            f"the evaluation has no figure {error}; run evaluate again"
        ) from error
    verdict = judge(Rules(**config.model_dump(exclude={"unsure"})), evidence)
    stale = _stale(champion, figures)
    return Verdict((*verdict.checks, stale)) if stale else verdict


def _stale(champion: ModelVersion | None, figures: EvaluationFigures) -> Check | None:
    """A failed check when the alias moved after the evaluation: the comparison is with yesterday's champion."""
    now = champion.version if champion else None
    if now == figures.champion_version:
        return None
    return Check(
        "champion-changed",
        "champion unchanged",
        "fail",
        f"compared with version {figures.champion_version}, the champion is now {now}",
        "run evaluate again",
    )


def _outcome(
    candidate: str,
    champion: ModelVersion | None,
    verdict: Verdict,
    promoted: bool,
    needs: Needs,
) -> Outcome:
    return Outcome(
        rows_in=1,
        rows_out=int(promoted),
        figures={
            "promoted": promoted,
            "verdict": verdict.outcome,
            "reasons": verdict.reasons,
            "candidate_version": candidate,
            "champion_version": candidate
            if promoted
            else champion.version
            if champion
            else None,
            "previous_champion": champion.version if champion else None,
            "checks": [check.to_dict() for check in verdict.checks],
        },
        implementation={"registry": needs.registry.name},
    )
