"""Does the challenge act on what it finds? Planted generators, each with the verdict it has to get.

    make bench NAME=challenge DATA=<folder that holds clothing/>

Real clothing reviews, split by product; synthetic rows are planted from reviews that are held
back (or, for copiers, from train reviews) and go through the stage as any batch does. A verdict
is right where the fault is named and nine of ten rows that have it are refused by that name; of
a perfect generator, where nine of ten rows are admitted. Of sentiments that were asked and missed
there are two kinds: rows that keep the stars of the review they were, and rows with the stars that
were asked, of which only the words tell. `--variants` adds generators of the same kinds that the
limits were not set on.

Each of `--draws` (20) repeats every generator with other rows; `type1_error` is the share of
`--null` draws (500) in which human rows are told apart from human rows, with its 95 % interval.
What is done is kept under var/bench, by seed and by the code of the challenge, and a run of at most
`--minutes` (8) goes on where the one before stopped: the last line says how much there is.
"""

import argparse
import csv
import gzip
import json
import logging
import time
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from challenge_planted.planted import BATCH, Batch, World, generators, variants
from inputs.datasets import dataset
from scipy.stats import binomtest

from kindling import recipe
from kindling.challenge import discriminator
from kindling.challenge.comparison import Comparison, fold
from kindling.observe.lineage import stage_code_sha256
from kindling.recipe import ChallengeConfig
from kindling.records import (
    DedupeDecision,
    Review,
    Split,
    StageReport,
    Synthesis,
    sentiment_of,
)
from kindling.stages import challenge
from kindling.stages.contract import Context, Outcome
from kindling.stages.view import Earlier, RunView
from kindling.stores.memory import MemoryRows

TRAIN, VALIDATION = 1_800, 900
NULL_SIDE, NULL_POOL = 150, 3_000
#: The product's limits; less of what only the report shows.
CONFIG = ChallengeConfig(bootstrap=100, retested_cues=0, max_real_ratio=2)
KEPT = Path("var/bench")
CONTEXT = Context("r", recipe.load("clothing"), ("Outerwear", "Shorts"), 150, 7)


def read(data: Path) -> list[Review]:
    """Distinct real reviews."""
    path = dataset(data, "clothing") / "reviews.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if len(line["Review Text"]) > 2]
    return [
        Review(
            f"r{zlib.crc32(text.encode()):08x}",
            line["Clothing ID"],
            line["Class Name"] or "none",
            line["Title"],
            text,
            int(line["Rating"]),
            "scraped",
        )
        for text, line in {line["Review Text"]: line for line in lines}.items()
    ]


