"""Planted faults of a training, and whether the preflight stops it and names them.

    make bench NAME=preflight

Each fault is planted into a small real tower, or into a tiny vision-language model made from config; it counts
as named when the error says what is wrong.
"""

import argparse
import io
import json
import runpy
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from kindling.errors import DataError
from kindling.modeling import preflight
from kindling.modeling.compact.image_tower import ImageClassifier
from kindling.modeling.vlm import Options, weights
from kindling.modeling.vlm import preflight as vlm_preflight
from kindling.modeling.vlm.conversation import MASKED, Conversation
from kindling.modeling.vlm.job import Job, Row, write_photo

Fault = Callable[[], object]


class Tower(nn.Module):
    """Two layers: enough to cut, freeze and poison."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.first(rows)))


def loss_of(tower: nn.Module, rows: torch.Tensor) -> torch.Tensor:
    labels = torch.arange(len(rows)) % 3
    return nn.functional.cross_entropy(tower(rows), labels)


ROWS = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))


def checked(loss: Callable[[Tower], torch.Tensor]) -> Fault:
    def run() -> object:
        tower = Tower()
        return preflight.check_gradient("tower", tower, loss(tower))

    return run


def poisoned_gradient(tower: Tower) -> torch.Tensor:
    tower.last.weight.register_hook(lambda gradient: gradient * float("nan"))
    return loss_of(tower, ROWS)


def cut_off(tower: Tower) -> torch.Tensor:
    hidden = torch.relu(tower.first(ROWS)).detach()
    return nn.functional.cross_entropy(tower.last(hidden), torch.arange(8) % 3)


def same_logits() -> object:
    classifier = ImageClassifier.fresh(32, 3, 4, seed=0)
    with torch.no_grad():
        classifier.tower.condition.weight.zero_()
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    return preflight.check_sensitivity(
        "image tower",
        lambda at: classifier.logits_of(pictures[at])[1],
        np.arange(8),
    )


def infinite_logits() -> object:
    tower = Tower()
    with torch.no_grad():
        tower.last.bias.fill_(float("inf"))
    return preflight.check_sensitivity(
        "tower", lambda at: tower(ROWS[at]).detach().numpy(), np.arange(8)
    )


#: Fault -> how it is planted, and what its name is in the error.
FAULTS: dict[str, tuple[Fault, str]] = {
    "loss is not a number": (
        checked(lambda tower: loss_of(tower, ROWS * float("nan"))),
        "loss of the first batch is nan",
    ),
    "loss is infinite": (
        checked(lambda tower: loss_of(tower, ROWS) * float("inf")),
        "loss of the first batch is inf",
    ),
    "loss is zero": (
        checked(lambda tower: loss_of(tower, ROWS) * 0),
        "loss of the first batch is 0.0",
    ),
    "loss without weights": (
        checked(lambda tower: loss_of(tower, ROWS).detach()),
        "does not depend on any trained weight",
    ),
    "gradient is not a number": (
        checked(poisoned_gradient),
        "no usable gradient at last.weight",
    ),
    "gradient stops on its way": (checked(cut_off), "no usable gradient at first"),
    "logits ignore the photo": (same_logits, "different inputs give the same logits"),
    "logits are infinite": (infinite_logits, "logits are not finite"),
    "every text is cut": (
        lambda: preflight.check_lengths("text tower", [32] * 8, 32),
        "all 8 rows were cut at 32 tokens",
    ),
}


TESTS = Path(__file__).resolve().parents[1] / "behaviour" / "modeling"
SAID = "lovely broke vase negative neutral positive"


class VlmTraining:
    """A tiny LLaVA about to be tuned on four rows with a photo each."""

    def __init__(self, folder: Path) -> None:
        save = runpy.run_path(str(TESTS / "tiny_vlm.py"))["save_llava"]
        self.model, processor = weights.load(save(folder, SAID.split()))
        self.conversation = Conversation(processor, 64)
        self.options = Options(folder=str(folder), lora_rank=2, micro_batch=2)
        rng = np.random.default_rng(0)
        rows = tuple(
            Row("lovely vase", row % 3, 1.0, write_photo(folder, photo(rng)))
            for row in range(4)
        )
        self.job = Job(folder, self.options, 0, 1, rows)

    def check(self) -> None:
        module = weights.trainable(self.model, self.options, seed=0)
        vlm_preflight.check(module, self.conversation, self.job, self.job.plan())


def photo(rng: np.random.Generator) -> bytes:
    drawn = Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG")
    return buffer.getvalue()


def wrong_patches(training: VlmTraining) -> None:
    training.conversation.processor.patch_size = 16


def short_model(training: VlmTraining) -> None:
    training.model.config.text_config.max_position_embeddings = 40


def no_answer(training: VlmTraining) -> None:
    whole = training.conversation.with_answers

    def masked(turns: list, answers: list) -> dict:
        batch = whole(turns, answers)
        batch["labels"] = torch.full_like(batch["labels"], MASKED)
        return batch

    training.conversation.with_answers = masked  # type: ignore[method-assign]


def shut_eyes(training: VlmTraining) -> None:
    with torch.no_grad():
        training.model.model.multi_modal_projector.linear_2.weight.zero_()


def dead_output(training: VlmTraining) -> None:
    with torch.no_grad():
        training.model.lm_head.weight.zero_()


def poisoned_output(training: VlmTraining) -> None:
    with torch.no_grad():
        training.model.lm_head.weight.fill_(float("nan"))


def planted(plant: Callable[[VlmTraining], None]) -> Fault:
    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            training = VlmTraining(Path(folder))
            plant(training)
            training.check()

    return run


VLM_FAULTS: dict[str, tuple[Fault, str]] = {
    "image tokens do not fit": (planted(wrong_patches), "image-token mismatch"),
    "answer is truncated": (planted(short_model), "the answer is truncated"),
    "all labels are masked": (planted(no_answer), "all labels of a row are masked"),
    "answers ignore the photo": (
        planted(shut_eyes),
        "different inputs give the same logits",
    ),
    "no gradient reaches LoRA": (planted(dead_output), "no gradient"),
    "output is poisoned": (planted(poisoned_output), "loss of the first batch is nan"),
}


def said_of(fault: Fault) -> str:
    try:
        fault()
    except DataError as error:
        return str(error)
    return ""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, help="not needed")
    parser.parse_args()
    named = {}
    for name, (fault, wanted) in {**FAULTS, **VLM_FAULTS}.items():
        said = said_of(fault)
        named[name] = wanted in said
        print(f"{name}: {said or 'NOT STOPPED'}")
    sound = (
        checked(lambda tower: loss_of(tower, ROWS)),
        planted(lambda training: None),
    )
    print(
        json.dumps(
            {
                "named_share": sum(named.values()) / len(named),
                "faults": len(named),
                "false_alarms": sum(bool(said_of(one)) for one in sound),
            }
        )
    )


if __name__ == "__main__":
    main()
