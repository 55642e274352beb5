"""The bag of word n-grams as a classifier: fitted, saved as plain numbers, loaded."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.special import softmax

from kindling.errors import DataError
from kindling.modeling import folder as files
from kindling.modeling.tfidf.options import Options
from kindling.modeling.word_grams import WordGrams
from kindling.ports.classifier import Modality, Prediction, Trained, TrainingData
from kindling.records import SENTIMENTS, Example

FORMAT = 1
VOCABULARY = "vocabulary.json"
WEIGHTS = "weights.safetensors"
WANTED = (files.CONFIG, VOCABULARY, WEIGHTS)
Numbers = NDArray[np.float64]


class TfidfModel:
    """Word n-grams, sublinear counts, balanced classes."""

    kind = "tfidf"
    base_model = "TF-IDF + logistic regression"
    reads_photos = False

    def __init__(self, grams: WordGrams, temperature: float = 1.0) -> None:
        self._grams = grams
        self._temperature = temperature

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        labels: NDArray[np.int64],
        weights: NDArray[Any],
        options: Options | None = None,
    ) -> "TfidfModel":
        """`labels` [n] are indices in SENTIMENTS, `weights` [n] what each row counts."""
        from kindling.measure.plain_model import plain_model

        options = options or Options()
        absent = [name for at, name in enumerate(SENTIMENTS) if at not in labels]
        if absent:
            raise DataError(
                f"no training row is {', '.join(absent)}; every sentiment is needed"
            )
        model = plain_model(seed=0, balanced=True)
        model.set_params(classifier__C=options.inverse_penalty)
        model.fit(texts, labels, classifier__sample_weight=weights)
        features, regression = model["tfidf"], model["classifier"]
        vocabulary = {term: int(row) for term, row in features.vocabulary_.items()}
        numbers = (features.idf_, regression.coef_, regression.intercept_)
        return cls(WordGrams(vocabulary, *numbers))

    def calibrated_on(
        self, texts: Sequence[str], labels: NDArray[np.int64]
    ) -> "TfidfModel":
        """The same model with the temperature that suits rows it has not seen."""
        from kindling.modeling.calibration import fit_temperature

        temperature = fit_temperature(self._grams.logits(texts), labels)
        return TfidfModel(self._grams, temperature)

    @property
    def calibrated(self) -> bool:
        """Without validation rows the temperature stays at exactly 1."""
        return self._temperature != 1.0

    @property
    def parameters(self) -> int:
        """How many weights it has."""
        return int(self._grams.coefficients.size + self._grams.intercepts.size)

    def remembering(self) -> "TfidfModel":
        """Itself: a text costs microseconds."""
        return self

    def predict(
        self, texts: Sequence[str | None], photos: Sequence[bytes | None]
    ) -> Prediction:
        """One answer a row, from its text; DataError for a row without one."""
        if len(texts) != len(photos):
            raise ValueError(f"{len(texts)} texts and {len(photos)} photos")
        for row, text in enumerate(texts):
            if text is None:
                raise DataError(
                    f"row {row} has no text, and this model was trained without photos"
                )
        said = [text for text in texts if text is not None]
        modality: list[Modality] = ["text" for _ in said]
        return Prediction(self.probabilities(said), tuple(modality))

    def probabilities(self, texts: Sequence[str]) -> Numbers:
        """float64 [n, 3]."""
        scaled = self._grams.logits(texts) / self._temperature
        return np.asarray(softmax(scaled, axis=1), dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Plain numbers and words; the manifest with every file's SHA-256 comes last."""
        with files.disk_full_named(folder):
            folder.mkdir(parents=True, exist_ok=True)
            files.write_json(folder / VOCABULARY, dict(self._grams.vocabulary))
            numbers = {
                "idf": np.ascontiguousarray(self._grams.idf),
                "coefficients": np.ascontiguousarray(self._grams.coefficients),
                "intercepts": np.ascontiguousarray(self._grams.intercepts),
            }
            save_file(numbers, folder / WEIGHTS)
            config = {
                "kind": self.kind,
                "format": FORMAT,
                "labels": SENTIMENTS,
                "temperature": self._temperature,
            }
            files.write_json(folder / files.CONFIG, config)
            files.seal(folder)

    @classmethod
    def load(cls, folder: Path) -> "TfidfModel":
        """The model in a folder; DataError when a file is missing or is not the one that was written."""
        files.verify(folder, WANTED)
        config = files.read_config(folder, "TF-IDF", FORMAT)
        numbers = load_file(folder / WEIGHTS)
        grams = WordGrams(
            files.read_json(folder / VOCABULARY),
            numbers["idf"],
            numbers["coefficients"],
            numbers["intercepts"],
        )
        return cls(grams, config["temperature"])


def train(data: TrainingData, options: Options) -> Trained:
    """Fitted on the train rows, its temperature on the validation rows."""
    weights = np.array([one.weight for one in data.train])
    texts = [one.text for one in data.train]
    model = TfidfModel.fit(texts, _labels(data.train), weights, options)
    held_out = [one.text for one in data.validation]
    model = model.calibrated_on(held_out, _labels(data.validation))
    return Trained(
        model,
        figures={"parameters": model.parameters},
        implementation={"model": model.base_model},
    )


def _labels(examples: Sequence[Example]) -> NDArray[np.int64]:
    return np.array(
        [SENTIMENTS.index(one.sentiment) for one in examples], dtype=np.int64
    )
