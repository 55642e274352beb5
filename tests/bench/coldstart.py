"""The cold-start curve on real clothing reviews, and whether admission ever makes things worse.

    make bench NAME=coldstart DATA=<folder that holds reviews.csv.gz, or clothing/ with it>
        [--writer recombination] [--draws 5]

Niches are Outerwear, Shorts and Skirts. At each of 0, 10, 50 and 200 real niche rows, and for each
draw, the writer writes anew from those rows and 1,500 of other categories (`--neighbours`). `curve`: line -> real
rows -> [figure, low, high], three-way macro-F1 on niche rows of products that were not learned
from. `verdicts`: comparison -> real rows -> helps, harms or cannot tell. What admission decides is
decided from the rows of the point alone; `never_significantly_worse` says that the line that
follows it is nowhere shown below the one without generated rows.
"""

import argparse
import csv
import gzip
import hashlib
import json
import pickle
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from inputs.datasets import dataset

from kindling.coldstart.curve import Curve, joined
from kindling.coldstart.drawing import text_lines
from kindling.coldstart.plan import Plan, point_name
from kindling.coldstart.trials import Draw, Trials
from kindling.commands.coldstart import save
from kindling.modeling.embedder import Embedder
from kindling.observe.lineage import code_sha256
from kindling.records import Review
from kindling.stages.writing import ByWriter

NICHES = ("Outerwear", "Shorts", "Skirts")
OUT = Path("var/bench/coldstart")
#: Texts embedded between two writes: what a run that was cut off has to do again.
CHUNK = 256


class Kept:
    """Vectors by their text's hash in a file, so that a bench cut off goes on where it was."""

    def __init__(self, embedder: Embedder, path: Path) -> None:
        self._embedder = embedder
        self._path = path
        self._known: dict[str, np.ndarray] = {}
        if path.exists():
            stored = np.load(path)
            self._known = dict(zip(stored["keys"], stored["vectors"], strict=True))

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [n, d]."""
        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        new = {
            key: text
            for key, text in zip(keys, texts, strict=True)
            if key not in self._known
        }
        todo = sorted(new.items())
        for start in range(0, len(todo), CHUNK):
            chunk = todo[start : start + CHUNK]
            vectors = self._embedder.encode([text for _, text in chunk])
            self._known.update(zip((key for key, _ in chunk), vectors, strict=True))
            self._write()
        return np.stack([self._known[key] for key in keys])

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        parts = self._path.with_suffix(".part.npz")
        np.savez(
            parts,
            keys=np.array(list(self._known)),
            vectors=np.stack(list(self._known.values())),
        )
        parts.replace(self._path)


def read(path: Path) -> list[Review]:
    """Reviews with a text, each text once."""
    rows: dict[str, Review] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            text, category = row["Review Text"], row["Class Name"] or "Unknown"
            if len(text) > 20:
                stars = int(row["Rating"])
                made = (f"r{number}", row["Clothing ID"], category, row["Title"], text)
                rows.setdefault(text, Review(*made, stars, "scraped"))
    return list(rows.values())


def drawn(trials: Trials, number: int) -> Draw:
    """One draw, kept until code, writer or plan change: a bench cut off goes on where it was."""
    what = f"{code_sha256()} {trials.generator.name} {trials.plan}"
    name = hashlib.sha256(what.encode()).hexdigest()[:16]
    path = OUT / f"draw-{name}-{number}.pickle"
    if path.exists():
        found: Draw = pickle.loads(path.read_bytes())
        return found
    began = time.process_time()
    found = trials.draw(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(found))
    print(f"draw {number}: {time.process_time() - began:.0f} CPU s", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--writer", default="recombination")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--neighbours", type=int, default=1500)
    given = parser.parse_args()
    rows = read(dataset(given.data, "clothing") / "reviews.csv.gz")
    embedder = Embedder()
    began = time.monotonic()
    trials = Trials(
        [row for row in rows if row.category in NICHES],
        [row for row in rows if row.category not in NICHES],
        Kept(embedder, OUT / f"{embedder.model_id}.npz"),
        ByWriter(given.writer, {}, None),
        Plan(draws=given.draws, neighbours=given.neighbours),
    )
    draws = [drawn(trials, number) for number in range(given.draws)]
    curve = joined(trials, draws)
    save(curve, OUT)
    print("\n".join(text_lines(curve)))
    print(f"written: {OUT}/curve.html")
    print(json.dumps(summary(curve, time.monotonic() - began)))


def summary(curve: Curve, seconds: float) -> dict[str, object]:
    """The last line."""
    lines: dict[str, dict[str, list[float]]] = {}
    for one in curve.points:
        figure = one.figures[curve.metric]
        ends = [round(end, 4) for end in (figure.value, figure.low, figure.high)]
        lines.setdefault(one.line, {})[point_name(one.real_rows)] = ends
    return {
        "curve": lines,
        "verdicts": curve.verdicts(),
        "never_significantly_worse": curve.never_significantly_worse,
        "generator": curve.generator,
        "draws": curve.draws,
        "niche_rows": curve.niche_rows,
        "products": curve.products,
        "neighbours": curve.neighbours,
        "admitted": curve.admitted,
        "data_sha256": curve.data_sha256,
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    main()
