"""The model's vote: TF-IDF and logistic regression, calibrated, on texts that it was not trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from kindling.errors import DataError
from kindling.labelling.votes import codes
from kindling.measure.plain_model import plain_model
from kindling.records import SENTIMENTS, Sentiment

_FLOOR = 1e-6


@dataclass(frozen=True)
class OutOfFold:
    """Each row's vote by a model that saw neither it nor any other row of its product; float64 [N, 3]."""

    votes: np.ndarray
    #: The same votes before calibration.
    raw: np.ndarray
    #: Maps log-probabilities to calibrated ones; fitted on all rows, for texts from elsewhere.
    calibrator: LogisticRegression
    folds: int


def out_of_fold(
    texts: Sequence[str],
    sentiments: Sequence[Sentiment],
    groups: Sequence[str],
    folds: int,
    seed: int,
) -> OutOfFold:
    """Votes by cross-fitting with `groups` (products) kept whole; columns as SENTIMENTS.

    Calibrated by Dirichlet calibration (Kull et al. 2019, "Beyond temperature scaling", NeurIPS), a
    logistic regression on log-probabilities, cross-fitted on the same folds. One temperature is too
    little here: the model is too sure of the commonest sentiment, not of all three.
    Raises DataError where no fold can be made.
    """
    folds = min(folds, len(set(groups)))
    if folds < 2:
        raise DataError(
            f"label: {len(texts)} training reviews of {len(set(groups))} product(s); "
            "the model's vote needs reviews of at least two products"
        )
    truth, text = codes(sentiments), np.array(texts, dtype=object)
    splits = list(
        StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(
            text, truth, groups
        )
    )
    raw, votes = np.zeros((2, len(text), len(SENTIMENTS)))
    for train, held_out in splits:
        raw[held_out] = _probabilities(
            _fit(text[train], truth[train], seed), text[held_out]
        )
    for train, held_out in splits:
        votes[held_out] = _probabilities(
            calibrator_of(raw[train], truth[train]), np.log(raw[held_out])
        )
    return OutOfFold(votes, raw, calibrator_of(raw, truth), folds)


def vote(
    texts: Sequence[str],
    sentiments: Sequence[Sentiment],
    unseen: Sequence[str],
    calibrator: LogisticRegression,
    seed: int,
) -> np.ndarray:
    """[M, 3] for `unseen` by one model trained on all of `texts`."""
    raw = _probabilities(_fit(texts, codes(sentiments), seed), unseen)
    return _probabilities(calibrator, np.log(raw))


def plain(calibrator: LogisticRegression) -> dict[str, Any]:
    """The calibrator as numbers that JSON keeps exactly."""
    return {
        "classes": calibrator.classes_.tolist(),
        "weights": calibrator.coef_.tolist(),
        "bias": calibrator.intercept_.tolist(),
    }


def from_plain(numbers: Mapping[str, Any]) -> LogisticRegression:
    """The calibrator that `plain` gave the numbers of."""
    calibrator = LogisticRegression(max_iter=500)
    calibrator.classes_ = np.array(numbers["classes"])
    calibrator.coef_ = np.array(numbers["weights"])
    calibrator.intercept_ = np.array(numbers["bias"])
    return calibrator


def calibrated(calibrator: LogisticRegression, raw: np.ndarray) -> np.ndarray:
    """[N, 3] probabilities for raw ones."""
    return _probabilities(calibrator, np.log(np.maximum(raw, _FLOOR)))


def calibrator_of(raw: np.ndarray, truth: np.ndarray) -> LogisticRegression:
    """What maps raw probabilities [N, 3] to calibrated ones; `truth` are codes [N] of two sentiments at least."""
    return LogisticRegression(max_iter=500).fit(np.log(np.maximum(raw, _FLOOR)), truth)


def _fit(texts: Sequence[str], truth: np.ndarray, seed: int) -> Pipeline:
    if len(np.unique(truth)) < 2:
        raise DataError(
            f"label: all {len(texts)} reviews of a training fold are {SENTIMENTS[truth[0]]}; "
            "the model's vote needs two sentiments, each in several products"
        )
    # No class weights: the pooling rule wants probabilities under the training prior.
    return plain_model(seed, balanced=False).fit(texts, truth)


def _probabilities(
    model: Pipeline | LogisticRegression, rows: Sequence[str] | np.ndarray
) -> np.ndarray:
    """[N, 3]; a sentiment that the model never saw gets the floor, and none gets less."""
    found = np.zeros((len(rows), len(SENTIMENTS)))
    found[:, model.classes_] = model.predict_proba(rows)
    found = np.maximum(found, _FLOOR)
    return np.asarray(found / found.sum(axis=1, keepdims=True))
