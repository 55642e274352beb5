"""Measure the run's model, the baseline and the champion on the golden holdout; write one report."""

import json
import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kindling.catalog import STAGE_NAMES
from kindling.errors import DataError
from kindling.evaluation.controls import Latency, latency
from kindling.evaluation.evaluator import Answers, Evaluation, evaluate
from kindling.evaluation.report import Coverage, Provenance, render
from kindling.extensions import load_classifier
from kindling.modeling.device import set_threads
from kindling.observe.lineage import code_sha256
from kindling.ports.classifier import Classifier
from kindling.ports.registry import ModelVersion
from kindling.recipe import EvaluateConfig
from kindling.records import ChallengeVerdict, Example, Review, Synthesis
from kindling.stages.contract import Context, Deps, Outcome
from kindling.stages.dataset import examples
from kindling.stages.train import BASELINE

LATENCY_REQUESTS = 40

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Measured:
    evaluation: Evaluation
    latencies: dict[str, Latency]
    text_model: str


def run(config: EvaluateConfig, context: Context, deps: Deps) -> Outcome:
    """Figures with intervals, `report.html` and `figures.json` of the run."""
    set_threads(deps.threads)
    golden = examples(deps.rows, context.run_id, ("golden",))
    if not golden:
        raise DataError(
            f"run {context.run_id!r}: the golden holdout is empty; scrape more products or raise golden_share"
        )
    candidate = deps.registry.candidate(context.run_id)
    if candidate is None:
        raise DataError(f"run {context.run_id!r} registered no model; run train first")
    champion = deps.registry.champion()
    other = champion if champion and champion.version != candidate.version else None
    measured = _measure(golden, candidate, other, config, context, deps)
    figures = _figures(measured, candidate, other)
    deps.registry.log_metrics(
        candidate.version,
        {
            f"golden_{name}": figure.value
            for name, figure in measured.evaluation.systems["candidate"].items()
        },
    )
    provenance = Provenance(
        run_id=context.run_id,
        recipe=context.recipe.name,
        label_scheme=context.recipe.label_scheme,
        seed=context.seed,
        niche=context.niche,
        photo_note=config.photo_note,
        code_sha256=code_sha256(),
        candidate_version=candidate.version,
        champion_version=other.version if other else None,
        text_model=measured.text_model,
        torch=torch.__version__,
        resamples=config.bootstrap,
    )
    html = render(
        measured.evaluation,
        provenance,
        golden,
        measured.latencies,
        _pipeline(context, deps),
        _coverage(context, deps),
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
            "report": deps.objects.put_named(
                f"runs/{context.run_id}/report.html", html.encode()
            ),
            "figures": deps.objects.put_named(
                f"runs/{context.run_id}/figures.json", content.encode()
            ),
        },
        implementation={
            "intervals": "percentile bootstrap over products",
            "registry": deps.registry.name,
        },
    )


def _measure(
    golden: Sequence[Example],
    candidate: ModelVersion,
    champion: ModelVersion | None,
    config: EvaluateConfig,
    context: Context,
    deps: Deps,
) -> _Measured:
    bytes_of = {
        uri: deps.objects.get(uri)
        for uri in sorted({one.photo_uri for one in golden if one.photo_uri})
    }
    texts = [one.text for one in golden]
    photos = [bytes_of.get(one.photo_uri or "") for one in golden]
    with tempfile.TemporaryDirectory(prefix="kindling-evaluate-") as folder:
        path = deps.registry.download(candidate.version, Path(folder) / "candidate")
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
            _champion(champion, texts, photos, Path(folder), deps),
        )
    log.info("bootstrap of %d resamples", config.bootstrap)
    evaluation = evaluate(
        golden, context.niche, answers, config.bootstrap, context.seed
    )
    return _Measured(evaluation, _latencies(model, texts, photos), model.base_model)


def _champion(
    champion: ModelVersion | None,
    texts: Sequence[str],
    photos: Sequence[bytes | None],
    folder: Path,
    deps: Deps,
) -> np.ndarray | None:
    if champion is None:
        return None
    log.info("answering with the champion, version %s", champion.version)
    model = load_classifier(
        deps.registry.download(champion.version, folder / "champion")
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
        nothing = [None] * len(photo_of if text_of is None else text_of)
        said = nothing if text_of is None else [texts[row] for row in text_of]
        seen = nothing if photo_of is None else [photos[row] for row in photo_of]
        return asked.predict(said, seen).probabilities

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


def _figures(
    measured: _Measured, candidate: ModelVersion, champion: ModelVersion | None
) -> dict[str, Any]:
    """What the gate and the summary read; the slices stand in figures.json."""
    found = measured.evaluation
    figures: dict[str, Any] = {
        "candidate_version": candidate.version,
        "champion_version": champion.version if champion else None,
        "golden_rows": found.rows,
        "golden_products": found.products,
        "golden_photos": found.photos,
        "data_sha256": found.data_sha256,
        **found.systems["candidate"],
    }
    for name in ("baseline", "champion"):
        figures |= {
            f"{name}_{metric}": figure
            for metric, figure in found.systems.get(name, {}).items()
        }
    for name, by_metric in found.differences.items():
        figures |= {
            f"{metric}_minus_{name}": figure for metric, figure in by_metric.items()
        }
    if found.photo:
        figures |= {
            f"photo_{name}": figure for name, figure in vars(found.photo).items()
        }
    figures["worse_slices"] = [
        f"{one.group}: {one.name}" for one in found.slices if one.worse
    ]
    figures |= {
        f"latency_ms_{name}": asdict(one) for name, one in measured.latencies.items()
    }
    return figures


def _pipeline(context: Context, deps: Deps) -> list[Any]:
    before = STAGE_NAMES[: STAGE_NAMES.index("evaluate")]
    reports = [deps.rows.report(context.run_id, stage) for stage in before]
    return [report for report in reports if report]


def _coverage(context: Context, deps: Deps) -> list[Coverage]:
    """Synthetic rows made and admitted, by category and sentiment, with the conditions that were drawn."""
    made = {one.review_id: one for one in deps.rows.read(Synthesis, context.run_id)}
    admitted = {
        one.review_id
        for one in deps.rows.read(ChallengeVerdict, context.run_id, admitted=True)
    }
    cells: dict[tuple[str, str], Coverage] = {}
    for review in deps.rows.read(Review, context.run_id, origin="synthetic"):
        synthesis = made[review.review_id]
        key = (review.category, synthesis.sentiment)
        cell = cells.setdefault(key, Coverage(*key, made=0, admitted=0, conditions={}))
        cells[key] = cell.with_row(review.review_id in admitted, synthesis.condition)
    return [cells[key] for key in sorted(cells)]
