"""Samples a second and model FLOPs utilisation of LoRA on a 7B vision-language model: one GPU only.

    make bench NAME=vlm DATA=<folder that holds clothing/>

Run by hand with `--model`, the folder of a 7B model. Real photos are read and decoded inside the clock; mock
images, made before it, are beside. Without a GPU the last line says "needs a GPU" and nothing is
measured; `--rehearse` takes a tiny model on whatever device there is, to see that all of it runs.
"""

import argparse
import csv
import io
import json
import runpy
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from kindling.modeling.device import describe, device, devices
from kindling.modeling.vlm import Options, weights
from kindling.modeling.vlm.conversation import (
    Conversation,
    Turn,
    answer_loss,
    on_device,
)

TESTS = Path(__file__).resolve().parents[1] / "behaviour" / "modeling"
#: Dense bfloat16 peak of the card by its name, FLOP a second: NVIDIA's data sheets.
PEAK = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
WARM_UP, STEPS = 3, 12
TEXT = (
    "Lovely colour and soft, but it runs small and the seam came apart in a week. " * 4
)


def photos(folder: Path, count: int) -> list[Path]:
    with (folder / "clothing" / "photos.csv").open(newline="") as table:
        return [
            folder / "clothing" / row["file"] for row in list(csv.DictReader(table))
        ][:count]


def mock(count: int) -> list[bytes]:
    rng = np.random.default_rng(0)
    made = []
    for _ in range(count):
        buffer = io.BytesIO()
        pixels = rng.integers(0, 256, (336, 336, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(buffer, "BMP")
        made.append(buffer.getvalue())
    return made


class Tuning:
    """One model under LoRA, and steps of it."""

    def __init__(self, folder: Path, batch: int) -> None:
        model, processor = weights.load(folder)
        self.conversation = Conversation(processor, 128)
        self.batch = batch
        self.module = weights.trainable(
            model.to(device()), Options(folder=str(folder)), seed=0
        )
        trained = [one for one in self.module.parameters() if one.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=1e-4)
        self.parameters = sum(one.numel() for one in self.module.parameters())
        self.tokens = 0

    def step(self, read: Callable[[int], bytes], at: int) -> None:
        turns = [Turn(TEXT, read(at * self.batch + row)) for row in range(self.batch)]
        answers = [row % 3 for row in range(self.batch)]
        batch = on_device(self.conversation.with_answers(turns, answers))
        labels = batch.pop("labels")
        logits = self.module(**batch, use_cache=False).logits
        self.optimizer.zero_grad(set_to_none=True)
        answer_loss(logits, labels).mean().backward()
        self.optimizer.step()
        self.tokens = int(batch["attention_mask"].sum())

    def samples_per_second(self, read: Callable[[int], bytes]) -> float:
        self.module.train()
        for at in range(WARM_UP):
            self.step(read, at)
        _finished()
        began = time.perf_counter()
        for at in range(WARM_UP, WARM_UP + STEPS):
            self.step(read, at)
        _finished()
        return STEPS * self.batch / (time.perf_counter() - began)

    def flops_per_sample(self) -> float:
        """Forward, backward to activations, and the recomputed forward: LoRA needs no gradient of the weights.

        Counted for utilisation are the first two alone, 4 FLOP a weight and token.
        """
        return 4.0 * self.parameters * self.tokens / self.batch


def _finished() -> None:
    if devices():
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", type=Path, help="folder of a 7B model")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rehearse", action="store_true")
    given = parser.parse_args()
    if not devices() and not given.rehearse:
        print(json.dumps({"run": False, "why": "needs a GPU", "device": describe()}))
        return
    if given.model is None and not given.rehearse:
        parser.error("--model: the folder of a 7B model, such as LLaVA-v1.5-7B")
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.model or runpy.run_path(str(TESTS / "tiny_vlm.py"))[
            "save_llava"
        ](Path(scratch), ["lovely"])
        tuning = Tuning(folder, given.batch)
        count = given.batch * (WARM_UP + STEPS)
        made = mock(count)
        found = {"mock_samples_per_s": tuning.samples_per_second(made.__getitem__)}
        if given.data:
            real = photos(given.data, count)
            found["samples_per_s"] = tuning.samples_per_second(
                lambda at: real[at % len(real)].read_bytes()
            )
        rate = found.get("samples_per_s", found["mock_samples_per_s"])
        card = next((name for name in PEAK if name in describe()), None)
        utilisation = rate * tuning.flops_per_sample() / PEAK[card] if card else None
        print(
            json.dumps(
                {
                    **{name: round(value, 2) for name, value in found.items()},
                    "mfu": utilisation and round(utilisation, 3),
                    "parameters": tuning.parameters,
                    "batch": given.batch,
                    "rehearsal": given.rehearse,
                    "device": describe(),
                }
            )
        )


if __name__ == "__main__":
    main()
