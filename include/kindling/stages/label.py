"""Labels: stars and a model that has not seen the review vote; the bands say whom to believe."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from kindling.errors import DataError
from kindling.labelling import model, votes
from kindling.measure.estimates import estimate
from kindling.measure.metrics import (
    ACCURACY,
    THREE_WAY,
    calibration_edges,
    calibration_error,
)
from kindling.measure.sample import Sample
from kindling.ports.llm import Llm
from kindling.quality.checks import check
from kindling.recipe import LabelConfig
from kindling.records import (
    SENTIMENTS,
    Label,
    Rejection,
    Review,
    Sentiment,
    sentiment_of,
)
from kindling.stages.balloting import Ballot, SecondVote
from kindling.stages.carry import Basis, Carried, carried, settings_of, states
from kindling.stages.contract import Context, Outcome
from kindling.stages.view import Earlier, RunView, Stars

log = logging.getLogger(__name__)


class Needs(Protocol):
    """What the stage is handed."""

    view: RunView
    #: Labels of the nights before stay, while the model behind them still holds.
    earlier: Earlier
    #: Votes on rows in doubt; None where the environment names no model.
    llm: Llm | None


@dataclass(frozen=True)
class _Rows:
    """What there is to label: train rows, stars of the held-out ones, admitted synthetic rows."""

    train: Sequence[Review]
    held_out: Sequence[Stars]
    synthetic: Sequence[Review]
    intended: Sequence[Sentiment]

    @property
    def count(self) -> int:
        return len(self.train) + len(self.held_out) + len(self.synthetic)


def run(config: LabelConfig, context: Context, needs: Needs) -> Outcome:
    """Votes on train and synthetic rows; validation and golden keep their stars and are shown to no model.

    A label is never another sentiment than the stars' (or the generator's intent): where the votes
    speak against it, its confidence falls and the row waits for a human or is left out.
    """
    rows = _read(needs.view)
    if not rows.train:
        raise DataError(
            f"label: run {context.run_id} has no kept train review; see the reasons dedupe gave"
        )
    settings = settings_of("label", config, context)
    before = carried(needs.earlier, "label", rows.train, config.refresh_share, settings)
    if before:
        labels, figures = _continued(rows, before, context, config, needs)
    else:
        second = SecondVote.of(needs.llm, config, context.seed)
        labels, figures = _anew(rows, config, context, second)
    labels += [_undisputed(row) for row in rows.held_out]
    figures = {"settings": settings, **figures}

    failed = check(labels, "label")
    quarantined = {one.row_id for one in failed}
    labels = [label for label in labels if label.review_id not in quarantined]
    bands = _bands(rows, labels)
    log.info(
        "label: %s",
        "; ".join(f"{origin} {_totals(counts)}" for origin, counts in bands.items()),
    )
    return Outcome(
        rows_in=rows.count,
        rows_out=sum(label.band == "accept" for label in labels),
        records=labels,
        rejections=[*failed, *_waiting(labels)],
        figures=figures | {"bands": bands},
        implementation={
            "voters": "; ".join(
                [
                    "stars",
                    "out-of-fold TF-IDF + logistic regression, Dirichlet-calibrated",
                    *([figures["llm"]["name"]] if "llm" in figures else []),
                ]
            ),
            "pooling": "product rule",
        },
    )


def _anew(
    rows: _Rows, config: LabelConfig, context: Context, second: SecondVote | None
) -> tuple[list[Label], dict[str, Any]]:
    """Labels of all train and synthetic rows, and the figures of the model's vote."""
    train = rows.train
    stars = [sentiment_of(row.rating) for row in train]
    texts, products = [row.text for row in train], [row.product_id for row in train]
    log.info("label: cross-fitting the model's vote on %d train reviews", len(train))
    found = model.out_of_fold(texts, stars, products, config.folds, context.seed)
    prior = votes.prior(stars)
    real = _stars(train, found.votes, config)
    known = second.learn(real) if second else None
    said = second.decide(real, prior, known) if second else None
    labels = real.labels(prior, config, said)
    if rows.synthetic:
        unseen = [row.text for row in rows.synthetic]
        voted = model.vote(texts, stars, unseen, found.calibrator, context.seed)
        made = _intent(rows.synthetic, rows.intended, voted, config)
        told = second.decide(made, prior) if second else None
        labels += made.labels(prior, config, told)
    return labels, {
        **_figures(config, train, found),
        **({"llm": second.figures} if second else {}),
        "basis": Basis.of(context.run_id, train).to_dict(),
        "calibrator": model.plain(found.calibrator),
    }


def _stars(rows: Sequence[Review], voted: np.ndarray, config: LabelConfig) -> Ballot:
    stated = [sentiment_of(row.rating) for row in rows]
    return Ballot(rows, stated, "stars", config.star_reliability, voted)


def _intent(
    rows: Sequence[Review],
    intended: Sequence[Sentiment],
    voted: np.ndarray,
    config: LabelConfig,
) -> Ballot:
    return Ballot(rows, intended, "intended", config.intent_reliability, voted)


