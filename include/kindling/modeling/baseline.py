"""TF-IDF and logistic regression: seconds to train, and what the compact model has to beat."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer

from kindling.measure.plain_model import plain_model, word_features

#: Where it lies within a model folder.
FOLDER = "baseline"
VOCABULARY = "vocabulary.json"
WEIGHTS = "weights.safetensors"


class Baseline:
    """Word uni- and bigrams seen in two texts at least, sublinear counts, balanced classes."""

    def __init__(
        self,
        vectorizer: TfidfVectorizer,
        coefficients: np.ndarray,
        intercepts: np.ndarray,
    ) -> None:
        self._vectorizer = vectorizer
        #: [3, terms] and [3].
        self._coefficients = coefficients
        self._intercepts = intercepts

    @classmethod
    def fit(
        cls, texts: Sequence[str], labels: np.ndarray, weights: np.ndarray
    ) -> "Baseline":
        model = plain_model(seed=0, balanced=True)
        model.fit(texts, labels, classifier__sample_weight=weights)
        regression = model["classifier"]
        return cls(model["tfidf"], regression.coef_, regression.intercept_)

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """float64 [n, 3]; photos are not read."""
        return softmax(
            self._vectorizer.transform(texts) @ self._coefficients.T + self._intercepts,
            axis=1,
        )

    def save(self, folder: Path) -> None:
        """Plain numbers and words; nothing in the folder can run."""
        folder.mkdir(parents=True, exist_ok=True)
        terms = {term: int(row) for term, row in self._vectorizer.vocabulary_.items()}
        (folder / VOCABULARY).write_text(
            json.dumps(terms, sort_keys=True, ensure_ascii=False), encoding="utf-8"
        )
        save_file(
            {
                "idf": np.ascontiguousarray(self._vectorizer.idf_),
                "coefficients": np.ascontiguousarray(self._coefficients),
                "intercepts": np.ascontiguousarray(self._intercepts),
            },
            folder / WEIGHTS,
        )

    @classmethod
    def load(cls, folder: Path) -> "Baseline":
        numbers = load_file(folder / WEIGHTS)
        vectorizer = word_features(
            json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
        )
        vectorizer.idf_ = numbers["idf"]
        return cls(vectorizer, numbers["coefficients"], numbers["intercepts"])
