"""What a nightly batch costs against a growing history in PostgreSQL, and what boilerplate costs.

    make bench NAME=dedupe_growth DATA=<folder that holds clothing/> [--small 50000 --large 600000]

Growth: a batch of 10,000 recombined texts against 50,000, then 600,000 leaders whose bands are all real, as
a night does it: sign, look up candidates, cluster. `growth` is the ratio of the two times (best of three, on
the clock, since the server works too), `candidates_per_doc` counts leaders that the larger history proposes.
Half of the batch are copies of history with four words changed.

Boilerplate: over 1,000 products each, a template with a word of its own in every review, one sentence word for
word, and recombined sentences of the same length. `boilerplate_over_plain` is the worse of the two ratios of
processor time; the kinds take turns, and each counts its best of `--rounds`.
"""

import argparse
import csv
import gzip
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from dedupe import mutated, sentences
from inputs.datasets import dataset
from night import ROOT, postgres

from kindling.dedupe.clusters import cluster, cluster_texts
from kindling.dedupe.leaders import read_back, stored, text_keys
from kindling.dedupe.leading import Leader, Leaders
from kindling.dedupe.minhash import signatures
from kindling.dedupe.shingles import fold
from kindling.dedupe.texts import Rules, read_texts
from kindling.records import Review
from kindling.stores.bands import PostgresBands
from kindling.stores.migrations import migrate

TEXTS = 10_000
PRODUCTS = 1_000
RULES = Rules()
SENTENCE = (
    "I received this {} at a discount in exchange for my honest and unbiased review, "
    "and I can say that it is exactly as described and arrived well packed and on time."
)


def reviews(texts: list[str]) -> list[Review]:
    return [
        Review(f"r{n:05d}", f"p{n % PRODUCTS}", "c", "", text, 5, "scraped")
        for n, text in enumerate(texts)
    ]


def plain(data: Path, rng: np.random.Generator) -> list[str]:
    """Texts of about the template's length from sentences of real reviews."""
    pool = []
    path = dataset(data, "clothing") / "reviews.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            pool += [part.strip() for part in row["Review Text"].split(".") if part]
    texts = []
    while len(texts) < TEXTS:
        words = " ".join(pool[n] for n in rng.integers(0, len(pool), 5))
        if len(words) >= len(SENTENCE):
            texts.append(words[: len(SENTENCE)])
    return texts


def leaders(texts: list[str], first: int) -> Leaders:
    """Every text as one that stands for its copies."""
    folded = [fold(text) for text in texts]
    rows = signatures(folded, RULES.shingle, RULES.permutations)
    made = [
        Leader(f"h{first + at:07d}", text, "", "positive", row)
        for at, (text, row) in enumerate(zip(folded, rows, strict=True))
    ]
    return Leaders.of(made, RULES.permutations)


def recombined(pool: list[str], count: int, rng: np.random.Generator) -> list[str]:
    return [
        " ".join(pool[n] for n in rng.integers(0, len(pool), rng.integers(2, 6)))
        for _ in range(count)
    ]


def batch_of(
    pool: list[str], history: list[str], size: int, rng: np.random.Generator
) -> list[Review]:
    texts = recombined(pool, size // 2, rng)
    for text in history[: size - len(texts)]:
        texts.append(mutated(text, 1, rng))
    return [
        Review(f"b{at:06d}", f"p{at % PRODUCTS}", "c", "", text, 5, "scraped")
        for at, text in enumerate(texts)
    ]


def night(bands: PostgresBands, batch: list[Review]) -> tuple[float, int, int]:
    """Seconds, candidates and copies of one batch; nothing is added."""
    start = time.perf_counter()
    read = read_texts(batch, RULES)
    rows = bands.candidates("bench", text_keys(read, RULES))
    found = cluster_texts(read, RULES, None, read_back(rows, RULES))
    copies = sum(not one.kept for one in found.members)
    return time.perf_counter() - start, len(rows), copies


def growth(data: Path, options: argparse.Namespace) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    pool = sentences(data)
    figures: dict[str, Any] = {}
    with postgres() as server:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("CREATE DATABASE bands")
        url = psycopg.conninfo.make_conninfo(server, dbname="bands")
        migrate(url, ROOT / "sql" / "migrations")
        bands = PostgresBands(url)
        first = recombined(pool, options.small, rng)
        batch = batch_of(pool, first, options.batch, rng)
        held = 0
        for size, name in ((options.small, "small"), (options.large, "large")):
            while held < size:
                count = min(20_000, size - held)
                texts = first[held : held + count] or recombined(pool, count, rng)
                bands.add("bench", "night", stored(leaders(texts, held), RULES))
                held += len(texts)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE kindling.band_key")
            tries = [night(bands, batch) for _ in range(3)]
            took = min(seconds for seconds, _, _ in tries)
            figures[name] = {
                "history": held,
                "batch_s": round(took, 2),
                "candidates_per_doc": round(tries[0][1] / len(batch), 2),
                "copies": tries[0][2],
            }
            print(name, figures[name], flush=True)
    return {
        "growth": round(figures["large"]["batch_s"] / figures["small"]["batch_s"], 2),
        "candidates_per_doc": figures["large"]["candidates_per_doc"],
        "histories": figures,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", type=int, default=50_000)
    parser.add_argument("--large", type=int, default=600_000)
    parser.add_argument("--batch", type=int, default=10_000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    kinds = {
        "plain": reviews(plain(options.data, rng)),
        "template": reviews([SENTENCE.format(f"item{n}") for n in range(TEXTS)]),
        "sentence": reviews([SENTENCE.format("item")] * TEXTS),
    }
    seconds = dict.fromkeys(kinds, float("inf"))
    figures = {}
    for _ in range(options.rounds):
        for name, rows in kinds.items():
            start = time.process_time()
            clustering = cluster(rows, Rules())
            seconds[name] = min(seconds[name], time.process_time() - start)
            figures[name] = {
                "kept": sum(one.kept for one in clustering.members),
                "candidates_per_doc": round(clustering.candidates_verified / TEXTS, 3),
            }
            print(name, round(seconds[name], 2), figures[name], flush=True)
    boilerplate = max(seconds["template"], seconds["sentence"])
    print(
        json.dumps(
            {
                **growth(options.data, options),
                "plain_s": round(seconds["plain"], 3),
                "boilerplate_s": round(boilerplate, 3),
                "boilerplate_over_plain": round(boilerplate / seconds["plain"], 2),
                "kinds": figures,
            }
        )
    )


if __name__ == "__main__":
    main()
