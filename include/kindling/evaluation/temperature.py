"""What too much or too little confidence costs: the log-loss that one temperature would save."""

import numpy as np
from scipy.optimize import minimize_scalar

from kindling.measure.estimates import difference
from kindling.measure.metrics import EPSILON, LOG_LOSS
from kindling.measure.sample import Sample
from kindling.records import Estimate

FOLDS = 4


def temperature_cost(sample: Sample, probabilities: np.ndarray) -> Estimate:
    """Log-loss minus that after the best temperature, in nats, paired over products.

    The temperature of Guo et al. 2017, "On Calibration of Modern Neural Networks", cross-fitted:
    each product's rows are cooled by what was fitted on other products, so that nothing is saved
    by chance.
    """
    logits = np.log(np.maximum(probabilities, EPSILON))
    _, product = np.unique(sample.products, return_inverse=True)
    fold = product % FOLDS
    cooled = probabilities.copy()
    for held_out in np.unique(fold):
        others = fold != held_out
        if others.any():
            heat = _fitted(logits[others], sample.truth[others])
            cooled[~others] = _softmax(logits[~others] / heat)
    return difference(LOG_LOSS, sample, probabilities, cooled)


def _fitted(logits: np.ndarray, truth: np.ndarray) -> float:
    def loss(log_heat: float) -> float:
        answers = _softmax(logits / np.exp(log_heat))
        likelihood = answers[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(likelihood, EPSILON)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 4), method="bounded").x))


def _softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(odds / odds.sum(1, keepdims=True))
