"""What the text tower and a bag of word n-grams say together.

Both see the same rows and err on different ones: the tower knows words that no train row has, the
n-grams know this category's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from kindling.modeling.tfidf.model import TfidfModel

Logits = NDArray[np.float32]

#: Folder of the n-grams within the model's.
WORDS = "words"


@dataclass(frozen=True)
class Words:
    """The n-grams beside a tower of that temperature."""

    model: TfidfModel
    tower_temperature: float

    def pooled(self, tower: NDArray[Any], texts: Sequence[str]) -> Logits:
        """The tower's logits [n, 3] of the texts -> float32 [n, 3].

        The mean of both log-probabilities, each calibrated by itself: a logarithmic opinion pool of
        equal weights (Genest and Zidek 1986), with nothing to fit, so that few validation rows do no harm.
        """
        said = log_softmax(np.asarray(tower, float) / self.tower_temperature, axis=1)
        counted = np.log(np.maximum(self.model.probabilities(texts), 1e-12))
        return np.asarray((said + counted) / 2, np.float32)

    def beside(
        self, tower: Callable[[Sequence[str]], Logits]
    ) -> Callable[[Sequence[str]], Logits]:
        """A reader of texts into logits [n, 3], from one that is the tower alone."""
        return lambda texts: self.pooled(tower(texts), texts)


def load_words(folder: Path, config: Mapping[str, Any]) -> Words | None:
    """Those of a compact model's folder; None where it was trained without."""
    temperature = config.get("tower_temperature")
    if temperature is None:
        return None
    return Words(TfidfModel.load(folder / WORDS), temperature)
