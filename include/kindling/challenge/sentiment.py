"""What a plain sentiment model makes of the synthetic rows, and what they make of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline

from kindling.errors import DataError
from kindling.measure.estimates import difference, estimate
from kindling.measure.metrics import THREE_WAY
from kindling.measure.plain_model import plain_model
from kindling.measure.sample import Sample
from kindling.records import SENTIMENTS, Estimate, Review, Sentiment, sentiment_of

NEGATIVE, _, POSITIVE = range(len(SENTIMENTS))

#: Rows that each sentiment needs among the real reviews that no synthetic row was made from.
_MIN_INDEPENDENT = 30


@dataclass(frozen=True)
class Adherence:
    """P(sentiment) of each synthetic row [S, 3], by a model of real rows only."""

    probabilities: np.ndarray
    intended: np.ndarray
    #: Which real rows the model was trained on.
    trained_on: str

    @property
    def polar(self) -> np.ndarray:
        """bool [S]: rows that are meant to be negative or positive."""
        return np.asarray(self.intended != SENTIMENTS.index("neutral"))

    @property
    def keeps_polarity(self) -> np.ndarray:
        """bool [S]: the intended pole is the likelier of the two; read it for polar rows."""
        positive = self.probabilities[:, POSITIVE] > self.probabilities[:, NEGATIVE]
        return np.asarray(positive == (self.intended == POSITIVE))

    def contradicted(self, confidence: float) -> np.ndarray:
        """bool [S]: the model is this sure of the opposite pole."""
        opposite = np.where(self.intended == POSITIVE, NEGATIVE, POSITIVE)
        return self.polar & (
            self.probabilities[np.arange(len(opposite)), opposite] >= confidence
        )


@dataclass(frozen=True)
class Utility:
    """Macro-F1 on real validation rows after training on real rows, and on real and synthetic ones."""

    real: Estimate
    with_synthetic: Estimate
    #: `with_synthetic - real`, paired.
    difference: Estimate
    #: The same on the niche's validation rows; None where there are none.
    niche_difference: Estimate | None

    def helps(self, max_loss: float) -> bool:
        """Not shown to harm, and a harm beyond `max_loss` is ruled out (95 %)."""
        return self.difference.high >= 0 and self.difference.low >= -max_loss


def adherence(
    real: Sequence[Review],
    synthetic: Sequence[Review],
    intended: Sequence[Sentiment],
    sources: Collection[str],
    seed: int,
) -> Adherence:
    """Independent of the generator: the model learns from real rows that are no source, where enough are."""
    independent = [row for row in real if row.review_id not in sources]
    counts = np.bincount(_truth(independent), minlength=len(SENTIMENTS))
    enough = counts[np.unique(_truth(real))].min() >= _MIN_INDEPENDENT
    chosen = independent if enough else real
    model = _fit([row.text for row in chosen], _truth(chosen), seed)
    return Adherence(
        _probabilities(model, [row.text for row in synthetic]),
        _codes(intended),
        "real rows that are no source"
        if enough
        else "all real rows, sources included: too few others",
    )


def utility(
    real: Sequence[Review],
    synthetic: Sequence[Review],
    intended: Sequence[Sentiment],
    validation: Sequence[Review],
    niche: Collection[str],
    weight: float,
    seed: int,
) -> Utility:
    """Train on synthetic rows too, each `weight` of a real one, test on real; paired by product."""
    texts, truth = [row.text for row in real], _truth(real)
    held_out = [row.text for row in validation]
    both = _fit(
        [*texts, *(row.text for row in synthetic)],
        np.concatenate([truth, _codes(intended)]),
        seed,
        np.concatenate([np.ones(len(real)), np.full(len(synthetic), weight)]),
    )
    predicted = [
        _probabilities(model, held_out) for model in (_fit(texts, truth, seed), both)
    ]
    real_f1, both_f1, gain = _paired(validation, predicted)
    rows = [number for number, row in enumerate(validation) if row.category in niche]
    if not rows:
        return Utility(real_f1, both_f1, gain, None)
    in_niche = _paired(
        [validation[row] for row in rows], [one[rows] for one in predicted]
    )
    return Utility(real_f1, both_f1, gain, in_niche[2])


def _paired(
    rows: Sequence[Review], predicted: Sequence[np.ndarray]
) -> tuple[Estimate, Estimate, Estimate]:
    """Macro-F1 of the model without and with synthetic rows, and the paired difference."""
    sample = Sample.of_reviews(rows)
    real, both = predicted
    return (
        estimate(THREE_WAY, sample, real),
        estimate(THREE_WAY, sample, both),
        difference(THREE_WAY, sample, both, real),
    )


def _codes(sentiments: Sequence[Sentiment]) -> np.ndarray:
    return np.array([SENTIMENTS.index(one) for one in sentiments], dtype=np.int64)


def _truth(rows: Sequence[Review]) -> np.ndarray:
    return _codes([sentiment_of(row.rating) for row in rows])


def _fit(
    texts: Sequence[str],
    truth: np.ndarray,
    seed: int,
    weights: np.ndarray | None = None,
) -> Pipeline:
    if len(np.unique(truth)) < 2:
        raise DataError(
            f"challenge: all {len(texts)} training reviews are {SENTIMENTS[truth[0]]}; "
            "nothing can be learned of sentiment"
        )
    # Balanced weights: synthetic rows are to help by what they say, not by moving the class shares.
    return plain_model(seed, balanced=True).fit(
        texts, truth, classifier__sample_weight=weights
    )


def _probabilities(model: Pipeline, texts: Sequence[str]) -> np.ndarray:
    found = np.zeros((len(texts), len(SENTIMENTS)))
    found[:, model.classes_] = model.predict_proba(texts)
    return found
