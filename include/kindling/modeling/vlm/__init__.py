"""Any vision-language model by a local folder, tuned to answer the conversational prompt with one word.

What needs torch is imported on first use: reading a recipe does not wait for it.
"""

from pathlib import Path

from kindling.modeling.vlm.options import SPACE, Options
from kindling.ports.classifier import Classifier, Trained, TrainingData, TrainingTools

__all__ = ["SPACE", "Options", "load", "train"]


def train(data: TrainingData, options: Options, tools: TrainingTools) -> Trained:
    """The model tuned on the train rows, its temperature fitted on the validation rows."""
    from kindling.modeling.vlm import trainer

    return trainer.train(data, options, tools)


def load(folder: Path) -> Classifier:
    """The model in a folder; DataError when a file is missing or was changed."""
    from kindling.modeling.vlm.model import VlmModel

    return VlmModel.load(folder)
