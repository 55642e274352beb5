"""Measure the run's model, the baseline and the champion on the golden holdout; write one report."""

import json
import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from kindling.catalog import STAGE_NAMES
from kindling.coldstart.curve import Curve
from kindling.coldstart.drawing import section
from kindling.dedupe.shingles import fold, length
from kindling.errors import DataError
from kindling.evaluation.controls import Latency, latency
from kindling.evaluation.evaluator import Answers, Evaluation, evaluate
from kindling.evaluation.figures import EvaluationFigures
from kindling.evaluation.gate import judge
from kindling.evaluation.report import Coverage, Provenance, Surroundings, render
from kindling.evaluation.robustness import robustness
from kindling.evaluation.verdict import Evidence, Rules, Verdict
from kindling.extensions import load_classifier
from kindling.measure.intervals import METHOD as INTERVALS
from kindling.measure.sample import Sample
from kindling.modeling.device import set_threads
from kindling.modeling.folder import BASELINE
from kindling.observe.lineage import code_sha256
from kindling.ports.classifier import Classifier
from kindling.ports.objects import ObjectStore
from kindling.ports.registry import ModelRegistry, ModelVersion
from kindling.recipe import EvaluateConfig, PromoteConfig
from kindling.records import Estimate, Example, StageReport
from kindling.stages.contract import Context, Outcome
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
    threads: int


@dataclass(frozen=True)
class _Measured:
    evaluation: Evaluation
    latencies: dict[str, Latency]
    text_model: str
    #: Change of the texts -> accuracy after minus before.
    robustness: dict[str, Estimate]


def run(config: EvaluateConfig, context: Context, needs: Needs) -> Outcome:
    """Figures with intervals, `report.html` and `figures.json` of the run."""
    set_threads(needs.threads)
    golden = needs.holdout.examples()
    if not golden:
        raise DataError(
            f"run {context.run_id!r}: the golden holdout is empty; scrape more products or raise golden_share"
        )
    candidate = needs.registry.candidate(context.run_id)
    if candidate is None:
        raise DataError(f"run {context.run_id!r} registered no model; run train first")
    champion = needs.registry.champion()
    other = champion if champion and champion.version != candidate.version else None
    measured = _measure(golden, candidate, other, config, context, needs)
    leaked = _leaked(golden, needs.view, context.recipe.dedupe.short_text)
    found = _handed_on(measured, candidate, other, leaked)
    figures = found.to_dict()
    needs.registry.log_metrics(
        candidate.version,
        {
            f"golden_{name}": figure.value
            for name, figure in measured.evaluation.systems["candidate"].items()
        },
    )
    provenance = _provenance(config, context, measured, candidate, other)
    html = render(
        measured.evaluation,
        _verdict(context.recipe.promote, found),
        provenance,
        golden,
        _around(measured, needs.view),
    )
    content = json.dumps(
        {
            "provenance": asdict(provenance),
            "evaluation": asdict(measured.evaluation),
            "figures": figures,
        },
        default=asdict,
        indent=1,
    )
    return Outcome(
        rows_in=len(golden),
        rows_out=len(golden),
        figures=figures,
        uris={
            "report": needs.objects.put_named(
                f"runs/{context.run_id}/report.html", html.encode()
            ),
            "figures": needs.objects.put_named(
                f"runs/{context.run_id}/figures.json", content.encode()
            ),
        },
        implementation={
            "intervals": INTERVALS,
            "registry": needs.registry.name,
        },
    )


def _handed_on(
    measured: _Measured,
    candidate: ModelVersion,
    champion: ModelVersion | None,
    leaked_rows: int,
) -> EvaluationFigures:
    return EvaluationFigures.of(
        measured.evaluation,
        (candidate.version, champion.version if champion else None),
        measured.latencies,
        measured.robustness,
        leaked_rows,
    )


def _leaked(golden: Sequence[Example], view: RunView, short_text: int) -> int:
    """Golden rows whose text or photo the candidate was trained on or fitted to.

    Texts of fewer than `short_text` characters are no evidence: many people write "Love it".
    """
    seen = [*view.examples("train"), *view.examples("validation")]
    folded = (fold(one.text) for one in seen)
    texts = {text for text in folded if length(text) >= short_text}
    photos = {one.photo_id for one in seen if one.photo_id}
    return sum(fold(one.text) in texts or one.photo_id in photos for one in golden)


