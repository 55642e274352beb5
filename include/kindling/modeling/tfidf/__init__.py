"""TF-IDF and logistic regression: seconds to train, and what every other model has to beat."""

from pathlib import Path

from kindling.modeling.tfidf.options import SPACE, Options
from kindling.ports.classifier import Classifier, Trained, TrainingData, TrainingTools

__all__ = ["SPACE", "Options", "load", "train"]


def train(data: TrainingData, options: Options, tools: TrainingTools) -> Trained:
    """The model fitted on the train rows' texts, calibrated on validation; photos are not read."""
    from kindling.modeling.tfidf import model

    return model.train(data, options)


def load(folder: Path) -> Classifier:
    """The model in a folder; DataError when a file is missing or was changed."""
    from kindling.modeling.tfidf.model import TfidfModel

    return TfidfModel.load(folder)
