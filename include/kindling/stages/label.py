"""Labels: stars and a model that has not seen the review vote; the bands say whom to believe."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
from kindling.quality.checks import check
from kindling.recipe import LabelConfig
from kindling.records import (
    SENTIMENTS,
    ChallengeVerdict,
    DedupeDecision,
    Label,
    Rejection,
    Review,
    Sentiment,
    Split,
    Synthesis,
    sentiment_of,
)
from kindling.stages.contract import Context, Deps, Outcome

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Rows:
    """What there is to label: real rows by split, and the synthetic rows that were admitted."""

    real: Mapping[Split, Sequence[Review]]
    synthetic: Sequence[Review]
    intended: Sequence[Sentiment]

    @property
    def count(self) -> int:
        return sum(map(len, self.real.values())) + len(self.synthetic)


def run(config: LabelConfig, context: Context, deps: Deps) -> Outcome:
    """Votes on train and synthetic rows; validation and golden keep their stars and are shown to no model.

    A label is never another sentiment than the stars' (or the generator's intent): where the votes
    speak against it, its confidence falls and the row waits for a human or is left out.
    """
    rows = _read(context, deps)
    train = rows.real["train"]
    if not train:
        raise DataError(
            f"label: run {context.run_id} has no kept train review; see the reasons dedupe gave"
        )
    stars = [sentiment_of(row.rating) for row in train]
    texts, products = [row.text for row in train], [row.product_id for row in train]
    log.info("label: cross-fitting the model's vote on %d train reviews", len(train))
    found = model.out_of_fold(texts, stars, products, config.folds, context.seed)
    prior = votes.prior(stars)

    labels = [
        *_labels(
            train, stars, ("stars", config.star_reliability), found.votes, prior, config
        ),
        *(
            _undisputed(row)
            for split in ("validation", "golden")
            for row in rows.real[split]
        ),
    ]
    if rows.synthetic:
        unseen = [row.text for row in rows.synthetic]
        voted = model.vote(texts, stars, unseen, found.calibrator, context.seed)
        intent = "intended", config.intent_reliability
        labels += _labels(rows.synthetic, rows.intended, intent, voted, prior, config)

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
        figures=_figures(config, train, found) | {"bands": bands},
        implementation={
            "voters": "stars; out-of-fold TF-IDF + logistic regression, Dirichlet-calibrated",
            "pooling": "product rule",
        },
    )


def _read(context: Context, deps: Deps) -> _Rows:
    kept = {
        one.review_id: one.split
        for one in deps.rows.read(DedupeDecision, context.run_id, kept=True)
    }
    admitted = {
        one.review_id
        for one in deps.rows.read(ChallengeVerdict, context.run_id, admitted=True)
    }
    intended = {
        one.review_id: one.sentiment
        for one in deps.rows.read(Synthesis, context.run_id)
    }
    real: dict[Split, list[Review]] = {"train": [], "validation": [], "golden": []}
    synthetic: list[Review] = []
    for row in deps.rows.read(Review, context.run_id):
        if row.origin == "scraped" and row.review_id in kept:
            real[kept[row.review_id]].append(row)
        elif row.origin == "synthetic" and row.review_id in admitted:
            synthetic.append(row)
    missing = [row.review_id for row in synthetic if row.review_id not in intended]
    if missing:
        raise DataError(
            f"label: {missing[0]} (and {len(missing) - 1} more) has no synthesis row"
        )
    return _Rows(real, synthetic, [intended[row.review_id] for row in synthetic])


def _labels(
    rows: Sequence[Review],
    stated: Sequence[Sentiment],
    voter: tuple[str, float],
    voted: np.ndarray,
    prior: np.ndarray,
    config: LabelConfig,
) -> list[Label]:
    """Each row's stated sentiment, as sure as the pooled votes are of it; `voter` is (name, reliability)."""
    name, reliability = voter
    own = np.arange(len(rows)), votes.codes(stated)
    pooled = votes.pool([votes.stated_vote(stated, reliability), voted], prior)[own]
    return [
        Label(
            row.review_id,
            sentiment,
            float(sure),
            votes.band(sure, config.accept, config.discard),
            {name: reliability, "model": float(probability)},
        )
        for row, sentiment, sure, probability in zip(
            rows, stated, pooled, voted[own], strict=True
        )
    ]


def _undisputed(row: Review) -> Label:
    """What is measured against keeps its stars: a filter here would move the bar with the model."""
    return Label(row.review_id, sentiment_of(row.rating), 1.0, "accept", {"stars": 1.0})


def _waiting(labels: Sequence[Label]) -> list[Rejection]:
    return [
        Rejection(
            label.review_id,
            f"label_{label.band}",
            f"{label.sentiment} with {label.confidence:.2f}; "
            + ", ".join(
                f"{voter} {probability:.2f}"
                for voter, probability in label.votes.items()
            ),
        )
        for label in labels
        if label.band != "accept"
    ]


def _bands(
    rows: _Rows, labels: Sequence[Label]
) -> dict[str, dict[str, dict[str, int]]]:
    """Counts by split (or "synthetic"), sentiment and band."""
    where = {
        row.review_id: split for split, reviews in rows.real.items() for row in reviews
    }
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