def _around(measured: _Measured, view: RunView) -> Surroundings:
    return Surroundings(
        measured.latencies,
        measured.robustness,
        _pipeline(view),
        _coverage(view),
        *_coldstart(view),
    )


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


def _verdict(rules: PromoteConfig, found: EvaluationFigures) -> Verdict:
    """What `promote` will say, unless the champion changes in between."""
    return judge(
        Rules(**rules.model_dump(exclude={"provisional"})),
        Evidence.of(found, rules.metric),
    )


def _provenance(
    config: EvaluateConfig,
    context: Context,
    measured: _Measured,
    candidate: ModelVersion,
    champion: ModelVersion | None,
) -> Provenance:
    return Provenance(
        run_id=context.run_id,
        recipe=context.recipe.name,
        label_scheme=context.recipe.label_scheme,
        seed=context.seed,
        niche=context.niche,
        photo_note=config.photo_note,
        code_sha256=code_sha256(),
        candidate_version=candidate.version,
        champion_version=champion.version if champion else None,
        text_model=measured.text_model,
        torch=torch.__version__,
    )


def _measure(
    golden: Sequence[Example],
    candidate: ModelVersion,
    champion: ModelVersion | None,
    config: EvaluateConfig,
    context: Context,
    needs: Needs,
) -> _Measured:
    bytes_of = {
        uri: needs.objects.get(uri)
        for uri in sorted({one.photo_uri for one in golden if one.photo_uri})
    }
    texts = [one.text for one in golden]
    photos = [bytes_of.get(one.photo_uri or "") for one in golden]
    with tempfile.TemporaryDirectory(prefix="kindling-evaluate-") as folder:
        path = needs.registry.download(candidate.version, Path(folder) / "candidate")
        model, baseline = load_classifier(path), load_classifier(path / BASELINE)
        log.info(
            "answering %d golden rows, %d with a photo",
            len(golden),
            sum(photo is not None for photo in photos),
        )
        answers = _answers(
            model,
            baseline,
            texts,
            photos,
            _champion(champion, texts, photos, Path(folder), needs),
        )
    evaluation = evaluate(golden, context.niche, answers, context.seed)
    sturdy = robustness(
        Sample.of(golden),
        texts,
        lambda asked: model.predict(asked, [None] * len(asked)).probabilities,
        np.random.default_rng(context.seed),
    )
    return _Measured(
        evaluation, _latencies(model, texts, photos), model.base_model, sturdy
    )


def _champion(
    champion: ModelVersion | None,
    texts: Sequence[str],
    photos: Sequence[bytes | None],
    folder: Path,
    needs: Needs,
) -> np.ndarray | None:
    if champion is None:
        return None
    log.info("answering with the champion, version %s", champion.version)
    model = load_classifier(
        needs.registry.download(champion.version, folder / "champion")
    )
    return model.predict(texts, photos).probabilities


def _answers(
    model: Classifier,
    baseline: Classifier,
    texts: Sequence[str],
    photos: Sequence[bytes | None],
    champion: np.ndarray | None,
) -> Answers:
    """The candidate is asked again and again for the photo control, and remembers what it has read."""
    asked = model.remembering()

    def ask(text_of: np.ndarray | None, photo_of: np.ndarray | None) -> np.ndarray:
        said = None if text_of is None else [texts[row] for row in text_of]
        seen = None if photo_of is None else [photos[row] for row in photo_of]
        n = len(said or seen or ())
        return asked.predict(said or [None] * n, seen or [None] * n).probabilities

    pictured = [row for row, photo in enumerate(photos) if photo is not None]
    return Answers(
        asked.predict(texts, photos).probabilities,
        baseline.predict(texts, photos).probabilities,
        champion,
        np.array(pictured, dtype=np.int64),
        ask if model.reads_photos else None,
    )


def _latencies(
    model: Classifier, texts: Sequence[str], photos: Sequence[bytes | None]
) -> dict[str, Latency]:
    pairs: list[_Request] = list(zip(texts, photos, strict=True))
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