def draw(rows: list[Review], rng: np.random.Generator, validation: int) -> World:
    """Train and validation rows of different products, and rows of train products held back."""
    products = rng.permutation(sorted({row.product_id for row in rows}))
    held = set(products[: len(products) // 3])
    order = rng.permutation(len(rows))
    inside = [rows[one] for one in order if rows[one].product_id not in held]
    outside = [rows[one] for one in order if rows[one].product_id in held]
    return World(inside[:TRAIN], outside[:validation], inside[TRAIN : TRAIN + BATCH])


def run(world: World, batch: Batch) -> Outcome:
    """The stage over the world and the batch."""
    splits: Mapping[Split, list[Review]] = {
        "train": world.train,
        "validation": world.validation,
    }
    rows = MemoryRows()
    rows.commit(
        StageReport("before", "r", 0, 0),
        [
            *(row for split in splits.values() for row in split),
            *batch.rows,
            *(
                DedupeDecision(row.review_id, row.review_id, True, "unique", 1.0, split)
                for split, reviews in splits.items()
                for row in reviews
            ),
            *(
                Synthesis(row.review_id, asked, "planted", sources)
                for row, asked, sources in zip(
                    batch.rows, batch.intended, batch.sources, strict=True
                )
            ),
        ],
        [],
    )
    return challenge.run(
        CONFIG,
        CONTEXT,
        SimpleNamespace(view=RunView(rows, "r"), earlier=Earlier(rows, "r")),
    )


def right(
    name: str, outcome: Outcome, batch: Batch, reason: str
) -> tuple[bool, dict[str, int]]:
    """Whether the verdict is the one that was planted, and the reasons given."""
    reasons = Counter(one.reason for one in outcome.rejections)
    if not reason:
        return outcome.rows_out >= 0.9 * len(batch.rows), dict(reasons)
    refused = {one.row_id: one.reason for one in outcome.rejections}
    # The first of each repeated text repeats nothing.
    firsts = {"collapse_of_16": 16}.get(name, 8)
    expected = len(batch.guilty) - (firsts if reason == "repeats_another" else 0)
    caught = sum(refused.get(one) in accepted(reason) for one in batch.guilty)
    let_through = len(batch.guilty - refused.keys())
    ok = caught >= 0.9 * expected and let_through <= 0.1 * len(batch.guilty)
    return ok, dict(reasons)


def accepted(reason: str) -> tuple[str, ...]:
    """Names under which a row may be refused: two say that a sentiment was missed, row or batch."""
    if reason == "misses_sentiment":
        return ("misses_sentiment", "off_sentiment")
    return (reason,)


def null_draw(
    pool: discriminator.Counted, rows: list[Review], rng: np.random.Generator
) -> bool:
    """Whether human rows are told apart from human rows."""
    numbers = rng.permutation(len(rows))[: 2 * NULL_SIDE]
    chosen = [rows[one] for one in numbers]
    comparison = Comparison(
        tuple(row.review_id for row in chosen),
        tuple(row.text for row in chosen),
        np.arange(len(chosen)) >= NULL_SIDE,
        tuple((row.product_id,) for row in chosen),
        ((),) * len(chosen),
        tuple(sentiment_of(row.rating) for row in chosen),
    )
    seed = int(rng.integers(2**31))
    features = pool.features(numbers, 5_000)
    plan = fold(comparison, 5, seed)
    scores = discriminator.score(features, comparison, plan, seed)
    found = discriminator.judge(scores.synthetic, comparison, 200, seed)
    return found.verdict == "told apart"


class Kept:
    """Results of earlier runs of the same code and seed, one JSON line each."""

    def __init__(self, seed: int) -> None:
        code = stage_code_sha256("challenge")[:12]
        self._path = KEPT / f"challenge-{code}-{seed}.jsonl"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        self.found: dict[str, bool] = {}
        for line in lines:
            self.found.update(json.loads(line))

    def add(self, key: str, value: bool) -> None:
        self.found[key] = value
        with self._path.open("a") as file:
            file.write(json.dumps({key: value}) + "\n")

    def named(self, kind: str) -> dict[str, list[bool]]:
        """Name -> results, of keys "kind/name/number"."""
        found: dict[str, list[bool]] = {}
        for key, value in self.found.items():
            start, name, _ = key.split("/")
            if start == kind:
                found.setdefault(name, []).append(value)
        return found


def play(
    rows: list[Review], number: int, options: argparse.Namespace, kept: Kept
) -> None:
    """One draw of every generator, or of those that time is left for."""
    wanted = set(filter(None, options.only.split(",")))
    rng = np.random.default_rng((options.seed, number))
    worlds = {"": draw(rows, rng, VALIDATION), "_at_150": draw(rows, rng, 150)}
    for suffix, world in worlds.items():
        made = generators(world, rng)
        if options.variants:
            made |= variants(world, rng)
        for name, (batch, reason) in made.items():
            key = f"verdict/{name + suffix}/{number}"
            if suffix and name != "perfect" or wanted and name not in wanted:
                continue
            if key in kept.found or time.monotonic() > options.until:
                continue
            outcome = run(world, batch)
            ok, reasons = right(name, outcome, batch, reason)
            kept.add(key, ok)
            utility = outcome.figures.get("utility_verdict", "not measured")
            print(
                f"{number:2} {name + suffix:34} {'right' if ok else 'WRONG':6} admitted "
                f"{outcome.rows_out:3} {reasons} utility {utility}",
                flush=True,
            )


def play_null(rows: list[Review], options: argparse.Namespace, kept: Kept) -> None:
    rng = np.random.default_rng((options.seed, 0x6E756C6C))
    some = [rows[one] for one in rng.permutation(len(rows))[:NULL_POOL]]
    pool = None
    for number in range(options.null):
        key = f"null/null/{number}"
        if key in kept.found or time.monotonic() > options.until:
            continue
        pool = pool or discriminator.Counted.of(tuple(row.text for row in some))
        own = np.random.default_rng((options.seed, 1, number))
        kept.add(key, null_draw(pool, some, own))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--null", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--only", default="", help="generators, by comma")
    parser.add_argument("--variants", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    # A third of the time is the null draws'; what they leave is the generators'.
    begun = time.monotonic()
    logging.disable(logging.WARNING)
    rows, kept = read(options.data), Kept(options.seed)
    options.until = begun + 60 * options.minutes / 3
    play_null(rows, options, kept)
    options.until = begun + 60 * options.minutes
    for number in range(options.draws):
        play(rows, number, options, kept)
    nulls = kept.named("null").get("null", [])
    told = sum(nulls)
    interval = binomtest(told, max(1, len(nulls))).proportion_ci(method="exact")
    verdicts = kept.named("verdict")
    every_verdict = [one for found in verdicts.values() for one in found]
    print(
        json.dumps(
            {
                "verdicts_right": round(float(np.mean(every_verdict)), 4)
                if every_verdict
                else None,
                "verdicts": len(every_verdict),
                "by_generator": {
                    name: [sum(found), len(found)] for name, found in verdicts.items()
                },
                "draws": max(map(len, verdicts.values()), default=0),
                "type1_error": round(told / len(nulls), 4) if nulls else None,
                "type1_interval": [round(interval.low, 4), round(interval.high, 4)],
                "null_draws": len(nulls),
            }
        )
    )


if __name__ == "__main__":
    main()
