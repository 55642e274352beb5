"""The evaluation as one HTML file that needs nothing else: figures, controls, slices, where the rows went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jinja2

from kindling.evaluation.evaluator import Evaluation
from kindling.evaluation.figures import EvaluationFigures
from kindling.evaluation.ledger import BUDGET
from kindling.evaluation.looks import Entry
from kindling.evaluation.verdict import Check, Verdict
from kindling.measure.intervals import METHOD
from kindling.measure.metrics import GATED, HEADLINES, PROBABILITY
from kindling.records import (
    SENTIMENTS,
    SPLITS,
    Condition,
    Estimate,
    Example,
    StageReport,
)

CLIP = 360
#: Looks of the ledger that are shown, the latest.
LOOKS = 12
#: Giveaway cues shown at most, and the log-odds below which one gives nothing away.
CUES = 10
MIN_EFFECT = 0.01
BANDS = ("accept", "review", "discard")
#: Every metric that the page may show, by name: its title and hint are the metric's own.
METRICS = {one.name: one for one in (*HEADLINES, *GATED, *PROBABILITY)}
SYSTEMS = {
    "candidate": "this model",
    "champion": "champion",
    "reference": "pinned reference",
    "baseline": "TF-IDF + logistic regression",
    "constant": "always the most frequent class",
    "random": "random by class share",
}


@dataclass(frozen=True)
class Provenance:
    run_id: str
    recipe: str
    label_scheme: str
    seed: int
    niche: tuple[str, ...]
    photo_note: str
    code_sha256: str
    candidate_version: str
    champion_version: str | None
    text_model: str
    torch: str


@dataclass(frozen=True)
class Coverage:
    """Synthetic rows of one category and sentiment."""

    category: str
    sentiment: str
    made: int
    admitted: int
    #: Simulated condition -> rows with such a photo.
    conditions: Mapping[str, int]

    def with_row(self, admitted: bool, condition: Condition | None) -> "Coverage":
        conditions = dict(self.conditions)
        if condition:
            conditions[condition] = conditions.get(condition, 0) + 1
        return replace(
            self,
            made=self.made + 1,
            admitted=self.admitted + admitted,
            conditions=conditions,
        )


@dataclass(frozen=True)
class Surroundings:
    """What the page tells beside the evaluation: what each stage did, synthetic rows, other nights."""

    figures: EvaluationFigures
    pipeline: Sequence[StageReport]
    coverage: Sequence[Coverage]
    #: The cold-start curve as HTML that is safe to put in, and what was decided by it.
    coldstart: str = ""
    coldstart_said: str = ""
    #: Every look at this recipe's golden rows, oldest first, tonight's among them.
    looks: Sequence[Entry] = ()


def render(
    evaluation: Evaluation,
    verdict: Verdict,
    provenance: Provenance,
    golden: Sequence[Example],
    around: Surroundings,
) -> str:
    """The page; every text that came from outside is escaped, nothing is loaded from anywhere."""
    reports = {report.stage: report for report in around.pipeline}
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kindling", "evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        evaluation=evaluation,
        provenance=provenance,
        sentiments=SENTIMENTS,
        metrics=METRICS,
        headlines=HEADLINES,
        gated=GATED,
        probability=PROBABILITY,
        system_names=SYSTEMS,
        verdict=verdict,
        why=_gravest_first(verdict),
        next=_next(verdict, provenance),
        figures=around.figures,
        latencies=around.figures.latencies,
        robustness=around.figures.robustness,
        looks=around.looks[-LOOKS:],
        looked=len(around.looks),
        budget=BUDGET,
        pipeline=around.pipeline,
        coverage=around.coverage,
        coldstart=around.coldstart,
        coldstart_said=around.coldstart_said,
        bands=BANDS,
        labels=_label_rows(_figure(reports, "label", "bands") or {}),
        challenge=_challenge(reports),
        implementation=_implementation(around.pipeline),
        slice_groups=_grouped(evaluation),
        curve=_curve(evaluation),
        errors=_errors(evaluation, golden),
        axis=_axis,
        interval_method=METHOD,
    )


def _gravest_first(verdict: Verdict) -> list[Check]:
    """What does not pass: failures before what cannot be told."""
    held = [check for check in verdict.checks if not check.passed]
    return sorted(held, key=lambda check: check.verdict != "fail")


def _next(verdict: Verdict, provenance: Provenance) -> str:
    """What happens now, and what would change the verdict."""
    held, champion = _gravest_first(verdict), provenance.champion_version
    if not held:
        return (
            f"version {provenance.candidate_version} becomes the champion and serves."
        )
    serves = (
        f"version {champion} stays the champion"
        if champion
        else "the best model there is serves, marked provisional, unless the recipe forbids it"
    )
    first = held[0]
    if not first.needed:
        return f"{serves}; the runbook explains {first.code}."
    return f"{serves}; the first thing that it would take is {first.needed}."


def _figure(reports: Mapping[str, StageReport], stage: str, name: str) -> Any:
    return reports[stage].figures.get(name) if stage in reports else None


def _label_rows(
    bands: Mapping[str, Mapping[str, Mapping[str, int]]],
) -> list[tuple[str, str, Mapping[str, int]]]:
    """Stored figures come back with their keys in any order."""
    return [
        (origin, sentiment, bands[origin][sentiment])
        for origin in (*SPLITS, "synthetic")
        for sentiment in SENTIMENTS
        if sentiment in bands.get(origin, {})
    ]


def _challenge(reports: Mapping[str, StageReport]) -> dict[str, Any]:
    """What told the synthetic rows apart; a stored report holds an Estimate as its dict."""
    auc = _figure(reports, "challenge", "auc")
    cues = _figure(reports, "challenge", "cues") or ()
    without = _figure(reports, "challenge", "auc_without") or {}
    return {
        "auc": _estimate(auc) if auc else None,
        "cues": [cue for cue in cues if cue["effect"] >= MIN_EFFECT][:CUES],
        "auc_without": {name: _estimate(one) for name, one in without.items()},
    }


def _estimate(stored: Estimate | Mapping[str, Any]) -> Estimate:
    return stored if isinstance(stored, Estimate) else Estimate(**stored)


def _implementation(pipeline: Sequence[StageReport]) -> list[tuple[str, str, str]]:
    return [
        (report.stage, part, name)
        for report in pipeline
        for part, name in report.implementation.items()
    ]


def _grouped(evaluation: Evaluation) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for one in evaluation.slices:
        groups.setdefault(one.group, []).append(one)
    return groups


def _curve(evaluation: Evaluation) -> str:
    """SVG points of the reliability line, in percent, y downwards."""
    return " ".join(
        f"{100 * one.confidence:.2f},{100 - 100 * one.accuracy:.2f}"
        for one in evaluation.calibration
    )


@dataclass(frozen=True)
class ShownMistake:
    text: str
    truth: str
    answer: str
    confidence: float
    rating: int
    category: str
    photo: bool


def _errors(evaluation: Evaluation, golden: Sequence[Example]) -> list[ShownMistake]:
    return [
        ShownMistake(
            _clip(golden[one.row].text),
            golden[one.row].sentiment,
            SENTIMENTS[one.answer],
            one.confidence,
            golden[one.row].rating,
            golden[one.row].category,
            golden[one.row].photo_uri is not None,
        )
        for one in evaluation.worst
    ]


def _clip(text: str) -> str:
    return text if len(text) <= CLIP else text[:CLIP].rsplit(" ", 1)[0] + " …"


def _axis(estimates: Sequence[Estimate | None]) -> tuple[float, float]:
    """A common axis that holds every interval, widened to tenths."""
    known = [one for one in estimates if one]
    low, high = min(one.low for one in known), max(one.high for one in known)
    start, end = int(low * 10 - (low < 0)) / 10, -int(-high * 10 - (high > 0)) / 10
    # Figures that are all alike still need an axis.
    return start, max(end, start + 0.1)
