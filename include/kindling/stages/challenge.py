"""Adversarial validation: synthetic rows are trained on only where they stand up to real ones."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np

from kindling.challenge import cues, discriminator
from kindling.challenge.admission import (
    Evidence,
    Limits,
    batch_reason,
    findings,
    row_reasons,
)
from kindling.challenge.coherence import word_salad
from kindling.challenge.comparison import Comparison, fold, match
from kindling.challenge.discriminator import Separability
from kindling.challenge.diversity import diversity
from kindling.challenge.leaks import Leak, label_leaks, length_leaks
from kindling.challenge.memorisation import copying
from kindling.challenge.refusals import rejections
from kindling.challenge.sentiment import (
    adherence,
    answers_of,
    contradicts_stars,
    missed,
)
from kindling.challenge.utility import Batch, Plan, Utility, utility, utility_figures
from kindling.measure.data_hash import data_hash
from kindling.measure.estimates import share
from kindling.recipe import ChallengeConfig
from kindling.records import (
    SENTIMENTS,
    ChallengeVerdict,
    Rejection,
    Review,
    Sentiment,
    sentiment_of,
)
from kindling.stages.carry import Basis, settings_of
from kindling.stages.contract import Context, Outcome
from kindling.stages.kept_verdicts import still_judged
from kindling.stages.view import Earlier, RunView

log = logging.getLogger(__name__)

_IMPLEMENTATION = {
    "discriminator": "style measures + TF-IDF of words and characters, logistic regression",
    "sentiment": "TF-IDF + logistic regression",
    "photos": "not challenged: only texts are",
}


class Needs(Protocol):
    """What the stage is handed."""

    view: RunView
    #: Verdicts of the nights before stay, while what they were made with still holds.
    earlier: Earlier


@dataclass(frozen=True)
class _Rows:
    train: Sequence[Review]
    validation: Sequence[Review]
    synthetic: Sequence[Review]
    #: Of the synthetic rows, in their order.
    intended: Sequence[Sentiment]
    sources: Sequence[tuple[str, ...]]


def run(config: ChallengeConfig, context: Context, needs: Needs) -> Outcome:
    """A verdict for every synthetic row; a batch that is refused leaves the run with its real rows alone."""
    rows = _read(needs.view)
    if not rows.synthetic:
        log.info("challenge: no synthetic rows, nothing to challenge")
        return Outcome(
            0,
            0,
            figures={"synthetic": 0, "findings": ["no synthetic rows"]},
            implementation=_IMPLEMENTATION,
        )
    settings = settings_of("challenge", config, context)
    train, share = rows.train, config.refresh_share
    if kept := still_judged(needs.earlier, train, rows.synthetic, share, settings):
        return replace(kept, implementation=_IMPLEMENTATION)
    rng = np.random.default_rng(context.seed)
    real, outside = match(
        rows.train, rows.synthetic, rows.intended, config.max_real_ratio, rng
    )
    if min(len(real), len(rows.synthetic)) < config.min_rows:
        return _unchallenged(config, rows, len(real))
    separability, scores, figures = _tell_apart(config, context, _compare(rows, real))
    evidence, examined = _examine(config, rows, scores, real, rng, context.seed)
    limits = _limits(config)
    reasons = row_reasons(evidence, limits)
    gain = _utility(config, context, rows, reasons)
    batch = batch_reason(separability, gain)
    weight = gain.weight if gain else config.weight
    verdicts = _verdicts(rows, evidence, reasons, batch, weight)
    named = findings(separability, evidence, gain, limits)
    log.info(
        "challenge: AUC %s; %d of %d rows admitted; findings: %s",
        separability.auc,
        sum(one.admitted for one in verdicts),
        len(verdicts),
        ", ".join(named) or "none",
    )
    return Outcome(
        rows_in=len(verdicts),
        rows_out=sum(one.admitted for one in verdicts),
        records=verdicts,
        rejections=rejections(
            verdicts, evidence, gain, (rows.synthetic, rows.intended)
        ),
        figures={
            "settings": settings,
            "basis": Basis.of(context.run_id, rows.train).to_dict(),
            "synthetic": len(verdicts),
            "findings": named,
            "batch_admitted": not batch,
            "real_compared": len(real),
            "real_from_other_categories": round(outside, 3),
            **figures,
            **examined,
            **_row_figures(rows, real, evidence, verdicts, config),
            **utility_figures(gain),
        },
        implementation=_IMPLEMENTATION,
    )


def _limits(config: ChallengeConfig) -> Limits:
    return Limits(
        config.max_score,
        config.max_copy_rate,
        config.contradiction,
        config.max_jaccard,
    )


def _verdicts(
    rows: _Rows, evidence: Evidence, reasons: Sequence[str], batch: str, weight: float
) -> list[ChallengeVerdict]:
    verdicts = []
    for row, score, own in zip(rows.synthetic, evidence.scores, reasons, strict=True):
        reason = own or batch
        admitted = not reason
        verdicts.append(
            ChallengeVerdict(row.review_id, float(score), admitted, reason, weight)
        )
    return verdicts


def _read(view: RunView) -> _Rows:
    synthetic = view.synthetic()
    return _Rows(
        view.real("train"),
        view.real("validation"),
        [one.review for one in synthetic],
        [one.synthesis.sentiment for one in synthetic],
        [one.synthesis.source_review_ids for one in synthetic],
    )


def _compare(rows: _Rows, real: Sequence[Review]) -> Comparison:
    product = {row.review_id: row.product_id for row in rows.train}
    both = [*real, *rows.synthetic]
    return Comparison(
        review_ids=tuple(row.review_id for row in both),
        texts=tuple(row.text for row in both),
        synthetic=np.array([row.origin == "synthetic" for row in both]),
        products=(
            *((row.product_id,) for row in real),
            *(tuple(product[source] for source in sources) for sources in rows.sources),
        ),
        sources=(*(() for _ in real), *rows.sources),
        cells=(
            *(f"{row.category} {sentiment_of(row.rating)}" for row in real),
            *(
                f"{row.category} {one}"
                for row, one in zip(rows.synthetic, rows.intended, strict=True)
            ),
        ),
    )


def _tell_apart(
    config: ChallengeConfig, context: Context, comparison: Comparison
) -> tuple[Separability, np.ndarray, dict[str, Any]]:
    """The discriminator's verdict, its score of each synthetic row, and what it goes by."""
    log.info(
        "challenge: telling %d synthetic rows from %d real ones",
        comparison.synthetic.sum(),
        (~comparison.synthetic).sum(),
    )
    plan = fold(comparison, config.folds, context.seed)
    features = discriminator.featurise(comparison.texts)
    scores = discriminator.score(features, comparison, plan, context.seed)
    found = discriminator.judge(
        scores.synthetic, comparison, config.bootstrap, context.seed
    )
    ranked = cues.rank(features, scores, comparison.synthetic, config.cues)
    styles = [cue.name for cue in ranked if cue.kind == "style"][: config.retested_cues]
    log.info(
        "challenge: %s; testing again without %s",
        found.verdict,
        ", ".join(styles) or "nothing",
    )
    again = cues.retest(
        comparison,
        styles,
        config.folds,
        config.bootstrap,
        config.retest_rows,
        context.seed,
    )
    return (
        found,
        scores.synthetic[comparison.synthetic],
        {
            **asdict(found),
            "auc": found.auc,
            "balanced_accuracy": found.balanced_accuracy,
            "fold_rule": plan.rule,
            "fold_excluded_share": round(plan.excluded_share, 3),
            "cues": [asdict(cue) for cue in ranked],
            "auc_without": again,
        },
    )


