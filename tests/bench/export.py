"""What the int8 export of a trained model keeps, and how much faster it is than torch in float32.

    make bench NAME=export DATA=<folder that holds clothing/>

A compact model is trained on real reviews (kept under var/bench by its settings, so that a second
run measures only), exported with validation rows as the train stage does it, and compared on test
rows that neither saw. One thread of maths for both sides, side by side, interleaved.
"""

import argparse
import csv
import gzip
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inputs.datasets import dataset

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "include"))

from kindling.measure.estimates import resampled  # noqa: E402
from kindling.measure.metrics import THREE_WAY  # noqa: E402
from kindling.modeling import compact, device, folder  # noqa: E402
from kindling.modeling.compact import int8_export, int8_model  # noqa: E402
from kindling.modeling.compact.model import CompactModel  # noqa: E402
from kindling.modeling.device import set_threads  # noqa: E402
from kindling.modeling.embedder import Embedder  # noqa: E402
from kindling.ports.classifier import TrainingData, TrainingTools  # noqa: E402
from kindling.records import SENTIMENTS, Example  # noqa: E402
from kindling.stores.objects import FsspecObjects  # noqa: E402

TIMED = 120
RESAMPLES = 2000


def sentiment(stars: int) -> str:
    return SENTIMENTS[0 if stars < 3 else 1 if stars == 3 else 2]


def reviews(data: Path) -> list[tuple[str, str]]:
    """Texts and labels by stars, in an order that a hash draws."""
    path = dataset(data, "clothing") / "reviews.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        found = {
            (row["Review Text"], sentiment(int(row["Rating"])))
            for row in csv.DictReader(lines)
            if row["Review Text"]
        }
    return sorted(found, key=lambda one: hashlib.sha256(one[0].encode()).hexdigest())


def trained(rows: list[tuple[str, str]], held_out: list[tuple[str, str]]) -> Path:
    digest = hashlib.sha256(json.dumps([rows, held_out]).encode()).hexdigest()[:12]
    target = ROOT / "var" / "bench" / f"export-{digest}"
    if (target / folder.MANIFEST).exists():
        return target
    with tempfile.TemporaryDirectory() as scratch:
        objects = FsspecObjects(f"file://{scratch}")
        data = TrainingData(
            examples(rows, "train"), examples(held_out, "validation"), ()
        )
        tools = TrainingTools(objects, "bench", None, 1, 7)
        found = compact.train(data, compact.Options(), tools)
    found.classifier.save(target)
    return target


def examples(rows: list[tuple[str, str]], split: Any) -> list[Example]:
    return [
        Example(
            review_id=f"{split}{number}",
            product_id=str(number),
            category="clothing",
            text=text,
            sentiment=label,  # type: ignore[arg-type]
            rating=3,
            origin="real",
            split=split,
        )
        for number, (text, label) in enumerate(rows)
    ]


def seconds(predict: Callable[..., Any], texts: list[str]) -> float:
    started = time.process_time()
    for text in texts:
        predict([text], [None])
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=4000, help="to train on")
    parser.add_argument("--compared", type=int, default=1500, help="test rows")
    parser.add_argument("--shown", type=int, default=500, help="validation rows")
    parser.add_argument("--model", type=Path, help="folder of a trained model")
    arguments = parser.parse_args()
    set_threads(1)
    rows = reviews(arguments.data)
    held_out = rows[: arguments.shown]
    test = rows[1000 : 1000 + arguments.compared]
    if arguments.model:
        target = ROOT / "var" / "bench" / "export-given"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(arguments.model, target)
    else:
        target = trained(rows[3000 : 3000 + arguments.rows], held_out)
    model = CompactModel.load(target)
    shown = [(text, None, SENTIMENTS.index(label)) for text, label in held_out]
    float32()
    export = int8_export.export(model, Embedder(), target, shown)
    if export.refused:
        raise SystemExit(f"the export was refused: {export.refused}")
    graphs = int8_model.Int8Model.load(target, 1)
    print(json.dumps(report(model, graphs, export, test)))


def report(
    model: CompactModel,
    graphs: int8_model.Int8Model,
    export: int8_model.Export,
    test: list[tuple[str, str]],
) -> dict[str, Any]:
    texts = [text for text, _ in test]
    truth = np.array([SENTIMENTS.index(label) for _, label in test])
    nothing = [None] * len(texts)
    ours = graphs.predict(texts, nothing).probabilities
    theirs = model.predict(texts, nothing).probabilities
    times = [
        (seconds(model.predict, part), seconds(graphs.predict, part))
        for part in (texts[at : at + 20] for at in range(0, TIMED, 20))
    ]
    difference = resampled(
        lambda at: THREE_WAY(truth[at], ours[at]) - THREE_WAY(truth[at], theirs[at]),
        [np.arange(len(truth))],
        RESAMPLES,
        hashlib.sha256("".join(texts).encode()).hexdigest(),
        0,
    )
    return {
        "bench": "export",
        "rows": len(test),
        "speedup": round(float(np.median([a / b for a, b in times])), 2),
        "agreement": round(float((ours.argmax(1) == theirs.argmax(1)).mean()), 4),
        "macro_f1": round(THREE_WAY(truth, theirs), 4),
        "macro_f1_difference": round(difference.value, 4),
        "macro_f1_difference_low": round(difference.low, 4),
        "ms_torch_float32": round(1000 * sum(a for a, _ in times) / TIMED, 2),
        "ms_int8": round(1000 * sum(b for _, b in times) / TIMED, 2),
        "validation": export.parity,
    }


def float32() -> None:
    """Float32 is what is compared with, whatever this processor would choose."""
    device.native_bf16 = lambda: False  # type: ignore[assignment]


if __name__ == "__main__":
    main()
