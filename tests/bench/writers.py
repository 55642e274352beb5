"""Writers of reviews side by side on a niche in its cold start, and against doing nothing clever.

    make bench NAME=writers DATA=<folder that holds clothing/> [--llm]

For each number of real niche rows (0, 10, 50) and each seed, every writer fills the niche's cells
from those rows and a sample of other categories'. What each figure is:
`adherence`: share of polar rows whose asked sentiment an independent model (TF-IDF and logistic
regression on real rows that no writer saw) reads in them. `discriminator_auc`: out-of-fold AUC of
telling them from real rows of the same niche. `copied_5grams`: mean share of a row's 5-grams in
one source review. `distinct_2`: distinct word pairs as a share of all. `utility`: polarity
macro-F1 on held-out niche rows of a model trained with the rows, minus that of a model trained
with as many duplicated real rows; 95 % interval over seeds by Student's t. With `--llm` the
model that KINDLING_LLM_URL and KINDLING_LLM_MODEL name takes part; without, the practice
server shows only that the path works, and its figures say nothing of language models.
"""

import argparse
import csv
import gzip
import json
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.model_selection import cross_val_predict

from kindling import extensions, settings
from kindling.llm.address import AddressChat
from kindling.llm.metered import MeteredLlm
from kindling.llm.practice import PracticeServer
from kindling.measure.copying import overlap, words_of
from kindling.measure.plain_model import plain_model
from kindling.ports.generation import Cell, Material
from kindling.ports.llm import Llm
from kindling.records import Product, Review, sentiment_of
from kindling.stores.memory import MemoryStanding
from kindling.synthesis.fill import fill

NICHES = ("Outerwear", "Shorts", "Skirts")
REAL_ROWS = (0, 10, 50)
SENTIMENTS = ("negative", "positive")


@dataclass(frozen=True)
class Trial:
    """What one seed and one number of real rows give the writers, and what they are judged by."""

    sources: Sequence[Review]
    #: Real niche rows among the sources.
    own: Sequence[Review]
    #: Real rows that no writer sees: to judge adherence, and the niche's to measure utility.
    judges: Sequence[Review]
    held_out: Sequence[Review]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=20, help="a cell")
    parser.add_argument("--neighbours", type=int, default=1500)
    parser.add_argument(
        "--llm", action="store_true", help="ask the model of the environment"
    )
    given = parser.parse_args()
    rows = read(given.data / "clothing" / "reviews.csv.gz")
    server = None if given.llm else PracticeServer()
    if server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    chat = address(server)
    llm = MeteredLlm(chat, MemoryStanding(), "bench")
    writers = {"recombination": None, f"prompted {chat.name.split('@')[0]}": llm}
    found: dict[tuple[str, int], dict[str, list[float]]] = {}
    for real in REAL_ROWS:
        for seed in range(given.seeds):
            trial = drawn(rows, real, seed, given.neighbours)
            for name, model in writers.items():
                figures = tried(name, model, trial, given.rows, seed)
                print(
                    real,
                    seed,
                    name,
                    {k: round(v, 3) for k, v in figures.items()},
                    flush=True,
                )
                kept = found.setdefault((name, real), defaultdict(list))
                for key, value in figures.items():
                    kept[key].append(value)
    print(
        json.dumps(
            {
                "compared": len(writers),
                "seeds": given.seeds,
                "by_writer": {
                    f"{name}@{real}": summed(kept)
                    for (name, real), kept in found.items()
                },
            }
        )
    )


def address(server: PracticeServer | None) -> AddressChat:
    """The practice server, or what the environment names."""
    if server:
        return AddressChat(server.url, "practice")
    named = settings.from_environment().llm
    return AddressChat(named.url, named.model, named.api_key)


