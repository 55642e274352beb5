"""Measure the run's model, the baseline and the champion on the golden holdout; write one report."""

import json
import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from kindling.catalog import STAGE_NAMES
from kindling.coldstart.curve import Curve
from kindling.coldstart.drawing import section
from kindling.errors import DataError
from kindling.evaluation.controls import Latency, latency
from kindling.evaluation.evaluator import Answers, Evaluation, evaluate
from kindling.evaluation.figures import Beside, EvaluationFigures
from kindling.evaluation.gate import judge
from kindling.evaluation.looks import Ledger, look_of
from kindling.evaluation.report import Coverage, Provenance, Surroundings, render
from kindling.evaluation.robustness import photo_robustness, robustness
from kindling.evaluation.sealed import SealedFigures, sealed_figures
from kindling.evaluation.verdict import Evidence, Rules, Verdict
from kindling.measure.intervals import METHOD as INTERVALS
from kindling.measure.sample import Sample
from kindling.modeling.device import set_threads
from kindling.observe.lineage import code_sha256
from kindling.ports.classifier import Classifier
from kindling.ports.objects import ObjectStore
from kindling.ports.registry import ModelRegistry, ModelVersion
from kindling.ports.standing import StandingStore
from kindling.recipe import EvaluateConfig
from kindling.records import Estimate, Example, StageReport
from kindling.stages.contract import Context, Outcome
from kindling.stages.golden import Part, Shelf, parted, pinned, seen_by, training_rows
from kindling.stages.view import Holdout, RunView

LATENCY_REQUESTS = 40

_Request = tuple[str, bytes | None]

log = logging.getLogger(__name__)


class Needs(Protocol):
    """What the stage is handed."""

    view: RunView
    holdout: Holdout
    objects: ObjectStore
    registry: ModelRegistry
    standing: StandingStore
    threads: int


@dataclass(frozen=True)
class _Versions:
    candidate: ModelVersion
    #: None while there is no other champion.
    champion: ModelVersion | None

    @property
    def names(self) -> tuple[str, str | None]:
        return self.candidate.version, self.champion.version if self.champion else None


@dataclass(frozen=True)
class _Measured:
    evaluation: Evaluation
    figures: EvaluationFigures
    text_model: str


def run(config: EvaluateConfig, context: Context, needs: Needs) -> Outcome:
    """Figures with intervals, `report.html` and `figures.json` of the run."""
    set_threads(needs.threads)
    golden = needs.holdout.examples()
    if not golden:
        raise DataError(
            f"run {context.run_id!r}: the golden holdout is empty; scrape more products or raise golden_share"
        )
    versions = _versions(needs.view.night_of("train"), needs.registry)
    ledger = Ledger(needs.standing, context.recipe.name)
    asked, hidden = parted(golden, ledger.opened(context.run_id), needs.objects)
    measured = _measure(asked, hidden, versions, context, needs, ledger)
    figures = measured.figures
    verdict = _verdict(context, figures, ledger)
    needs.registry.log_metrics(
        versions.candidate.version,
        _logged("golden", measured.evaluation.systems["candidate"])
        | _logged("sealed", figures.sealed),
    )
    provenance = _provenance(config, context, measured, versions)
    around = Surroundings(
        figures,
        _pipeline(needs.view),
        _coverage(needs.view),
        *_coldstart(needs.view),
        looks=ledger.entries(),
    )
    html = render(measured.evaluation, verdict, provenance, asked.rows, around)
    return Outcome(
        rows_in=len(golden),
        rows_out=len(golden),
        figures=figures.to_dict(),
        uris=_written(context, measured, provenance, html, needs.objects),
        implementation={
            "intervals": INTERVALS,
            "registry": needs.registry.name,
        },
    )


def _logged(rows: str, found: Mapping[str, Estimate]) -> dict[str, float]:
    return {f"{rows}_{name}": figure.value for name, figure in found.items()}


def _versions(run_id: str, registry: ModelRegistry) -> _Versions:
    candidate = registry.candidate(run_id)
    if candidate is None:
        raise DataError(f"run {run_id!r} registered no model; run train first")
    champion = registry.champion()
    other = champion if champion and champion.version != candidate.version else None
    return _Versions(candidate, other)


