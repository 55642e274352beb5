"""Boilerplate costs what other texts cost: 10,000 reviews alike against 10,000 different ones.

    make bench NAME=dedupe_growth DATA=<folder that holds clothing/>

Over 1,000 products each: a template with a word of its own in every review, one sentence word for
word, and recombined sentences of real reviews of the same length. `boilerplate_over_plain` is the
worse of the two ratios of processor time; the kinds take turns, and each counts its best of
`--rounds`.
"""

import argparse
import csv
import gzip
import json
import time
from pathlib import Path

import numpy as np

from kindling.dedupe.clusters import Rules, cluster
from kindling.records import Review

TEXTS = 10_000
PRODUCTS = 1_000
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
    path = data / "clothing" / "reviews.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            pool += [part.strip() for part in row["Review Text"].split(".") if part]
    texts = []
    while len(texts) < TEXTS:
        words = " ".join(pool[n] for n in rng.integers(0, len(pool), 5))
        if len(words) >= len(SENTENCE):
            texts.append(words[: len(SENTENCE)])
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
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
                "plain_s": round(seconds["plain"], 3),
                "boilerplate_s": round(boilerplate, 3),
                "boilerplate_over_plain": round(boilerplate / seconds["plain"], 2),
                "kinds": figures,
            }
        )
    )


if __name__ == "__main__":
    main()
