"""Temperature scaling: Guo et al. 2017, "On Calibration of Modern Neural Networks"."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax


def fit_temperature(logits: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """The temperature of least negative log-likelihood, pulled towards 1 by a unit prior on its log.

    `logits` [n, classes]; without rows it is exactly 1.
    """
    if not len(labels):
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return negative_log_likelihood(scaled, labels) + 0.5 * log_temperature**2

    found = minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded")
    return float(np.exp(found.x))


def negative_log_likelihood(logits: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """Summed over the rows, in nats."""
    of_truth = log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
    return float(-of_truth.sum())