def _continued(
    rows: _Rows,
    before: Carried,
    context: Context,
    config: LabelConfig,
    needs: Needs,
) -> tuple[list[Label], dict[str, Any]]:
    """Labels as they were; what is new or changed is voted on by a model of the basis."""
    made = [one.review for one in before.view.synthetic()]
    known = states([*before.view.real("train"), *made])
    held = {one.review_id: one for one in before.view.labels()}
    now = states([*rows.train, *rows.synthetic])
    kept = {one: held[one] for one in now if one in held and known.get(one) == now[one]}
    log.info("label: %d of %d labels stay", len(kept), len(now))
    labels = list(kept.values())
    new = [one for one in rows.train if one.review_id not in kept]
    made_now = [
        (row, sentiment)
        for row, sentiment in zip(rows.synthetic, rows.intended, strict=True)
        if row.review_id not in kept
    ]
    figures = {**before.report.figures, **before.figures}
    if new or made_now:
        basis = needs.earlier.named(before.basis.run_id).real("train")
        stars = [sentiment_of(row.rating) for row in basis]
        calibrator = model.from_plain(before.report.figures["calibrator"])
        unseen = [row.text for row in (*new, *(row for row, _ in made_now))]
        voted = model.vote(
            [row.text for row in basis], stars, unseen, calibrator, context.seed
        )
        prior = votes.prior(stars)
        second = _as_before(figures, needs.llm, config, context)
        synthetic = [row for row, _ in made_now]
        intended = [one for _, one in made_now]
        for ballot in (
            _stars(new, voted[: len(new)], config),
            _intent(synthetic, intended, voted[len(new) :], config),
        ):
            told = second.decide(ballot, prior) if second else None
            labels += ballot.labels(prior, config, told)
        if second:
            figures["llm"] = figures["llm"] | second.figures
    return labels, {**figures, "labels_new": len(new) + len(made_now)}


def _as_before(
    figures: Mapping[str, Any], llm: Llm | None, config: LabelConfig, context: Context
) -> SecondVote | None:
    """The language model's vote, believed as far as the basis found; None where it was not believed."""
    numbers = figures.get("llm", {}).get("calibrator")
    second = SecondVote.of(llm, config, context.seed) if numbers else None
    if second:
        second.calibrator = model.from_plain(numbers)
    return second


def _read(view: RunView) -> _Rows:
    admitted = view.admitted()
    return _Rows(
        view.real("train"),
        view.stars(),
        [one.review for one in admitted],
        [one.synthesis.sentiment for one in admitted],
    )


def _undisputed(row: Stars) -> Label:
    """What is measured against keeps its stars: a filter here would move the bar with the model."""
    return Label(row.review_id, sentiment_of(row.rating), 1.0, "accept", {"stars": 1.0})


def _waiting(labels: Sequence[Label]) -> list[Rejection]:
    return [
        Rejection(
            label.review_id,
            f"label_{label.band}",
            f"{label.sentiment} with {label.confidence:.2f}; "
            # A label that was kept comes back from the record, whose order is another.
            + ", ".join(
                f"{voter} {probability:.2f}"
                for voter, probability in sorted(label.votes.items())
            ),
        )
        for label in labels
        if label.band != "accept"
    ]


def _bands(
    rows: _Rows, labels: Sequence[Label]
) -> dict[str, dict[str, dict[str, int]]]:
    """Counts by split (or "synthetic"), sentiment and band."""
    where: dict[str, str] = {row.review_id: row.split for row in rows.held_out}
    where |= {row.review_id: "train" for row in rows.train}
    counts = Counter(
        (where.get(one.review_id, "synthetic"), one.sentiment, one.band)
        for one in labels
    )
    return {
        origin: {
            sentiment: {
                band: counts[origin, sentiment, band]
                for band in ("accept", "review", "discard")
            }
            for sentiment in SENTIMENTS
        }
        for origin in ("train", "validation", "golden", "synthetic")
    }


def _totals(counts: Mapping[str, Mapping[str, int]]) -> str:
    bands = ("accept", "review", "discard")
    return ", ".join(
        f"{sum(by[band] for by in counts.values())} {band}" for band in bands
    )


def _figures(
    config: LabelConfig,
    train: Sequence[Review],
    found: model.OutOfFold,
) -> dict[str, Any]:
    sample = Sample.of_reviews(train)
    calibration = calibration_error(calibration_edges(found.votes))
    calibration_raw = calibration_error(calibration_edges(found.raw))
    return {
        "accept": config.accept,
        "discard": config.discard,
        "star_reliability": config.star_reliability,
        "intent_reliability": config.intent_reliability,
        "folds": found.folds,
        "model_macro_f1": estimate(THREE_WAY, sample, found.votes),
        "star_model_agreement": estimate(ACCURACY, sample, found.votes),
        "model_calibration_error": estimate(calibration, sample, found.votes),
        "model_calibration_error_raw": estimate(calibration_raw, sample, found.raw),
    }
