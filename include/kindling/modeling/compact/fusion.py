"""Late fusion of the two towers, calibrated on validation rows."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

# What fits is imported where it fits: an answer needs two formulas, and no optimiser.

Array = NDArray[Any]
Method = Literal["logistic", "naive-bayes", "text-only"]

#: Fewer validation rows with a photo than this do not carry five parameters.
MIN_FUSION_ROWS = 60
#: Pull of the fusion towards naive Bayes, as a Gaussian prior of unit variance on its parameters.
PRIOR_STRENGTH = 1.0


@dataclass(frozen=True)
class Fusion:
    """Two temperatures, and softmax(text_weight * log p(text) + image_weight * log p(image) + bias)."""

    text_temperature: float
    image_temperature: float
    text_weight: float
    image_weight: float
    #: One for each sentiment.
    bias: tuple[float, ...]
    method: Method
    #: Validation rows with a photo.
    fitted_on: int

    def probabilities(
        self, text_logits: Array | None, image_logits: Array | None
    ) -> Array:
        """Logits [n, 3] of the towers that saw something -> float64 [n, 3]."""
        if text_logits is None and image_logits is None:
            raise ValueError("neither text nor image logits given")
        if image_logits is None:
            return _probabilities(text_logits, self.text_temperature)
        if text_logits is None:
            return _probabilities(image_logits, self.image_temperature)
        joint = _joint(
            _log(text_logits, self.text_temperature),
            _log(image_logits, self.image_temperature),
            np.array([self.text_weight, self.image_weight, *self.bias]),
        )
        return _probabilities(joint, 1.0)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Fusion":
        return cls(**{**values, "bias": tuple(values["bias"])})


def fit_fusion(
    text_logits: Array,
    labels: Array,
    image_rows: Array,
    image_logits: Array | None,
    prior: Array,
) -> Fusion:
    """Temperatures and fusion weights from validation rows.

    `image_rows` are the rows of `text_logits` [n, 3] and `labels` [n] that have a photo, with
    `image_logits` [m, 3] (None without an image tower); `prior` [3] is the class distribution that
    the text tower was trained on. Below 60 rows with photo the weights are those of naive Bayes:
    both towers count fully, the prior once.
    """
    from kindling.modeling.calibration import fit_temperature

    text_temperature = fit_temperature(text_logits, labels)
    naive = np.concatenate(
        [
            [1.0, 1.0],
            -np.log(prior / prior.sum()) - np.mean(-np.log(prior / prior.sum())),
        ]
    )
    if image_logits is None:
        return Fusion(
            text_temperature, 1.0, 1.0, 0.0, (0.0,) * len(prior), "text-only", 0
        )
    truth = labels[image_rows]
    image_temperature = fit_temperature(image_logits, truth)
    weights: Array = naive
    method: Method = "naive-bayes"
    if len(image_rows) >= MIN_FUSION_ROWS:
        text_log = _log(text_logits[image_rows], text_temperature)
        weights, method = (
            _fit_joint(text_log, _log(image_logits, image_temperature), truth, naive),
            "logistic",
        )
    return Fusion(
        text_temperature,
        image_temperature,
        float(weights[0]),
        float(weights[1]),
        tuple(float(value) for value in weights[2:]),
        method,
        len(image_rows),
    )


def _fit_joint(text_log: Array, image_log: Array, labels: Array, start: Array) -> Array:
    from scipy.optimize import minimize

    from kindling.modeling.calibration import negative_log_likelihood

    def loss(parameters: Array) -> float:
        pull = 0.5 * PRIOR_STRENGTH * float(np.sum((parameters - start) ** 2))
        return (
            negative_log_likelihood(_joint(text_log, image_log, parameters), labels)
            + pull
        )

    # A tower never counts against what it says, nor for more: were text and photo independent given the
    # sentiment, both would count once, and what they share can only lower that. A few hundred rows fit more.
    bounds = [(0.0, 1.0), (0.0, 1.0)] + [(None, None)] * text_log.shape[1]
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds)
    return np.asarray(found.x)


def _joint(text_log: Array, image_log: Array, parameters: Array) -> Array:
    both: Array = parameters[0] * text_log + parameters[1] * image_log + parameters[2:]
    return both


def _log(logits: Array | None, temperature: float) -> Array:
    return np.asarray(
        log_softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1)
    )


def _probabilities(logits: Array | None, temperature: float) -> Array:
    return np.asarray(
        softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1)
    )
