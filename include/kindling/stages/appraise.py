"""What synthetic rows are worth to the niche: the cold-start curve, and whether the night uses them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kindling.coldstart.admission import Decision, decide
from kindling.coldstart.curve import Curve, draw_curve
from kindling.coldstart.generators import FromRows
from kindling.coldstart.heads import Embed
from kindling.coldstart.learning import Space
from kindling.coldstart.plan import Plan
from kindling.coldstart.written import Written
from kindling.modeling.device import set_threads
from kindling.modeling.embedder import Embedder
from kindling.ports.index import EmbeddingCache
from kindling.recipe import AppraiseConfig
from kindling.records import CurvePoint, Estimate, Rejection, Review
from kindling.stages.contract import Context, Outcome
from kindling.stages.embedding import embedded_texts
from kindling.stages.view import RunView, SyntheticReview

log = logging.getLogger(__name__)


class Needs(Protocol):
    """What the stage is handed."""

    view: RunView
    embeddings: EmbeddingCache
    text_model: Path | None
    threads: int


@dataclass(frozen=True)
class _Rows:
    #: Real rows of the niche, of train and validation; and train rows of other categories.
    niche: Sequence[Review]
    neighbours: Sequence[Review]
    synthetic: Sequence[SyntheticReview]

    @property
    def written(self) -> list[Written]:
        return [
            Written(
                one.review.text,
                one.synthesis.sentiment,
                one.review.category,
                one.synthesis.source_review_ids,
            )
            for one in self.synthetic
        ]


def run(config: AppraiseConfig, context: Context, needs: Needs) -> Outcome:
    """The curve, and no synthetic row for training unless it is used as the recipe's `use` says."""
    set_threads(needs.threads)
    rows = _read(context, needs.view)
    embedder = Embedder(needs.text_model)
    embed = _embed(rows, needs.embeddings, embedder)
    plan = _plan(config, context)
    decision = decide(
        rows.niche,
        _sampled(rows.neighbours, plan),
        rows.written,
        Space(embed),
        plan.weight,
        plan.seed,
    )
    used = bool(rows.synthetic) and _used(config, decision)
    curve, missing = _curve(rows, embed, plan)
    log.info(
        "appraise: %d synthetic rows %s: %s",
        len(rows.synthetic),
        "used" if used else "left out",
        decision.reason,
    )
    return Outcome(
        rows_in=len(rows.synthetic),
        rows_out=len(rows.synthetic) if used else 0,
        records=_points(curve) if curve else (),
        rejections=() if used else _left_out(rows.synthetic, decision),
        figures={
            "synthetic_used": used,
            "use": config.use,
            "verdict": decision.verdict,
            "reason": decision.reason,
            "over_real": decision.over_real,
            "over_real_again": decision.over_again,
            "curve": curve.to_dict() if curve else None,
            "curve_missing": missing,
        },
        implementation={
            "encoder": f"{embedder.model_id}, frozen",
            "head": "logistic regression",
        },
    )


def _read(context: Context, view: RunView) -> _Rows:
    train, validation = view.real("train"), view.real("validation")
    niche = set(context.niche) or {row.category for row in train}
    return _Rows(
        [row for row in (*train, *validation) if row.category in niche],
        [row for row in train if row.category not in niche],
        view.labelled(),
    )


def _plan(config: AppraiseConfig, context: Context) -> Plan:
    return Plan(
        points=config.points,
        draws=config.draws,
        neighbours=config.neighbours,
        niche_rows=config.niche_rows,
        weight=context.recipe.challenge.weight,
        seed=context.seed,
    )


def _sampled(rows: Sequence[Review], plan: Plan) -> list[Review]:
    chosen = np.random.default_rng(plan.seed).permutation(len(rows))
    return [rows[at] for at in sorted(chosen[: plan.neighbours])]


def _embed(rows: _Rows, cache: EmbeddingCache, embedder: Embedder) -> Embed:
    """Real texts by the cache that search fills too; what was generated is not kept there."""
    real = {row.text for row in (*rows.niche, *rows.neighbours)}

    def embed(texts: Sequence[str]) -> Any:
        known = [text for text in texts if text in real]
        made = [text for text in texts if text not in real]
        vectors: dict[str, Any] = {}
        if known:
            vectors |= zip(
                known, embedded_texts(cache, embedder, known)[0], strict=True
            )
        if made:
            vectors |= zip(made, embedder.encode(made), strict=True)
        return np.stack([vectors[text] for text in texts])

    return embed


def _used(config: AppraiseConfig, decision: Decision) -> bool:
    if config.use == "always":
        return True
    if config.use == "unless harms":
        return decision.verdict != "harms"
    return decision.used


def _curve(rows: _Rows, embed: Embed, plan: Plan) -> tuple[Curve | None, str]:
    """The curve, or why there is none."""
    products = len({row.product_id for row in rows.niche})
    if not plan.draws:
        return None, "appraise.draws is 0"
    if products < 2:
        return None, (
            f"{len(rows.niche)} real niche rows of {products} products; "
            "two products are needed, one to learn from and one to judge on"
        )
    generator = FromRows("the night's own", rows.written)
    return draw_curve(rows.niche, rows.neighbours, embed, generator, plan), ""


def _left_out(
    synthetic: Sequence[SyntheticReview], decision: Decision
) -> list[Rejection]:
    reason = "harms_niche" if decision.verdict == "harms" else "not_shown_to_help"
    return [
        Rejection(one.review.review_id, reason, decision.reason) for one in synthetic
    ]


def _points(curve: Curve) -> list[CurvePoint]:
    found = [
        _point(one.line, "", one.real_rows, name, figure)
        for one in curve.points
        for name, figure in one.figures.items()
    ]
    for one in curve.comparisons:
        for name, figure in one.figures.items():
            verdict = one.verdict if name == curve.metric else ""
            found.append(
                _point(one.line, one.under, one.real_rows, name, figure, verdict)
            )
    return found


def _point(
    line: str, under: str, rows: int, name: str, figure: Estimate, verdict: str = ""
) -> CurvePoint:
    minus = f" - {under}" if under else ""
    return CurvePoint(
        point_id=f"{line}{minus} @ {rows} / {name}",
        line=line,
        under=under,
        real_rows=rows,
        figure=name,
        value=figure.value,
        low=figure.low,
        high=figure.high,
        n=figure.n,
        products=figure.products,
        data_sha256=figure.data_sha256,
        verdict=verdict,
    )
