"""MiniLM and pretrained eyes under a small image tower, fused late: minutes to train on two cores.

What needs torch is imported on first use: reading a recipe does not wait for it.
"""

from pathlib import Path

from kindling.modeling.compact.options import SPACE, Options
from kindling.ports.classifier import Classifier, Trained, TrainingData, TrainingTools

__all__ = ["SPACE", "Options", "load", "train"]


def train(data: TrainingData, options: Options, tools: TrainingTools) -> Trained:
    """The model fitted on the train rows and studies, calibrated and fused on validation."""
    from kindling.modeling.compact import trainer

    return trainer.train(data, options, tools)


def load(folder: Path) -> Classifier:
    """The model in a folder; DataError when a file is missing or was changed."""
    from kindling.modeling.compact.model import CompactModel

    return CompactModel.load(folder)
