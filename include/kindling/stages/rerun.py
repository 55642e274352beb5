"""Trains a night's model once more from the record, and says how far it is the one that was registered."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kindling.errors import DataError
from kindling.extensions import load_classifier
from kindling.modeling.device import describe
from kindling.observe.lineage import stage_code_sha256
from kindling.recipe import TrainConfig
from kindling.stages import train
from kindling.stages.contract import Context
from kindling.stages.training_set import training_set


@dataclass(frozen=True)
class Rerun:
    """Both models' answers to the validation rows, and what their trainings had in common."""

    version: str
    #: Validation rows, each answered by both.
    n: int
    #: Largest difference of a probability, and answers that are another sentiment.
    largest_difference: float
    answers_changed: int
    #: What each training was made of: name -> (then, now).
    card: dict[str, tuple[Any, Any]]

    @property
    def differing(self) -> list[str]:
        """What was not the same the second time."""
        return [name for name, (then, now) in self.card.items() if then != now]


def rerun(config: TrainConfig, context: Context, needs: train.Needs) -> Rerun:
    """Nothing is registered or committed. DataError for a run that has registered no model."""
    version = needs.registry.candidate(context.run_id)
    report = needs.view.report("train")
    if version is None or report is None:
        raise DataError(
            f"run {context.run_id!r} has registered no model to compare with"
        )
    trained, held_out, data = train.again(config, context, needs)
    texts = [one.text for one in held_out]
    photos = [
        needs.objects.get(one.photo_uri) if one.photo_uri else None for one in held_out
    ]
    with tempfile.TemporaryDirectory(prefix="kindling-rerun-") as folder:
        path = needs.registry.download(version.version, Path(folder))
        then = load_classifier(path).predict(texts, photos).probabilities
    now = trained.classifier.predict(texts, photos).probabilities
    manifest = needs.registry.training_set(version.version)
    anew = training_set(context, data, needs.view)
    kept = report.figures
    return Rerun(
        version=version.version,
        n=len(held_out),
        largest_difference=float(np.abs(now - then).max()),
        answers_changed=int((now.argmax(1) != then.argmax(1)).sum()),
        card={
            "rows": (
                sorted(row.row_sha256 for row in manifest.rows) if manifest else None,
                sorted(row.row_sha256 for row in anew.rows),
            ),
            "code": (report.code_sha256, stage_code_sha256("train")),
            "settings": (kept.get("settings"), train.settings(config, context)),
            "torch": (kept.get("torch"), torch.__version__),
            "threads": (kept.get("threads"), needs.threads),
            "device": (kept.get("device"), describe()),
        },
    )
