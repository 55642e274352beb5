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
from kindling.errors import DataError
from kindling.evaluation.controls import Latency, latency
from kindling.evaluation.evaluator import Answers, Evaluation, evaluate
from kindling.evaluation.figures import EvaluationFigures
from kindling.evaluation.report import Coverage, Provenance, render
from kindling.measure.intervals import METHOD as INTERVALS
from kindling.modeling.baseline import FOLDER, Baseline
from kindling.modeling.model import SentimentModel
from kindling.observe.lineage import code_sha256
from kindling.ports.objects import ObjectStore
from kindling.ports.registry import ModelRegistry, ModelVersion
from kindling.recipe import EvaluateConfig
from kindling.records import Example, StageReport
from kindling.stages.contract import Context, Outcome
from kindling.stages.view import Holdout, RunView

LATENCY_REQUESTS = 40

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


def run(config: EvaluateConfig, context: Context, needs: Needs) -> Outcome:
    """Figures with intervals, `report.html` and `figures.json` of the run."""
    torch.set_num_threads(needs.threads)
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
    figures = _handed_on(measured, candidate, other).to_dict()
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
        provenance,
        golden,
        measured.latencies,
        _pipeline(needs.view),
        _coverage(needs.view),
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
    measured: _Measured, candidate: ModelVersion, champion: ModelVersion | None
) -> EvaluationFigures:
    return EvaluationFigures.of(
        measured.evaluation,
        candidate.version,
        champion.version if champion else None,
        measured.latencies,
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
        model, baseline = SentimentModel.load(path), Baseline.load(path / FOLDER)
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
    return _Measured(evaluation, _latencies(model, texts, photos), model.text_model)


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
    model = SentimentModel.load(
        needs.registry.download(champion.version, folder / "champion")
    )
    return model.predict(texts, photos).probabilities


def _answers(
    model: SentimentModel,
    baseline: Baseline,
    texts: Sequence[str],
    photos: Sequence[bytes | None],
    champion: np.ndarray | None,
) -> Answers:
    """The candidate's towers run once; the controls only fuse their logits anew."""
    pictured = np.array(
        [row for row, photo in enumerate(photos) if photo is not None], dtype=np.int64
    )
    text = model.text.logits(texts)
    answers, image = model.fusion.probabilities(text, None), None
    if model.image and len(pictured):
        image = model.image.logits([photos[row] for row in pictured])  # type: ignore[misc]
        answers[pictured] = model.fusion.probabilities(text[pictured], image)
    return Answers(
        answers,
        baseline.probabilities(texts),
        champion,
        text,
        image,
        pictured,
        model.fusion.probabilities,
    )


def _latencies(
    model: SentimentModel, texts: Sequence[str], photos: Sequence[bytes | None]
) -> dict[str, Latency]:
    pairs = list(zip(texts, photos, strict=True))
    requests = {
        "text": [(text, None) for text, _ in pairs[:LATENCY_REQUESTS]],
        "text+image": [pair for pair in pairs if pair[1] is not None][
            :LATENCY_REQUESTS
        ],
    }
    return {
        name: latency(
            lambda request: model.predict([request[0]], [request[1]]),
            some,
            time.perf_counter,
        )
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
