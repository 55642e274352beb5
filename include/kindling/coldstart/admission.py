"""Whether a night uses its generated rows: decided from what the night itself has, never from more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.model_selection import GroupKFold

from kindling.coldstart.heads import CLASSES, Array
from kindling.coldstart.learning import (
    Lesson,
    Space,
    again,
    generated,
    real,
    together,
)
from kindling.coldstart.written import Written
from kindling.measure.estimates import difference
from kindling.measure.metrics import THREE_WAY
from kindling.measure.sample import Sample
from kindling.records import Estimate, Review

Verdict = Literal["helps", "harms", "cannot tell"]

_FOLDS = 5


@dataclass(frozen=True)
class Decision:
    """Three-way macro-F1 on the niche's real rows, each answered by a head that saw no row of its product."""

    verdict: Verdict
    #: True where the generated rows are to be learned from: where they help, and nowhere else.
    used: bool
    #: Why, in words.
    reason: str
    #: With the rows minus without them, and minus real rows said again; None where not measured.
    over_real: Estimate | None = None
    over_again: Estimate | None = None


def decide(
    own: Sequence[Review],
    neighbours: Sequence[Review],
    written: Sequence[Written],
    space: Space,
    weight: float,
    seed: int,
) -> Decision:
    """Cross-fitted by product over the real niche rows; generated rows made from a fold's test stay out.

    "helps": above the model without them and above real rows said again, each at 95 %; "harms":
    below the model without them; else "cannot tell". What cannot be told to help is not used.
    """
    if not written:
        return Decision("cannot tell", False, "there is no generated row")
    products = len({row.product_id for row in own})
    if products < 2:
        return Decision(
            "cannot tell",
            False,
            f"{len(own)} real niche rows of {products} products: none is left to judge on",
        )
    sample = Sample.of_reviews(own)
    if len(np.unique(sample.truth)) < 2:
        return Decision("cannot tell", False, "all real niche rows have one sentiment")
    plan = _Fold(own, real(own, space), real(neighbours, space), written, space, weight)
    bare, with_made, said_again = plan.cross_fit(sample, seed)
    over_real = difference(THREE_WAY, sample, with_made, bare)
    over_again = difference(THREE_WAY, sample, with_made, said_again)
    return _judged(over_real, over_again)


def _judged(over_real: Estimate, over_again: Estimate) -> Decision:
    verdict: Verdict = "cannot tell"
    if over_real.refused:
        reason = f"not known: {over_real.refused}"
    elif over_real.high < 0:
        verdict, reason = "harms", f"a model is worse with them: {over_real}"
    elif min(over_real.low, over_again.low) > 0:
        verdict, reason = "helps", f"a model is better with them: {over_real}"
    elif over_real.low > 0:
        reason = f"no better than real rows said again: {over_again}"
    else:
        reason = f"not shown to make a model better: {over_real}"
    used = verdict == "helps"
    return Decision(verdict, used, reason, over_real, over_again)


@dataclass(frozen=True)
class _Fold:
    """Everything that a fold's three heads are made of."""

    own: Sequence[Review]
    ours: Lesson
    theirs: Lesson
    written: Sequence[Written]
    space: Space
    weight: float

    def cross_fit(self, sample: Sample, seed: int) -> tuple[Array, Array, Array]:
        """Out-of-fold P(sentiment) [n, 3] without the rows, with them, and with real ones again."""
        folds = min(_FOLDS, len(np.unique(sample.products)))
        # A run's seed has 64 bits, scikit-learn's has 32.
        splitter = GroupKFold(folds, shuffle=True, random_state=seed % 2**32)
        rng = np.random.default_rng(seed)
        answers = np.zeros((3, len(self.own), CLASSES))
        for train, test in splitter.split(sample.truth, sample.truth, sample.products):
            answers[:, test] = self._answers(train, test, rng)
        return answers[0], answers[1], answers[2]

    def _answers(
        self, train: np.ndarray, test: np.ndarray, rng: np.random.Generator
    ) -> Array:
        """float64 [3, test, 3]."""
        tested = {self.own[row].review_id for row in test}
        left = [row for row in self.written if tested.isdisjoint(row.sources)]
        base = together(self.ours.at(train), self.theirs)
        made = generated(left, self.space).weighing(self.weight)
        repeated = again(base, made, rng).weighing(self.weight)
        judged = self.ours.vectors[test]
        lessons = (base, together(base, made), together(base, repeated))
        return np.stack([one.answer(judged) for one in lessons])
