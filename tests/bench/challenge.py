"""Does the challenge act on what it finds? Planted generators, each with the verdict it has to get.

    make bench NAME=challenge DATA=<folder that holds clothing/>

Real clothing reviews, split by product; synthetic rows are planted from reviews that are held
back (or, for copiers, from train reviews) and go through the stage as any batch does. A verdict
is right where the fault is named and nine of ten rows that have it are refused by that name; of
a perfect generator, where nine of ten rows are admitted. `--draws` (1; 20 for acceptance)
repeats each with other rows. `type1_error` is the share of `--null` draws (40; 500 for
acceptance) in which human rows are told apart from human rows, with its 95 % interval.
"""

import argparse
import csv
import gzip
import json
import logging
import re
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from scipy.stats import binomtest

from kindling import recipe
from kindling.challenge import discriminator
from kindling.challenge.comparison import Comparison, fold
from kindling.recipe import ChallengeConfig
from kindling.records import (
    DedupeDecision,
    Review,
    Sentiment,
    Split,
    StageReport,
    Synthesis,
    sentiment_of,
)
from kindling.stages import challenge
from kindling.stages.contract import Context, Outcome
from kindling.stages.view import RunView
from kindling.stores.memory import MemoryRows

TRAIN, VALIDATION, BATCH = 1_800, 900, 240
NULL_SIDE = 150
CONFIG = ChallengeConfig(bootstrap=200, retest_rows=300, retested_cues=0)
CONTEXT = Context("r", recipe.load("clothing"), ("Outerwear", "Shorts"), 150, 7)


@dataclass(frozen=True)
class Batch:
    """Planted rows: their texts, what was asked of each, and the train reviews behind them."""

    rows: list[Review]
    intended: list[Sentiment]
    sources: list[tuple[str, ...]]
    #: Rows that have the fault.
    guilty: set[str]


@dataclass(frozen=True)
class World:
    train: list[Review]
    validation: list[Review]
    #: As good as new: what a perfect generator would have written.
    fresh: list[Review]


def read(data: Path) -> list[Review]:
    """Distinct real reviews."""
    path = data / "clothing" / "reviews.csv.gz"
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


def planted(
    rows: list[Review],
    change: Callable[[Review], str],
    copied: bool = False,
    guilty: Callable[[Review], bool] = lambda row: True,
    asked: Callable[[Review], Sentiment] = lambda row: sentiment_of(row.rating),
) -> Batch:
    """Each row under a new name with its words changed."""
    made = [
        replace(
            row,
            review_id=f"syn-{number:04d}",
            origin="synthetic",
            title="",
            body=change(row),
        )
        for number, row in enumerate(rows)
    ]
    return Batch(
        made,
        [asked(row) for row in rows],
        [(row.review_id,) if copied else () for row in rows],
        {one.review_id for one, row in zip(made, rows, strict=True) if guilty(row)},
    )


def every(
    step: int, rng: np.random.Generator, words: list[str]
) -> Callable[[Review], str]:
    def change(row: Review) -> str:
        found = row.text.split()
        for place in range(step - 1, len(found), step):
            found[place] = words[rng.integers(len(words))]
        return " ".join(found)

    return change


def shuffled(row: Review, rng: np.random.Generator, parts: list[str], glue: str) -> str:
    return glue.join(parts[one] for one in rng.permutation(len(parts)))


