"""What a plain sentiment model of real rows makes of the synthetic ones."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import mannwhitneyu
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from kindling.errors import DataError
from kindling.measure.plain_model import plain_model
from kindling.records import SENTIMENTS, Review, Sentiment, sentiment_of

NEGATIVE, _, POSITIVE = range(len(SENTIMENTS))

#: Rows that each sentiment needs among the real reviews that no synthetic row was made from.
_MIN_INDEPENDENT = 30
#: A sentiment is missed where synthetic rows convince less than real ones in more than six
#: pairs of ten, which is chance once in a thousand at most ...
_UNCONVINCING = 0.4
_CHANCE = 1e-3
#: ... or where this share of them at least reads like real rows of one other sentiment, which is
#: chance once in a hundred at most.
_PASSED_OFF = 0.3
_PASSED_OFF_CHANCE = 0.01


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
        sure = self.probabilities[np.arange(len(opposite)), opposite] >= confidence
        return np.asarray(self.polar & sure)


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


@dataclass(frozen=True)
class Answers:
    """P(sentiment) of rows by models of real rows that saw none of their product."""

    #: float [R, 3]
    real: np.ndarray
    #: float [S, 3], each row by one of the same models.
    synthetic: np.ndarray


def answers_of(
    real: Sequence[Review],
    synthetic: Sequence[Review],
    sources: Sequence[tuple[str, ...]],
    folds: int,
    seed: int,
) -> Answers:
    """Both sides read by equally good models: of a fold each, in which their product was not.

    A synthetic row's product is that of its first source; one without is read by any.
    """
    truth = _truth(real)
    products = np.array([row.product_id for row in real])
    if len(np.unique(products)) < 2:
        products = np.arange(
            len(real)
        )  # One product: rows are all there is to split by.
    texts = np.array([row.text for row in real], dtype=object)
    made = np.array([row.text for row in synthetic], dtype=object)
    folds = min(folds, len(np.unique(products)))
    reader = np.arange(len(synthetic)) % folds
    place = {row.review_id: number for number, row in enumerate(real)}
    first = np.array(
        [place.get(made_from[0], -1) if made_from else -1 for made_from in sources], int
    )
    found = Answers(
        np.zeros((len(real), len(SENTIMENTS))),
        np.zeros((len(synthetic), len(SENTIMENTS))),
    )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for number, (train, test) in enumerate(splitter.split(texts, truth, products)):
        model = _fit(texts[train].tolist(), truth[train], seed)
        found.real[test] = _probabilities(model, texts[test].tolist())
        here = np.where(first < 0, reader == number, np.isin(first, test))
        if here.any():
            found.synthetic[here] = _probabilities(model, made[here].tolist())
    return found


def missed(
    answers: Answers, intended: np.ndarray, truth: np.ndarray, alike: Sequence[int]
) -> tuple[dict[int, float], np.ndarray]:
    """Sentiments that were asked and not written.

    Sentiment -> chance that a synthetic row asked for it convinces more than a real row of it
    (.5: as real ones do), and bool [S]: rows of a sentiment that was missed. `intended` [S] is
    what was asked, `truth` [R] what the stars of real rows say. `alike` are the places of real
    rows of the same categories and sentiments; those of a sentiment that nobody asked for are
    not among them, and may be what was written all the same.
    """
    chances: dict[int, float] = {}
    refused = np.zeros(len(intended), bool)
    compared = np.zeros(len(truth), bool)
    compared[list(alike)] = True
    for sentiment in np.unique(intended).tolist():
        asked = intended == sentiment
        own = answers.real[compared & (truth == sentiment)]
        if not len(own):
            continue
        made = answers.synthetic[asked]
        chance, p_value = _convinces(_margin(made, sentiment), _margin(own, sentiment))
        chances[sentiment] = round(chance, 3)
        unlike = chance <= _UNCONVINCING and p_value < _CHANCE / len(SENTIMENTS)
        others = {
            one: answers.real[truth == one]
            for one in set(np.unique(truth).tolist()) - {sentiment}
        }
        if unlike or _passed_off(made, own, others, sentiment):
            refused |= asked
    return chances, refused


def contradicts_stars(
    synthetic: Sequence[Review], intended: Sequence[Sentiment]
) -> np.ndarray:
    """bool [S]: the writer gave the row stars of another sentiment than it was asked for."""
    return np.array(
        [
            sentiment_of(row.rating) != asked
            for row, asked in zip(synthetic, intended, strict=True)
        ],
        dtype=bool,
    )


def _passed_off(
    made: np.ndarray, own: np.ndarray, others: Mapping[int, np.ndarray], sentiment: int
) -> bool:
    """Whether too many of the rows asked for one sentiment read like real rows of another.

    Answers [n, 3] of the rows asked for it, of real rows of it, and of real rows of each other
    sentiment. The share is that of adjusted counts (Forman 2008, "Quantifying counts and costs via
    classification"): how far the asked rows lie from their own sentiment, by how far the other
    sentiment's real rows do. A model that separates the two badly makes it no smaller.
    """
    found = False
    for other, real in others.items():
        real_own = _against(own, sentiment, other)
        chance, p_value = _convinces(_against(made, sentiment, other), real_own)
        whole, _ = _convinces(_against(real, sentiment, other), real_own)
        if whole < 0.5:
            share = (0.5 - chance) / (0.5 - whole)
            level = _PASSED_OFF_CHANCE / (len(SENTIMENTS) - 1)
            found |= share >= _PASSED_OFF and p_value < level
    return found


def _convinces(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Chance that one of ours lies above one of theirs, and that of as low a one by luck."""
    test = mannwhitneyu(ours, theirs, alternative="less")
    return float(test.statistic) / (len(ours) * len(theirs)), float(test.pvalue)


def _against(probabilities: np.ndarray, sentiment: int, other: int) -> np.ndarray:
    """Log odds [n] of the sentiment against the other one."""
    logs = np.log(np.maximum(probabilities, 1e-9))
    return np.asarray(logs[:, sentiment] - logs[:, other])


def _margin(probabilities: np.ndarray, sentiment: int) -> np.ndarray:
    """Log odds [n] of the sentiment against the likelier of the others."""
    logs = np.log(np.maximum(probabilities, 1e-9))
    return np.asarray(logs[:, sentiment] - np.delete(logs, sentiment, 1).max(axis=1))


def _codes(sentiments: Sequence[Sentiment]) -> np.ndarray:
    return np.array([SENTIMENTS.index(one) for one in sentiments], dtype=np.int64)


def _truth(rows: Sequence[Review]) -> np.ndarray:
    return _codes([sentiment_of(row.rating) for row in rows])


def _fit(texts: Sequence[str], truth: np.ndarray, seed: int) -> Pipeline:
    if len(np.unique(truth)) < 2:
        raise DataError(
            f"challenge: all {len(texts)} training reviews are {SENTIMENTS[truth[0]]}; "
            "nothing can be learned of sentiment"
        )
    return plain_model(seed, balanced=True).fit(texts, truth)


def _probabilities(model: Pipeline, texts: Sequence[str]) -> np.ndarray:
    found = np.zeros((len(texts), len(SENTIMENTS)))
    found[:, model.classes_] = model.predict_proba(texts)
    return found