def read(path: Path) -> list[Review]:
    """Polar and neutral reviews with a text."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [
            Review(
                f"r{number}",
                row["Clothing ID"],
                row["Class Name"] or "Unknown",
                row["Title"],
                row["Review Text"],
                int(row["Rating"]),
                "scraped",
            )
            for number, row in enumerate(csv.DictReader(file))
            if len(row["Review Text"]) > 20
        ]


def drawn(rows: Sequence[Review], real: int, seed: int, neighbours: int) -> Trial:
    """Products are dealt first, so that no product stands on both sides."""
    rng = np.random.default_rng(seed)
    products = sorted({row.product_id for row in rows})
    side = dict(zip(products, rng.random(len(products)) < 0.5, strict=True))
    ours = [row for row in rows if side[row.product_id]]
    theirs = [row for row in rows if not side[row.product_id]]
    own = [row for row in ours if row.category in NICHES]
    rest = [row for row in ours if row.category not in NICHES]
    own = [own[at] for at in rng.permutation(len(own))[:real]]
    rest = [rest[at] for at in rng.permutation(len(rest))[:neighbours]]
    judges = [theirs[at] for at in rng.permutation(len(theirs))[:4000]]
    return Trial(
        [*own, *rest], own, judges, [r for r in theirs if r.category in NICHES]
    )


def tried(
    name: str, llm: Llm | None, trial: Trial, rows: int, seed: int
) -> dict[str, float]:
    """One writer's figures for one trial."""
    kind = name.split()[0]
    products = [
        Product(f"p-{niche}", f"{niche} style 1", niche, "") for niche in NICHES
    ]
    options = extensions.options("writer", kind, {})
    began = time.monotonic()
    writer = extensions.find("writer", kind).writer(
        options, Material(trial.sources, products, seed, llm)
    )
    cells = {Cell(niche, mood): rows for niche in NICHES for mood in SENTIMENTS}  # type: ignore[arg-type]
    filled = fill(writer, cells, trial.sources, 0.6, seed)
    seconds = time.monotonic() - began
    made = [
        (cell.sentiment, draft.text)
        for cell, drafts in filled.drafts.items()
        for draft in drafts.values()
    ]
    if len(made) < 20:
        return {"rows": float(len(made)), "rows_per_minute": 60 * len(made) / seconds}
    texts = [text for _, text in made]
    asked = np.array([mood == "positive" for mood, _ in made])
    judge = polarity_model(trial.judges, seed)
    copied, _ = overlap(texts, [one.text for one in trial.sources])
    return {
        "rows": float(len(made)),
        "adherence": float((judge.predict(texts) == asked).mean()),
        "discriminator_auc": told_apart(texts, [r.text for r in trial.held_out], seed),
        "copied_5grams": float(copied.mean()),
        "distinct_2": distinct_pairs(texts),
        "utility": utility(trial, texts, asked, seed),
        "rows_per_minute": 60 * len(made) / seconds,
    }


def polarity_model(rows: Sequence[Review], seed: int):  # type: ignore[no-untyped-def]
    """Fitted on the polar rows: True for praise."""
    polar = [row for row in rows if row.rating != 3]
    truth = [sentiment_of(row.rating) == "positive" for row in polar]
    return plain_model(seed, True).fit([row.text for row in polar], truth)


def told_apart(made: Sequence[str], real: Sequence[str], seed: int) -> float:
    """Out-of-fold AUC, as many real rows as made ones."""
    rng = np.random.default_rng(seed)
    some = [real[at] for at in rng.permutation(len(real))[: len(made)]]
    side = np.array([1] * len(made) + [0] * len(some))
    chances = cross_val_predict(
        plain_model(seed, True), [*made, *some], side, cv=5, method="predict_proba"
    )
    return float(roc_auc_score(side, chances[:, 1]))


def distinct_pairs(texts: Sequence[str]) -> float:
    """Distinct word pairs as a share of all."""
    pairs = [
        pair
        for text in texts
        for words in [words_of(text)]
        for pair in zip(words, words[1:], strict=False)
    ]
    return len(set(pairs)) / max(1, len(pairs))


def utility(trial: Trial, made: Sequence[str], asked: np.ndarray, seed: int) -> float:
    """What the rows add beyond as many duplicates of real ones, of the niche where there are any."""
    polar = [row for row in trial.sources if row.rating != 3]
    texts = [row.text for row in polar]
    truth = [row.rating > 3 for row in polar]
    pool = [row for row in trial.own if row.rating != 3] or polar
    rng = np.random.default_rng(seed)
    again = [pool[at] for at in rng.integers(len(pool), size=len(made))]
    test = [row for row in trial.held_out if row.rating != 3]
    target = [row.rating > 3 for row in test]

    def score(more: Sequence[str], sides: Sequence[bool]) -> float:
        model = plain_model(seed, True).fit([*texts, *more], [*truth, *sides])
        said = model.predict([row.text for row in test])
        return float(f1_score(target, said, average="macro"))

    doubled = score([row.text for row in again], [row.rating > 3 for row in again])
    return score(made, [bool(one) for one in asked]) - doubled


def summed(kept: dict[str, list[float]]) -> dict[str, object]:
    """Means over seeds; utility with its interval."""
    figures: dict[str, object] = {
        key: round(float(np.mean(values)), 4) for key, values in kept.items()
    }
    values = kept.get("utility", [])
    if len(values) > 1:
        error = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)
        figures["utility_low"] = round(float(np.mean(values) - error), 4)
        figures["utility_high"] = round(float(np.mean(values) + error), 4)
    return figures


if __name__ == "__main__":
    main()
