"""The gate: the alias `champion` moves to the run's model, or the reasons why not are kept.

A first night is not empty-handed: while no model has passed, the newest one serves, marked as
provisional in every answer, unless the recipe forbids it.
"""

import logging
from typing import Protocol

from kindling.errors import DataError
from kindling.evaluation.figures import EvaluationFigures
from kindling.evaluation.gate import judge
from kindling.evaluation.looks import Ledger, look_of
from kindling.evaluation.verdict import Check, Evidence, Rules, Verdict
from kindling.figures import CheckFigures, PromoteFigures
from kindling.ports.registry import ModelRegistry, ModelVersion
from kindling.ports.standing import StandingStore
from kindling.recipe import PromoteConfig
from kindling.records import StageReport
from kindling.stages.contract import Context, Outcome
from kindling.stages.view import RunView

log = logging.getLogger(__name__)


class Needs(Protocol):
    """What the stage is handed."""

    view: RunView
    registry: ModelRegistry
    standing: StandingStore


def run(config: PromoteConfig, context: Context, needs: Needs) -> Outcome:
    """The verdict stands in the figures; a model that does not pass is no failure of the stage."""
    evaluation = needs.view.report("evaluate")
    if evaluation is None:
        raise DataError(f"run {context.run_id!r} has no evaluation; run evaluate first")
    figures = EvaluationFigures.from_dict(evaluation.figures)
    champion, candidate = needs.registry.champion(), figures.candidate_version
    if champion and champion.version == candidate:
        log.info("version %s is the champion already", candidate)
        nothing = _nothing_new(evaluation, candidate) or Check(
            "already-champion", "already champion", "pass", "nothing to move"
        )
        return _outcome(candidate, champion, Verdict((nothing,)), needs)
    ledger = Ledger(needs.standing, context.recipe.name)
    # A night that brought nothing new is no other look at golden rows.
    looked = needs.view.night_of("evaluate")
    verdict = _verdict(config, looked, figures, champion, ledger)
    if quiet := _nothing_new(evaluation, candidate):
        verdict = Verdict((quiet, *verdict.checks))
    for check in verdict.checks:
        log.info("%s, %s: %s", check.verdict, check.name, check.detail)
    if verdict.promoted:
        needs.registry.promote(candidate)
        log.info("version %s is the champion now", candidate)
    elif champion is None and config.provisional:
        needs.registry.serve_provisionally(candidate)
        log.info("version %s serves provisionally: no gate let one through", candidate)
    return _outcome(candidate, champion, verdict, needs)


def _nothing_new(evaluation: StageReport, candidate: str) -> Check | None:
    """Says that nothing was trained, on a night that brought nothing new."""
    if not evaluation.same_as:
        return None
    return Check(
        "nothing-new",
        "nothing new",
        "pass",
        f"no row has changed since run {evaluation.same_as}: version {candidate} "
        "is its model, and none was trained",
    )


def _verdict(
    config: PromoteConfig,
    run_id: str,
    figures: EvaluationFigures,
    champion: ModelVersion | None,
    ledger: Ledger,
) -> Verdict:
    """The gate's, written into the ledger beside the look that it judges."""
    try:
        look = look_of(figures, config.metric, run_id)
        advice = ledger.advise(look, config.tolerance)
        evidence = Evidence.of(figures, config.metric, advice)
    except KeyError as error:
        raise DataError(
            f"the evaluation has no figure {error}; run evaluate again"
        ) from error
    verdict = judge(Rules(**config.model_dump(exclude={"provisional"})), evidence)
    stale = _stale(champion, figures)
    whole = Verdict((*verdict.checks, stale)) if stale else verdict
    codes = [check.code for check in whole.checks if not check.passed]
    ledger.decide(look, whole.outcome, codes)
    return whole


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
    candidate: str, champion: ModelVersion | None, verdict: Verdict, needs: Needs
) -> Outcome:
    serving = needs.registry.serving()
    before = champion.version if champion else None
    return Outcome(
        rows_in=1,
        rows_out=int(verdict.promoted),
        figures=PromoteFigures(
            promoted=verdict.promoted,
            verdict=verdict.outcome,
            reasons=tuple(verdict.reasons),
            candidate_version=candidate,
            champion_version=candidate if verdict.promoted else before,
            previous_champion=before,
            serving_version=serving.version if serving else None,
            provisional=bool(serving and serving.provisional),
            checks=tuple(_figures(check) for check in verdict.checks),
        ),
        implementation={"registry": needs.registry.name},
    )


def _figures(check: Check) -> CheckFigures:
    return CheckFigures(
        check.code, check.name, check.verdict, check.detail, check.needed
    )
