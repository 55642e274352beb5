"""Product category from the picture, on Fashion-MNIST as published: 60,000 to learn from, 10,000 to judge.

    make bench NAME=categorize DATA=<folder that holds fashion_mnist/>

`train_seconds` are wall seconds of the training. Where a run was cut it goes on from its checkpoint in
`--work`, and the seconds of the steps that it took are scaled to all steps; `cpu_seconds` are those of all
threads, so that a busy machine can be told from a slow training. Beside it: how often the category is among
the three likeliest, how many known pictures are called unknown, and how many pictures that show no
product are (each test picture cut into its sixteen tiles, which are dealt out again).
"""

import argparse
import gzip
import json
import logging
import time
from pathlib import Path

import numpy as np
import torch
from inputs.datasets import dataset

from kindling.modeling.category import UNKNOWN, CategoryModel, fit_category
from kindling.modeling.checkpoint import Checkpoint
from kindling.modeling.device import describe, set_threads
from kindling.modeling.small_network import Course
from kindling.stores.objects import FsspecObjects

NAMES = (
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
SIDE, TILE = 28, 7
SCRAMBLED = 1000


def pictures(path: Path) -> np.ndarray:
    """uint8 [n, 28, 28, 1]."""
    data = gzip.decompress(path.read_bytes())
    return np.frombuffer(data, np.uint8, offset=16).reshape(-1, SIDE, SIDE, 1).copy()


def labels(path: Path) -> np.ndarray:
    """int64 [n]."""
    data = gzip.decompress(path.read_bytes())
    return np.frombuffer(data, np.uint8, offset=8).astype(np.int64)


def scrambled(some: np.ndarray) -> np.ndarray:
    """The same pictures with their tiles in another order."""
    rng = np.random.default_rng(0)
    side = SIDE // TILE
    tiles = some.reshape(len(some), side, TILE, side, TILE, 1).swapaxes(2, 3)
    tiles = tiles.reshape(len(some), side * side, TILE, TILE, 1)
    dealt = np.stack([one[rng.permutation(side * side)] for one in tiles])
    back = dealt.reshape(len(some), side, side, TILE, TILE, 1).swapaxes(2, 3)
    return back.reshape(some.shape)


def judged(model: CategoryModel, seen: np.ndarray, truth: np.ndarray) -> dict:
    guesses = model.top(seen, 3)
    # What the model would have said without "unknown" is what accuracy is about.
    best = model.read(seen).argmax(1)
    among = [
        NAMES[at] in one.categories for one, at in zip(guesses, truth, strict=True)
    ]
    unknown = [one.best == UNKNOWN for one in guesses]
    strange = [one.best == UNKNOWN for one in model.top(scrambled(seen[:SCRAMBLED]))]
    return {
        "accuracy": float((best == truth).mean()),
        "top_3": float(np.mean(among)),
        "known_called_unknown": float(np.mean(unknown)),
        "scrambled_called_unknown": float(np.mean(strange)),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=Course().epochs)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--work", type=Path, default=Path("var/bench/categorize"))
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    set_threads(given.threads)
    folder = dataset(given.data, "fashion_mnist")
    seen = pictures(folder / "train-images-idx3-ubyte.gz")
    truth = labels(folder / "train-labels-idx1-ubyte.gz")
    given.work.mkdir(parents=True, exist_ok=True)
    objects = FsspecObjects(f"file://{given.work.resolve()}")
    name = f"{given.epochs}-epochs.pt"
    checkpoint = Checkpoint(objects, name)
    before = checkpoint.load()
    taken = len(before["losses"]) if before else 0
    wall, cpu = time.perf_counter(), time.process_time()
    course = Course(epochs=given.epochs)
    model = fit_category(seen, truth, NAMES, course, checkpoint)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    after = checkpoint.load()
    steps = len(after["losses"]) if after else taken + 1
    scale = steps / max(1, steps - taken)
    found = judged(
        model,
        pictures(folder / "t10k-images-idx3-ubyte.gz"),
        labels(folder / "t10k-labels-idx1-ubyte.gz"),
    )
    objects.remove_named(name)
    print(
        json.dumps(
            {
                **{key: round(value, 4) for key, value in found.items()},
                "train_seconds": round(wall * scale, 1),
                "cpu_seconds": round(cpu * scale, 1),
                "resumed_at_step": taken,
                "epochs": given.epochs,
                "rows": len(seen),
                "device": describe(),
            }
        )
    )


if __name__ == "__main__":
    main()
