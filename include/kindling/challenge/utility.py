"""Whether a batch helps: cross-fitted on all real rows by product, against real rows said twice."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from kindling.errors import DataError
from kindling.measure.estimates import difference, estimate
from kindling.measure.intervals import LEVEL
from kindling.measure.metrics import THREE_WAY
from kindling.measure.plain_model import plain_model
from kindling.measure.sample import Sample
from kindling.records import SENTIMENTS, Estimate, Review, Sentiment, sentiment_of

Verdict = Literal["helps", "harms", "not known"]


@dataclass(frozen=True)
class Batch:
    """Synthetic rows that nothing speaks against, with what each was asked to say and made from."""

    rows: Sequence[Review]
    intended: Sequence[Sentiment]
    sources: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Plan:
    """How usefulness is measured."""

    #: Weights above 0 that the batch is tried at; 0 is the model without it.
    weights: tuple[float, ...]
    #: The weight that a batch is used at if it is not known to help or to harm.
    usual: float
    folds: int
    niche: Collection[str]
    seed: int


@dataclass(frozen=True)
class Utility:
    """Macro-F1 on real rows that neither model saw a product of, by the weight in use."""

    verdict: Verdict
    #: What a row of the batch should count in training; 0 for one that harms.
    weight: float
    real: Estimate
    with_synthetic: Estimate
    #: `with_synthetic - real`, paired by product.
    difference: Estimate
    #: The same against real rows of the same kinds, said twice at the same weight.
    over_duplicates: Estimate
    #: On the niche's rows; None where there are none.
    niche_difference: Estimate | None
    #: Weight -> difference, at the level that several looks leave each.
    by_weight: Mapping[float, Estimate]
    #: Mean share of the batch that a fold may learn from: rows made from its test are left out.
    used_share: float


@dataclass(frozen=True)
class _Answers:
    """Out-of-fold probabilities [R, 3] of each arm."""

    real: np.ndarray
    synthetic: dict[float, np.ndarray]
    duplicates: dict[float, np.ndarray]
    used_share: float


def utility(real: Sequence[Review], batch: Batch, plan: Plan) -> Utility:
    """Train on synthetic rows too, test on real rows of other products.

    "helps": above the model of real rows and above real rows said twice, at some weight;
    "harms": not so, and below the model of real rows at the usual weight; else "not known".
    The intervals of the decision share the error of 5 % among the weights, so that neither
    many looks nor few rows make a verdict. Raises DataError where real rows have one sentiment only.
    """
    answers = _cross_fit(real, batch, plan)
    sample = Sample.of_reviews(real)
    level = 1 - (1 - LEVEL) / len(plan.weights)
    gains = {
        weight: difference(THREE_WAY, sample, found, answers.real, level)
        for weight, found in answers.synthetic.items()
    }
    beats = {
        weight: difference(THREE_WAY, sample, answers.synthetic[weight], found, level)
        for weight, found in answers.duplicates.items()
    }
    helping = [one for one in gains if min(gains[one].low, beats[one].low) > 0]
    verdict: Verdict = "not known"
    weight, shown = plan.usual, plan.usual
    if helping:
        verdict = "helps"
        weight = shown = max(helping, key=lambda one: gains[one].low)
    elif gains[plan.usual].high < 0:
        verdict, weight = "harms", 0.0
    ours, others = answers.synthetic[shown], answers.duplicates[shown]
    return Utility(
        verdict=verdict,
        weight=weight,
        real=estimate(THREE_WAY, sample, answers.real),
        with_synthetic=estimate(THREE_WAY, sample, ours),
        difference=difference(THREE_WAY, sample, ours, answers.real),
        over_duplicates=difference(THREE_WAY, sample, ours, others),
        niche_difference=_in_niche(real, plan.niche, ours, answers.real),
        by_weight=gains,
        used_share=answers.used_share,
    )


def utility_figures(gain: Utility | None) -> dict[str, Any]:
    """As the stage reports them; `gain` is None where no row was left to train on."""
    if gain is None:
        return {"utility": "not measured: no row was left"}
    return {
        "macro_f1_real": gain.real,
        "macro_f1_with_synthetic": gain.with_synthetic,
        "utility": gain.difference,
        "utility_verdict": gain.verdict,
        "utility_over_duplicates": gain.over_duplicates,
        "utility_weight": gain.weight,
        "utility_by_weight": {str(one): gain.by_weight[one] for one in gain.by_weight},
        "utility_rows_used": round(gain.used_share, 3),
        "utility_niche": gain.niche_difference or "no niche row among the real ones",
    }


def _in_niche(
    real: Sequence[Review], niche: Collection[str], ours: np.ndarray, theirs: np.ndarray
) -> Estimate | None:
    rows = [number for number, row in enumerate(real) if row.category in niche]
    if not rows:
        return None
    sample = Sample.of_reviews([real[row] for row in rows])
    return difference(THREE_WAY, sample, ours[rows], theirs[rows])


def _cross_fit(real: Sequence[Review], batch: Batch, plan: Plan) -> _Answers:
    truth = np.array([SENTIMENTS.index(sentiment_of(row.rating)) for row in real])
    if len(np.unique(truth)) < 2:
        raise DataError(
            f"challenge: all {len(real)} real reviews are {SENTIMENTS[truth[0]]}; "
            "nothing can be learned of sentiment"
        )
    products = np.array([row.product_id for row in real])
    folds = min(plan.folds, len(np.unique(products)))
    if folds < 2:
        raise DataError(
            f"challenge: the {len(real)} real reviews are of one product; usefulness is "
            "measured on products that the model has not seen, so two are needed"
        )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=plan.seed)
    rng = np.random.default_rng(plan.seed)
    shape = len(real), len(SENTIMENTS)
    answers = _Answers(
        np.zeros(shape),
        {weight: np.zeros(shape) for weight in plan.weights},
        {weight: np.zeros(shape) for weight in plan.weights},
        0.0,
    )
    used = []
    for train, test in splitter.split(truth, truth, products):
        kept = _made_elsewhere(real, batch, test)
        used.append(len(kept) / max(1, len(batch.rows)))
        fold = _Fold(real, batch, truth, (train, test, kept), plan, rng)
        answers.real[test] = fold.answer(fold.nothing, 0.0)
        for weight in plan.weights:
            answers.synthetic[weight][test] = fold.answer(fold.synthetic, weight)
            answers.duplicates[weight][test] = fold.answer(fold.duplicates, weight)
    return _Answers(
        answers.real, answers.synthetic, answers.duplicates, float(np.mean(used))
    )


def _made_elsewhere(
    real: Sequence[Review], batch: Batch, test: np.ndarray
) -> np.ndarray:
    """Numbers of the synthetic rows that are not made from a product of the test."""
    product_of = {row.review_id: row.product_id for row in real}
    tested = {real[row].product_id for row in test}
    return np.array(
        [
            number
            for number, sources in enumerate(batch.sources)
            if tested.isdisjoint(product_of.get(one, "") for one in sources)
        ],
        int,
    )


class _Fold:
    """One fold's features, and models of its arms, each started from the one before."""

    def __init__(
        self,
        real: Sequence[Review],
        batch: Batch,
        truth: np.ndarray,
        rows: tuple[np.ndarray, np.ndarray, np.ndarray],
        plan: Plan,
        rng: np.random.Generator,
    ) -> None:
        train, test, kept = rows
        pipeline = plain_model(plan.seed, balanced=True)
        features = pipeline.named_steps["tfidf"]
        texts = [real[row].text for row in train]
        made = [batch.rows[row].text for row in kept]
        self._features = features.fit_transform([*texts, *made])
        self._test = features.transform([real[row].text for row in test])
        self._model: LogisticRegression = pipeline.named_steps["classifier"]
        self._model.set_params(warm_start=True)
        asked = np.array([SENTIMENTS.index(batch.intended[row]) for row in kept], int)
        self._truth = np.concatenate([truth[train], asked])
        self._real = np.arange(len(train))
        self._classes = len(np.unique(truth[train]))
        self.nothing = np.empty(0, int)
        self.synthetic = len(train) + np.arange(len(kept))
        cells = [
            (batch.rows[row].category, code)
            for row, code in zip(kept, asked, strict=True)
        ]
        self.duplicates = _alike(real, train, truth, cells, rng)

    def answer(self, extra: np.ndarray, weight: float) -> np.ndarray:
        """P(sentiment) [T, 3] of the test, having learned from real rows and `extra` ones."""
        rows = np.concatenate([self._real, extra])
        weights = np.concatenate(
            [np.ones(len(self._real)), np.full(len(extra), weight)]
        )
        if len(np.unique(self._truth[rows])) != self._classes:
            # A sentiment that only one of the arms has: there is nothing to start from.
            self._model = clone(self._model)
        self._model.fit(self._features[rows], self._truth[rows], weights)
        self._classes = len(self._model.classes_)
        found = np.zeros((self._test.shape[0], len(SENTIMENTS)))
        found[:, self._model.classes_] = self._model.predict_proba(self._test)
        return found


def _alike(
    real: Sequence[Review],
    train: np.ndarray,
    truth: np.ndarray,
    cells: Sequence[tuple[str, int]],
    rng: np.random.Generator,
) -> np.ndarray:
    """Places in `train`, one for each cell: a row of that category and sentiment, or of that
    sentiment, or any."""
    by_cell: dict[tuple[str, int], list[int]] = {}
    by_sentiment: dict[int, list[int]] = {}
    for place, row in enumerate(train):
        by_cell.setdefault((real[row].category, int(truth[row])), []).append(place)
        by_sentiment.setdefault(int(truth[row]), []).append(place)
    everybody = list(range(len(train)))
    return np.array(
        [
            rng.choice(by_cell.get(cell) or by_sentiment.get(cell[1]) or everybody)
            for cell in cells
        ],
        int,
    )