def _written(
    context: Context,
    measured: _Measured,
    provenance: Provenance,
    html: str,
    objects: ObjectStore,
) -> dict[str, str]:
    content = json.dumps(
        {
            "provenance": asdict(provenance),
            "evaluation": asdict(measured.evaluation),
            "figures": measured.figures.to_dict(),
        },
        default=asdict,
        indent=1,
    )
    folder = f"runs/{context.run_id}"
    return {
        "report": objects.put_named(f"{folder}/report.html", html.encode()),
        "figures": objects.put_named(f"{folder}/figures.json", content.encode()),
    }


def _coldstart(view: RunView) -> tuple[str, str]:
    """The cold-start curve as HTML, and what was decided by it."""
    report = view.report("appraise")
    if report is None:
        return "", ""
    figures = report.figures
    if not report.rows_in:
        said = "No synthetic row came this far."
    else:
        used = "are learned from" if figures["synthetic_used"] else "are left out"
        said = f"The {report.rows_in} synthetic rows {used}: {figures['reason']}."
    if figures["curve"] is None:
        return "", f"{said} No curve: {figures['curve_missing']}."
    return section(Curve.from_dict(figures["curve"])), said


def _verdict(context: Context, found: EvaluationFigures, ledger: Ledger) -> Verdict:
    """What `promote` will say, unless the champion changes in between.

    The look is entered here, where the rows were read, whatever becomes of it.
    """
    rules = context.recipe.promote
    look = look_of(found, rules.metric, context.run_id)
    advice = ledger.advise(look, rules.tolerance)
    return judge(
        Rules(**rules.model_dump(exclude={"provisional"})),
        Evidence.of(found, rules.metric, advice),
    )


def _provenance(
    config: EvaluateConfig, context: Context, measured: _Measured, versions: _Versions
) -> Provenance:
    candidate, champion = versions.names
    return Provenance(
        run_id=context.run_id,
        recipe=context.recipe.name,
        label_scheme=context.recipe.label_scheme,
        seed=context.seed,
        niche=context.niche,
        photo_note=config.photo_note,
        code_sha256=code_sha256(),
        candidate_version=candidate,
        champion_version=champion,
        text_model=measured.text_model,
        torch=torch.__version__,
    )


def _measure(
    asked: Part,
    hidden: Part,
    versions: _Versions,
    context: Context,
    needs: Needs,
    ledger: Ledger,
) -> _Measured:
    candidate, champion = versions.names
    with tempfile.TemporaryDirectory(prefix="kindling-evaluate-") as folder:
        shelf = Shelf(needs.registry, Path(folder))
        reference = pinned(ledger.reference(), champion, candidate, shelf)
        if reference != ledger.reference():
            ledger.pin(reference)
        model = shelf.model(candidate)
        log.info(
            "answering %d golden rows, %d with a photo; %d more are sealed",
            len(asked.rows),
            len(asked.pictured),
            len(hidden.rows),
        )
        answers = _answers(model, asked, versions, reference, shelf)
        evaluation = evaluate(asked.rows, context.niche, answers, context.seed)
        beside = Beside(
            robustness=_robustness(model, asked, context.seed),
            photo_robustness=_photo_robustness(model, asked, context.seed),
            reference_version=reference,
            opened={one.product_id for one in asked.rows}
            - ledger.opened(context.run_id),
            sealed=_sealed(model, hidden, versions, shelf),
        )
        leaked = _leaked(
            [*asked.rows, *hidden.rows], needs.view, context.recipe.dedupe.short_text
        )
        latencies = _latencies(model, asked)
    figures = EvaluationFigures.of(
        evaluation, versions.names, latencies, beside, leaked
    )
    return _Measured(evaluation, figures, model.base_model)


def _leaked(golden: Sequence[Example], view: RunView, short_text: int) -> int:
    """Golden rows whose text or photo the candidate was trained on or fitted to."""
    seen = [*view.examples("train"), *view.examples("validation")]
    return int(seen_by(training_rows(seen, short_text), golden).sum())