def _examine(
    config: ChallengeConfig,
    rows: _Rows,
    scores: np.ndarray,
    compared: Sequence[Review],
    rng: np.random.Generator,
    seed: int,
) -> tuple[Evidence, dict[str, Any]]:
    """What is wrong with each row, and the figures behind it."""
    texts, real = [row.text for row in rows.synthetic], [row.text for row in rows.train]
    used = {source for sources in rows.sources for source in sources}
    log.info(
        "challenge: copies, diversity and sentiment against %d real train rows",
        len(real),
    )
    voice = adherence(rows.train, rows.synthetic, rows.intended, used, seed)
    place = {row.review_id: number for number, row in enumerate(rows.train)}
    alike = [place[row.review_id] for row in compared]
    truth = np.array([SENTIMENTS.index(sentiment_of(row.rating)) for row in compared])
    others = [row.text for row in compared]
    leaks, leaking = label_leaks(texts, voice.intended, others, truth)
    lengths, odd = length_leaks(texts, voice.intended, others, truth)
    answers = answers_of(rows.train, rows.synthetic, rows.sources, config.folds, seed)
    stars = np.array([SENTIMENTS.index(sentiment_of(row.rating)) for row in rows.train])
    chances, unmet = missed(answers, voice.intended, stars, alike)
    unmet = unmet | contradicts_stars(rows.synthetic, rows.intended)
    evidence = Evidence(
        scores,
        copying(texts, real),
        diversity(texts, real, rng),
        voice,
        {
            "label_leak": leaking,
            "word_salad": word_salad(texts, real),
            "misses_sentiment": unmet,
            "length_leak": odd,
        },
    )
    return evidence, {
        "label_leaks": [_told(leak) for leak in leaks[: config.cues]],
        "length_distance": _by_sentiment(lengths),
        "convinces_as_real": _by_sentiment(chances),
    }


