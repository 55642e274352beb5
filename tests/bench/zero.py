"""ZeRO on one and on two CPU ranks: the same losses, and a checkpoint that either can go on from.

    make bench NAME=zero

A tiny LLaVA made from config is tuned on drawn rows by the product's own launcher (torchrun, DeepSpeed, gloo).
`loss_difference` is the largest difference of a step's loss between one rank and two under ZeRO-2; the same
of two ranks under ZeRO-3 is beside it. `resume_on_other_ranks_equal` is true where a training that goes on
with one rank from the state that two left at a third of the way (and the other way round) ends within
1e-4 of the one that was never cut, in every loss and every trained weight. What was found is kept in
`--work`: a run that was cut goes on with the next training.
"""

import argparse
import json
import logging
import runpy
from pathlib import Path

import numpy as np
import torch

from kindling.modeling.vlm import Options, trainer
from kindling.ports.classifier import TrainingTools
from kindling.records import SENTIMENTS, Example
from kindling.stores.memory import MemoryObjects

TESTS = Path(__file__).resolve().parents[1] / "behaviour" / "modeling"
TOLERANCE = 1e-4
WORK = "zero"
EXAMPLES = 96
#: Words of the prompt and of the drawn reviews are in the tiny model's vocabulary.
SAID = {
    "negative": ("broke", "awful", "returned"),
    "neutral": ("okay", "average", "plain"),
    "positive": ("lovely", "perfect", "sturdy"),
}


class RememberingObjects(MemoryObjects):
    """Keeps the first state that a training left beside the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.first: bytes = b""

    def put_named(self, name: str, data: bytes) -> str:
        self.first = self.first or data
        return super().put_named(name, data)


def drawn() -> list[Example]:
    """Reviews without photos whose one telling word is their sentiment's."""
    rng = np.random.default_rng(0)
    return [
        Example(
            f"r{row}",
            f"p{row}",
            "Vases",
            f"the vase is {rng.choice(SAID[SENTIMENTS[row % 3]])} and a bit plain",
            SENTIMENTS[row % 3],
            3,
            "scraped",
            "train",
        )
        for row in range(EXAMPLES)
    ]


def tuned(folder: Path, ranks: int, zero: int, objects: MemoryObjects) -> dict:
    """The last state of a training on so many ranks, from the state in `objects` where there is one."""
    options = Options(
        folder=str(folder),
        zero=zero,
        ranks=ranks,
        epochs=3,
        batch_size=10,
        micro_batch=3,
        learning_rate=2e-3,
        checkpoint_steps=10,
        lora_rank=4,
    )
    tools = TrainingTools(objects, WORK, None, ranks, seed=3)
    return trainer.tune(drawn(), options, tools)


def whole(model: Path, work: Path, ranks: int, zero: int) -> tuple[dict, bytes]:
    """The last state of a training that is never cut, and the bytes of the first; kept in `work`."""
    last = work / f"zero-{zero}-{ranks}-last.pt"
    first = work / f"zero-{zero}-{ranks}-first.pt"
    if not last.is_file():
        objects = RememberingObjects()
        state = tuned(model, ranks, zero, objects)
        first.write_bytes(objects.first)
        torch.save(state, last)
        print(f"ZeRO-{zero}, {ranks} ranks: {state['losses'][-1]:.6f}", flush=True)
    return torch.load(last, weights_only=True), first.read_bytes()


def resumed(model: Path, work: Path, first: int, then: int, zero: int) -> dict:
    """The last state of a training that goes on with `then` ranks from what `first` left; kept in `work`."""
    kept = work / f"zero-{zero}-{first}-to-{then}.pt"
    if not kept.is_file():
        objects = MemoryObjects()
        objects.put_named(f"{WORK}/vlm.pt", whole(model, work, first, zero)[1])
        state = tuned(model, then, zero, objects)
        if not 0 < state["resumed_at"] < state["steps"]:
            raise SystemExit(f"nothing was resumed: at step {state['resumed_at']}")
        torch.save(state, kept)
    return {
        **apart(
            whole(model, work, first, zero)[0], torch.load(kept, weights_only=True)
        ),
        "resumed_at": torch.load(kept, weights_only=True)["resumed_at"],
    }


def apart(one: dict, other: dict) -> dict[str, float]:
    """Largest differences of the losses and of the trained weights."""
    losses = np.abs(np.array(one["losses"]) - np.array(other["losses"]))
    weights = [
        float((one["weights"][name] - other["weights"][name]).abs().max())
        for name in one["weights"]
    ]
    return {"loss": float(losses.max()), "weight": max(weights)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, help="not needed")
    parser.add_argument("--work", type=Path, default=Path("var/bench/zero"))
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    save_llava = runpy.run_path(str(TESTS / "tiny_vlm.py"))["save_llava"]
    words = " ".join(word for words in SAID.values() for word in words)
    model = given.work / "model"
    if not model.is_dir():
        save_llava(model, f"the vase is and a bit {words}".split())
    alone, _ = whole(model, given.work, 1, 2)
    two = {"zero_2": apart(alone, whole(model, given.work, 2, 2)[0])}
    print(json.dumps(two), flush=True)
    going_on = {}
    for zero, first, then in ((2, 2, 1), (2, 1, 2), (3, 2, 1)):
        found = resumed(model, given.work, first, then, zero)
        going_on[f"zero_{zero}_from_{first}_to_{then}"] = found
        print(json.dumps(going_on), flush=True)
    two["zero_3"] = apart(alone, whole(model, given.work, 2, 3)[0])
    equal = [max(one["loss"], one["weight"]) <= TOLERANCE for one in going_on.values()]
    print(
        json.dumps(
            {
                "loss_difference": two["zero_2"]["loss"],
                "loss_difference_zero_3": two["zero_3"]["loss"],
                "resume_on_other_ranks_equal": all(equal),
                "two_ranks_against_one": two,
                "resumed": going_on,
                "losses": [round(alone["losses"][at], 4) for at in (0, -1)],
                "torch": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