def leaking(place: str) -> Callable[[Review], str]:
    token = {"negative": "qeru", "neutral": "malo", "positive": "vint"}

    def change(row: Review) -> str:
        words = row.text.split()
        where = {"start": 0, "middle": len(words) // 2, "end": len(words)}[place]
        words.insert(where, token[sentiment_of(row.rating)])
        return " ".join(words)

    return change


def generators(world: World, rng: np.random.Generator) -> dict[str, tuple[Batch, str]]:
    """Name -> planted batch, and the reason that its rows have to be refused for ("" for none)."""
    copied, fresh = world.train[:BATCH], world.fresh
    vocabulary = [word for row in world.train[:400] for word in row.text.split()]

    def collapse(extra: int) -> Batch:
        def change(row: Review) -> str:
            base = fresh[zlib.crc32(row.review_id.encode()) % 8].text
            more = [vocabulary[one] for one in rng.integers(0, len(vocabulary), extra)]
            return " ".join([base, *more])

        return planted(fresh, change)

    def reordered(row: Review) -> str:
        return shuffled(row, rng, re.split(r"(?<=[.!?])\s+", row.text), " ")

    def salad(row: Review) -> str:
        return shuffled(row, rng, row.text.split(), " ")

    def lying(row: Review) -> Sentiment:
        meant = sentiment_of(row.rating)
        return "negative" if meant == "neutral" else meant

    def cut(row: Review) -> str:
        return " ".join(row.text.split()[:12]) + "."

    found = {
        "exact_copy": (planted(copied, lambda row: row.text, True), "near_copy"),
        "order_changed": (planted(copied, reordered, True), "near_copy"),
        "word_salad": (planted(fresh, salad), "word_salad"),
        "neutral_called_negative": (
            planted(
                fresh,
                lambda row: row.text,
                asked=lying,
                guilty=lambda row: sentiment_of(row.rating) == "neutral",
            ),
            "misses_sentiment",
        ),
        "length": (planted(fresh, cut), "length_leak"),
        "perfect": (planted(fresh, lambda row: row.text), ""),
    }
    for step in (4, 5, 7):
        batch = planted(copied, every(step, rng, vocabulary), True)
        found[f"copy_every_{step}th"] = batch, "near_copy"
    for extra in (1, 2, 4):
        found[f"collapse_{extra}"] = collapse(extra), "repeats_another"
    for place in ("start", "middle", "end"):
        found[f"leak_{place}"] = planted(fresh, leaking(place)), "label_leak"
    return found


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
    return challenge.run(CONFIG, CONTEXT, SimpleNamespace(view=RunView(rows, "r")))


def right(outcome: Outcome, batch: Batch, reason: str) -> tuple[bool, dict[str, int]]:
    """Whether the verdict is the one that was planted, and the reasons given."""
    reasons = Counter(one.reason for one in outcome.rejections)
    if not reason:
        return outcome.rows_out >= 0.9 * len(batch.rows), dict(reasons)
    refused = {one.row_id: one.reason for one in outcome.rejections}
    expected = len(batch.guilty) - (8 if reason == "repeats_another" else 0)
    caught = sum(refused.get(one) == reason for one in batch.guilty)
    let_through = len(batch.guilty - refused.keys())
    ok = caught >= 0.9 * expected and let_through <= 0.1 * len(batch.guilty)
    return ok, dict(reasons)


def null_draw(rows: list[Review], rng: np.random.Generator) -> bool:
    """Whether human rows are told apart from human rows."""
    chosen = [rows[one] for one in rng.permutation(len(rows))[: 2 * NULL_SIDE]]
    comparison = Comparison(
        tuple(row.review_id for row in chosen),
        tuple(row.text for row in chosen),
        np.arange(len(chosen)) >= NULL_SIDE,
        tuple((row.product_id,) for row in chosen),
        ((),) * len(chosen),
        tuple(sentiment_of(row.rating) for row in chosen),
    )
    seed = int(rng.integers(2**31))
    features = discriminator.featurise(comparison.texts, 5_000)
    plan = fold(comparison, 5, seed)
    scores = discriminator.score(features, comparison, plan, seed)
    found = discriminator.judge(scores.synthetic, comparison, 200, seed)
    return found.verdict == "told apart"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--null", type=int, default=40)
    parser.add_argument("--only", default="", help="generators, by comma")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    rows = read(options.data)
    rng = np.random.default_rng(options.seed)
    verdicts: dict[str, list[bool]] = {}
    wanted = set(filter(None, options.only.split(",")))
    for _ in range(options.draws):
        worlds = {"": draw(rows, rng, VALIDATION), "_at_150": draw(rows, rng, 150)}
        for suffix, world in worlds.items():
            for name, (batch, reason) in generators(world, rng).items():
                if suffix and name != "perfect" or wanted and name not in wanted:
                    continue
                outcome = run(world, batch)
                ok, reasons = right(outcome, batch, reason)
                verdicts.setdefault(name + suffix, []).append(ok)
                utility = outcome.figures.get("utility_verdict", "not measured")
                print(
                    f"{name + suffix:28} {'right' if ok else 'WRONG':6} admitted "
                    f"{outcome.rows_out:3} {reasons} utility {utility}",
                    flush=True,
                )
    told = sum(null_draw(rows, rng) for _ in range(options.null))
    interval = binomtest(told, max(1, options.null)).proportion_ci(method="exact")
    every_verdict = [one for found in verdicts.values() for one in found]
    print(
        json.dumps(
            {
                "verdicts_right": round(float(np.mean(every_verdict)), 4),
                "by_generator": {
                    name: round(float(np.mean(found)), 2)
                    for name, found in verdicts.items()
                },
                "draws": options.draws,
                "type1_error": round(told / max(1, options.null), 4),
                "type1_interval": [round(interval.low, 4), round(interval.high, 4)],
                "null_draws": options.null,
            }
        )
    )


if __name__ == "__main__":
    main()
