"""The gate: the alias `champion` moves to the run's model, or the reasons why not are kept."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from kindling.errors import DataError
from kindling.evaluation.gate import Check, Evidence, Rules, Verdict, judge
from kindling.ports.registry import ModelRegistry, ModelVersion
from kindling.recipe import PromoteConfig
from kindling.records import Estimate
from kindling.stages.contract import Context, Outcome
from kindling.stages.view import RunView

THREE_WAY = "three_way_macro_f1"

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
    figures, champion = evaluation.figures, needs.registry.champion()
    candidate = str(figures["candidate_version"])
    if champion and champion.version == candidate:
        log.info("version %s is the champion already", candidate)
        return _outcome(
            candidate,
            champion,
            Verdict((Check("already champion", True, "nothing to move"),)),
            needs,
        )
    verdict = judge(_rules(config), _evidence(config, figures))
    stale = _stale(champion, figures)
    verdict = Verdict((*verdict.checks, stale)) if stale else verdict
    for check in verdict.checks:
        log.info(
            "%s %s: %s", "pass" if check.passed else "FAIL", check.name, check.detail
        )
    if verdict.promoted:
        needs.registry.promote(candidate)
        log.info("version %s is the champion now", candidate)
    return _outcome(candidate, champion, verdict, needs)


def _rules(config: PromoteConfig) -> Rules:
    return Rules(**config.model_dump())


def _evidence(config: PromoteConfig, figures: Mapping[str, Any]) -> Evidence:
    def wanted(name: str) -> Estimate:
        found = _estimate(figures, name)
        if found is None:
            raise DataError(
                f"the evaluation has no figure {name!r}; run evaluate again"
            )
        return found

    return Evidence(
        figure=wanted(config.metric),
        over_baseline=wanted(f"{THREE_WAY}_minus_baseline"),
        over_constant=wanted(f"{THREE_WAY}_minus_constant"),
        over_champion=wanted(f"{config.metric}_minus_champion")
        if figures["champion_version"]
        else None,
        photo_gain=_estimate(figures, "photo_log_loss_gain"),
        golden_photos=int(figures["golden_photos"]),
        worse_slices=tuple(figures["worse_slices"]),
    )


def _estimate(figures: Mapping[str, Any], name: str) -> Estimate | None:
    """Stored reports hold an Estimate as its dict."""
    found = figures.get(name)
    return Estimate(**found) if isinstance(found, Mapping) else found


def _stale(champion: ModelVersion | None, figures: Mapping[str, Any]) -> Check | None:
    """A failed check when the alias moved after the evaluation: the comparison is with yesterday's champion."""
    now = champion.version if champion else None
    if now == figures["champion_version"]:
        return None
    return Check(
        "champion unchanged",
        False,
        f"compared with version {figures['champion_version']}, "
        f"the champion is now {now}; run evaluate again",
    )


def _outcome(
    candidate: str, champion: ModelVersion | None, verdict: Verdict, needs: Needs
) -> Outcome:
    return Outcome(
        rows_in=1,
        rows_out=int(verdict.promoted),
        figures={
            "promoted": verdict.promoted,
            "reasons": verdict.reasons,
            "candidate_version": candidate,
            "champion_version": candidate
            if verdict.promoted
            else champion.version
            if champion
            else None,
            "previous_champion": champion.version if champion else None,
            "checks": [asdict(check) for check in verdict.checks],
        },
        implementation={"registry": needs.registry.name},
    )