def _robustness(model: Classifier, asked: Part, seed: int) -> dict[str, Estimate]:
    return robustness(
        Sample.of(asked.rows),
        asked.texts,
        lambda texts: model.predict(texts, [None] * len(texts)).probabilities,
        np.random.default_rng(seed),
    )


def _photo_robustness(model: Classifier, asked: Part, seed: int) -> dict[str, Estimate]:
    """Empty where the model reads no photos, or no row has one."""
    shown = [
        (one, photo)
        for one, photo in zip(asked.rows, asked.photos, strict=True)
        if photo is not None
    ]
    if not shown or not model.reads_photos:
        return {}
    return photo_robustness(
        Sample.of([one for one, _ in shown]),
        [one.text for one, _ in shown],
        [photo for _, photo in shown],
        lambda texts, photos: model.predict(texts, photos).probabilities,
        np.random.default_rng(seed),
    )


def _sealed(
    model: Classifier, hidden: Part, versions: _Versions, shelf: Shelf
) -> SealedFigures:
    if not hidden.rows:
        return SealedFigures()
    candidate, champion = versions.names
    return sealed_figures(
        hidden.rows,
        _probabilities(model, hidden),
        _probabilities(shelf.baseline(candidate), hidden),
        _probabilities(shelf.model(champion), hidden) if champion else None,
    )


def _probabilities(model: Classifier, part: Part) -> np.ndarray:
    return model.predict(part.texts, part.photos).probabilities


def _answers(
    model: Classifier, asked: Part, versions: _Versions, reference: str, shelf: Shelf
) -> Answers:
    """The candidate is asked again and again for the photo control, and remembers what it has read."""
    remembering = model.remembering()
    texts, photos = asked.texts, asked.photos

    def ask(text_of: np.ndarray | None, photo_of: np.ndarray | None) -> np.ndarray:
        said = None if text_of is None else [texts[row] for row in text_of]
        seen = None if photo_of is None else [photos[row] for row in photo_of]
        n = len(said or seen or ())
        return remembering.predict(said or [None] * n, seen or [None] * n).probabilities

    candidate, champion = versions.names
    others = {one for one in (champion, reference) if one and one != candidate}
    said = {one: _probabilities(shelf.model(one), asked) for one in sorted(others)}
    return Answers(
        candidate=remembering.predict(texts, photos).probabilities,
        baseline=_probabilities(shelf.baseline(candidate), asked),
        champion=said[champion] if champion else None,
        pictured=asked.pictured,
        ask=ask if model.reads_photos else None,
        reference=said.get(reference),
        champion_saw=seen_by(shelf.trained_on(champion), asked.rows)
        if champion
        else None,
    )


def _latencies(model: Classifier, asked: Part) -> dict[str, Latency]:
    pairs: list[_Request] = list(zip(asked.texts, asked.photos, strict=True))
    pictured = [pair for pair in pairs if pair[1] is not None]
    requests: dict[str, list[_Request]] = {
        "text": [(text, None) for text, _ in pairs[:LATENCY_REQUESTS]],
        "text+image": pictured[:LATENCY_REQUESTS],
    }

    def answer(request: _Request) -> None:
        model.predict([request[0]], [request[1]])

    return {
        name: latency(answer, some, time.perf_counter)
        for name, some in requests.items()
        if some
    }


def _pipeline(view: RunView) -> list[StageReport]:
    before = STAGE_NAMES[: STAGE_NAMES.index("evaluate")]
    reports = [view.report(stage) for stage in before]
    return [report for report in reports if report]


def _coverage(view: RunView) -> list[Coverage]:
    """Synthetic rows made and admitted, by category and sentiment, with the conditions that were drawn."""
    admitted = {one.review.review_id for one in view.admitted()}
    cells: dict[tuple[str, str], Coverage] = {}
    for one in view.synthetic():
        key = (one.review.category, one.synthesis.sentiment)
        cell = cells.setdefault(key, Coverage(*key, made=0, admitted=0, conditions={}))
        cells[key] = cell.with_row(
            one.review.review_id in admitted, one.synthesis.condition
        )
    return [cells[key] for key in sorted(cells)]