def _told(leak: Leak) -> dict[str, Any]:
    return {**asdict(leak), "sentiment": SENTIMENTS[leak.sentiment]}


def _by_sentiment(figures: Mapping[int, float]) -> dict[str, float]:
    return {SENTIMENTS[code]: value for code, value in figures.items()}


def _utility(
    config: ChallengeConfig, context: Context, rows: _Rows, reasons: Sequence[str]
) -> Utility | None:
    """None where no row is left to train on."""
    left = [number for number, reason in enumerate(reasons) if not reason]
    if not left:
        return None
    log.info("challenge: training with and without %d synthetic rows", len(left))
    batch = Batch(
        [rows.synthetic[row] for row in left],
        [rows.intended[row] for row in left],
        [rows.sources[row] for row in left],
    )
    plan = Plan(
        weights=tuple(sorted({*config.weights, config.weight})),
        usual=config.weight,
        folds=config.folds,
        niche=context.niche,
        seed=context.seed,
    )
    return utility([*rows.train, *rows.validation], batch, plan)


def _unchallenged(config: ChallengeConfig, rows: _Rows, real: int) -> Outcome:
    """What cannot be challenged is not trained on; the score of 1 stands for the missing one."""
    reason, ids = "too_few_to_challenge", [row.review_id for row in rows.synthetic]
    detail = f"{len(ids)} synthetic and {real} real rows; min_rows is {config.min_rows}"
    log.info("challenge: %s", detail)
    return Outcome(
        rows_in=len(ids),
        rows_out=0,
        records=[ChallengeVerdict(one, 1.0, False, reason) for one in ids],
        rejections=[Rejection(one, reason, detail) for one in ids],
        figures={
            "synthetic": len(ids),
            "real_compared": real,
            "batch_admitted": False,
            "findings": [reason],
        },
        implementation=_IMPLEMENTATION,
    )


def _row_figures(
    rows: _Rows,
    real: Sequence[Review],
    evidence: Evidence,
    verdicts: Sequence[ChallengeVerdict],
    config: ChallengeConfig,
) -> dict[str, Any]:
    data = data_hash((row.review_id, row.text) for row in [*rows.synthetic, *real])
    copied, voice = evidence.copying, evidence.adherence
    intended_hit = voice.probabilities.argmax(axis=1) == voice.intended
    return {
        "dropped": share(np.array([not one.admitted for one in verdicts]), data),
        "easily_told": share(evidence.scores > config.max_score, data),
        "near_copies": share(copied.copy_rate > config.max_copy_rate, data),
        "copy_rate_median": float(np.median(copied.copy_rate)),
        "copy_rate_max": float(copied.copy_rate.max()),
        "nearest_jaccard_median": float(np.median(copied.nearest_jaccard)),
        "nearest_jaccard_max": float(copied.nearest_jaccard.max()),
        "distinct_2": evidence.diversity.distinct_2,
        "distinct_2_real": evidence.diversity.distinct_2_real,
        "self_overlap": evidence.diversity.self_overlap,
        "repeats": share(evidence.diversity.repeats, data),
        "keeps_polarity": (
            share(voice.keeps_polarity[voice.polar], data)
            if voice.polar.any()
            else "no polar row"
        ),
        "keeps_sentiment": share(intended_hit, data),
        "sentiment_model_trained_on": voice.trained_on,
    }
