"""Tunes a vision-language model: hands rows to the ranks, merges what they learned, calibrates it."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from kindling.errors import DataError
from kindling.modeling.checkpoint import Checkpoint
from kindling.modeling.compact.rows import class_weights
from kindling.modeling.device import describe, device
from kindling.modeling.vlm import launch, planner, weights
from kindling.modeling.vlm.conversation import Conversation
from kindling.modeling.vlm.job import STATE, Job, Row, write_photo
from kindling.modeling.vlm.model import Asked, VlmModel, turn
from kindling.modeling.vlm.options import Options
from kindling.modeling.vlm.reading import answer_logits
from kindling.ports.classifier import Trained, TrainingData, TrainingTools
from kindling.records import SENTIMENTS, Example

#: Rows whose answers are compared before and after LoRA's matrices are merged.
PARITY_ROWS = 8
#: Largest change of a log-probability that rounding explains: float32, bfloat16.
PARITY = {torch.float32: 1e-3, torch.bfloat16: 0.25}

log = logging.getLogger(__name__)


def train(data: TrainingData, options: Options, tools: TrainingTools) -> Trained:
    """The tuned model with its figures; see `tune`."""
    base = weights.locate(Path(options.folder))
    ranks = launch.ranks_here(options.ranks)
    plan = planner.plan(Path(options.folder), options, ranks * tools.nodes.count)
    log.info("%s", plan)
    state = tune(data.train, options, tools)
    model, processor, difference = _learned(data.validation, options, tools, state)
    classifier = VlmModel(model, processor, base, options.text_tokens)
    asked = [_asked(one, tools) for one in data.validation]
    classifier.calibrate(asked, _labels(data.validation))
    return Trained(
        classifier,
        figures={
            "parameters": classifier.parameters,
            "loss_first": state["losses"][0],
            "loss_last": state["losses"][-1],
            "steps": state["steps"],
            "resumed_at_step": state["resumed_at"],
            "merge_difference": difference,
            "temperature": classifier.temperature,
        },
        implementation={
            "model": f"vision-language model, {options.tuning}",
            "base": base,
            "training": f"DeepSpeed ZeRO-{options.zero}, {state['ranks']} ranks",
            "device": describe(),
        },
    )


def tune(
    examples: Sequence[Example], options: Options, tools: TrainingTools
) -> dict[str, Any]:
    """The last state of the training, from the object store where it is whole there.

    Otherwise ranks are started, from the last state kept; so a first machine that is started again
    after the end needs none of the others.
    """
    name = f"{tools.work}/vlm.pt"
    checkpoint = Checkpoint(tools.objects, name)
    state = checkpoint.load()
    if state is None or state["step"] < state["steps"]:
        with tempfile.TemporaryDirectory(prefix="kindling-vlm-") as folder:
            found = _trained(Path(folder), examples, options, tools, state)
        return found
    return state


def _trained(
    folder: Path,
    examples: Sequence[Example],
    options: Options,
    tools: TrainingTools,
    state: dict[str, Any] | None,
) -> dict[str, Any]:
    ranks = launch.ranks_here(options.ranks)
    threads = max(1, tools.threads // ranks)
    rows = _rows(folder, examples, tools)
    Job(folder, options, tools.seed, threads, rows).write()
    if state is not None:
        torch.save(state, folder / STATE)
    launch.run(folder, ranks, tools.nodes, tools.objects, f"{tools.work}/vlm.pt")
    found: dict[str, Any] = torch.load(
        folder / STATE, map_location="cpu", weights_only=True
    )
    return found


def _rows(
    folder: Path, examples: Sequence[Example], tools: TrainingTools
) -> tuple[Row, ...]:
    labels = _labels(examples)
    classes = class_weights(labels, len(SENTIMENTS))
    made = []
    for one, label in zip(examples, labels.tolist(), strict=True):
        text, photo = _asked(one, tools)
        name = write_photo(folder, photo) if photo is not None else ""
        weight = one.weight * float(classes[label])
        made.append(Row(turn(text, photo).text, label, weight, name))
    return tuple(made)


def _learned(
    validation: Sequence[Example],
    options: Options,
    tools: TrainingTools,
    state: dict[str, Any],
) -> tuple[nn.Module, Any, float]:
    """Model with what was learned merged in, its processor, and what merging changed of log-probabilities."""
    model, processor = weights.load(Path(options.folder))
    # Nothing is trained here: without this, recomputing would be left switched on in the saved model.
    still = options.model_copy(update={"activation_checkpointing": False})
    adapted = weights.trainable(model, still, tools.seed).to(device())
    adapted.load_state_dict(state["weights"], strict=False)
    conversation = Conversation(processor, options.text_tokens)
    turns = [turn(*_asked(one, tools)) for one in validation[:PARITY_ROWS]]
    before = answer_logits(adapted, conversation, turns)
    plain = weights.merged(adapted)
    after = answer_logits(plain, conversation, turns)
    difference = float(np.abs(before - after).max()) if turns else 0.0
    allowed = PARITY[next(plain.parameters()).dtype]
    if difference > allowed:
        raise DataError(
            f"merging LoRA changed a log-probability by {difference:.4f}, more than the"
            f" {allowed} that rounding explains"
        )
    return plain, processor, difference


def _asked(one: Example, tools: TrainingTools) -> Asked:
    return one.text, tools.objects.get(one.photo_uri) if one.photo_uri else None


def _labels(examples: Sequence[Example]) -> np.ndarray:
    return np.array([SENTIMENTS.index(one.sentiment) for one in examples], np.int64)
