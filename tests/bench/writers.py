"""Writers of reviews side by side on a niche in its cold start, and against doing nothing clever.

    make bench NAME=writers DATA=<folder that holds clothing/> [--llm]

For each number of real niche rows (0, 10, 50) and each seed, every writer fills the niche's cells
from those rows and a sample of other categories'. Recombination writes three times with the same
budget: what the grid lacks, what our own model misreads out of fold, and cells drawn at random.
What each figure is: `adherence`: share of polar rows whose asked sentiment an independent model
(TF-IDF and logistic regression on real rows that no writer saw) reads in them.
`discriminator_auc`: out-of-fold AUC of telling them from real rows of the same categories
and sentiments.
`copied_5grams`: mean share of a row's 5-grams in one source review. `distinct_2`: distinct word
pairs as a share of all. `style_distance`: how far length, punctuation, case, typing errors and
emoji are from the niche's. `utility`: three-way macro-F1 on held-out niche rows of a model
trained with the rows, minus that of a model trained with as many duplicated real rows; 95 %
interval over seeds by Student's t. `chosen`: the writer whose mean utility is highest among those
whose interval lies above 0 at a number of real rows, else none: the night goes without.
What is measured is kept under var/bench by the code of synthesis and challenge: a run that was cut
off goes on where it was. With `--llm` the model that KINDLING_LLM_URL and KINDLING_LLM_MODEL name takes part; without, the
practice server shows only that the path works, and its figures say nothing of language models.
"""

import argparse
import csv
import gzip
import hashlib
import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from inputs.datasets import dataset
from scipy import stats
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline

from kindling import extensions, settings
from kindling.llm.address import AddressChat
from kindling.llm.metered import MeteredLlm
from kindling.llm.practice import PracticeServer
from kindling.measure.copying import overlap, words_of
from kindling.measure.plain_model import plain_model
from kindling.observe.lineage import stage_code_sha256
from kindling.ports.generation import Cell, Material
from kindling.ports.llm import Llm
from kindling.records import Product, Review, Sentiment, sentiment_of
from kindling.stores.memory import MemoryStanding
from kindling.synthesis.deficit import grid
from kindling.synthesis.rounds import Aim, Plan, write_in_rounds
from kindling.synthesis.style_profile import Profile, profile_of

NICHES = ("Outerwear", "Shorts", "Skirts")
REAL_ROWS = (0, 10, 50)
#: Writes by rules of thumb, to try the path: never chosen.
PRACTICE = "prompted practice"
#: Writer -> (its module, where it writes).
RECOMBINED: dict[str, Aim] = {
    "recombination": "deficit",
    "recombination, by mistakes": "mistakes",
    "recombination, random cells": "random",
}


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
    parser.add_argument("--rows", type=int, default=20, help="a cell, on average")
    parser.add_argument("--neighbours", type=int, default=800)
    parser.add_argument(
        "--llm", action="store_true", help="ask the model of the environment"
    )
    given = parser.parse_args()
    rows = read(dataset(given.data, "clothing") / "reviews.csv.gz")
    server = None if given.llm else PracticeServer()
    if server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    chat = address(server)
    llm = MeteredLlm(chat, MemoryStanding(), "bench")
    prompted = f"prompted {chat.name.split('@')[0]}"
    found: dict[tuple[str, int], dict[str, list[float]]] = {}
    kept_trials = Kept(f"{prompted} {given.rows} {given.neighbours}")
    for real in REAL_ROWS:
        for seed in range(given.seeds):
            made = kept_trials.get(real, seed)
            if made is None:
                trial = drawn(rows, real, seed, given.neighbours)
                made = dict(compared(trial, prompted, llm, given.rows, seed))
                kept_trials.add(real, seed, made)
            for name, figures in made.items():
                shown = {k: round(v, 3) for k, v in figures.items()}
                print(real, seed, name, shown, flush=True)
                kept = found.setdefault((name, real), defaultdict(list))
                for key, value in figures.items():
                    kept[key].append(value)
    print(json.dumps(last_line(found, given.seeds)))


class Kept:
    """Figures of trials in a file, so that a bench that was cut off goes on where it was."""

    def __init__(self, what: str) -> None:
        code = stage_code_sha256("synthesize") + stage_code_sha256("challenge")
        name = hashlib.sha256((what + code).encode()).hexdigest()[:16]
        self._path = Path("var/bench") / f"writers-{name}.jsonl"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        trials = [json.loads(line) for line in lines]
        self._found = {(one["real"], one["seed"]): one["writers"] for one in trials}

    def get(self, real: int, seed: int) -> dict[str, dict[str, float]] | None:
        return self._found.get((real, seed))

    def add(self, real: int, seed: int, made: dict[str, dict[str, float]]) -> None:
        line = {"real": real, "seed": seed, "writers": made}
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def last_line(
    found: dict[tuple[str, int], dict[str, list[float]]], seeds: int
) -> dict[str, object]:
    """All figures by writer and number of real rows, and what is chosen by them."""
    by_writer = {f"{name}@{real}": summed(kept) for (name, real), kept in found.items()}
    names = list(dict.fromkeys(name for name, _ in found))
    chosen: dict[str, str | None] = {}
    for real in REAL_ROWS:
        helping = {
            name: figures["utility"]
            for name in names
            if name != PRACTICE
            and (figures := by_writer[f"{name}@{real}"]).get("utility_low", -1.0) > 0
        }
        chosen[str(real)] = max(helping, key=helping.__getitem__, default=None)
    return {
        "compared": len(names),
        "seeds": seeds,
        "by_writer": by_writer,
        "chosen": chosen,
    }


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


def compared(
    trial: Trial, prompted: str, llm: Llm, rows: int, seed: int
) -> Iterator[tuple[str, dict[str, float]]]:
    """Every writer's figures for one trial."""
    judge = polarity_model(trial.judges, seed)
    profile = profile_of([row.text for row in trial.held_out])
    kinds: dict[str, tuple[str, Aim]] = {
        name: ("recombination", aim) for name, aim in RECOMBINED.items()
    }
    kinds[prompted] = ("prompted", "deficit")
    for name, (kind, aim) in kinds.items():
        began = time.monotonic()
        made = written(kind, aim, trial, llm, rows, seed)
        seconds = time.monotonic() - began
        figures = {
            "rows": float(len(made)),
            "rows_per_minute": 60 * len(made) / seconds,
        }
        if len(made) >= 20:
            figures |= judged(made, trial, judge, profile, seed)
        yield name, figures


def written(
    kind: str, aim: Aim, trial: Trial, llm: Llm, rows: int, seed: int
) -> list[tuple[Cell, str]]:
    """Cell and text of what the writer made with the budget."""
    products = [Product(f"p-{niche}", "", niche, "") for niche in NICHES]
    options = extensions.options("writer", kind, {})
    material = Material(trial.sources, products, seed, llm)
    writer = extensions.find("writer", kind).writer(options, material)
    cells = grid(NICHES)
    # Three times the budget is lacking, so that where it goes is a choice.
    lacking = dict.fromkeys(cells, 3 * rows)
    plan = Plan(aim, 1, rows * len(cells), 0.6, seed)
    filled = write_in_rounds(writer, lacking, trial.sources, plan).filled
    return [
        (cell, draft.text)
        for cell, drafts in filled.drafts.items()
        for draft in drafts.values()
    ]


def judged(
    made: Sequence[tuple[Cell, str]],
    trial: Trial,
    judge: Pipeline,
    profile: Profile,
    seed: int,
) -> dict[str, float]:
    """What is to be said of the rows."""
    texts = [text for _, text in made]
    moods = [(cell.sentiment, text) for cell, text in made]
    polar = [(mood, text) for mood, text in moods if mood != "neutral"]
    asked = np.array([mood == "positive" for mood, _ in polar])
    copied, _ = overlap(texts, [one.text for one in trial.sources])
    return {
        "adherence": float((judge.predict([t for _, t in polar]) == asked).mean()),
        "discriminator_auc": told_apart(made, trial.held_out, seed),
        "copied_5grams": float(copied.mean()),
        "distinct_2": distinct_pairs(texts),
        "style_distance": profile_of(texts).distance(profile),
        "utility": utility(trial, moods, seed),
    }


def polarity_model(rows: Sequence[Review], seed: int) -> Pipeline:
    """Fitted on the polar rows: True for praise."""
    polar = [row for row in rows if row.rating != 3]
    truth = [sentiment_of(row.rating) == "positive" for row in polar]
    return plain_model(seed, True).fit([row.text for row in polar], truth)


def told_apart(
    made: Sequence[tuple[Cell, str]], real: Sequence[Review], seed: int
) -> float:
    """Out-of-fold AUC against as many real rows of the same cells, as far as there are such."""
    rng = np.random.default_rng(seed)
    by_cell: dict[Cell, list[str]] = defaultdict(list)
    for at in rng.permutation(len(real)):
        row = real[at]
        by_cell[Cell(row.category, sentiment_of(row.rating))].append(row.text)
    pairs = [(text, by_cell[cell].pop()) for cell, text in made if by_cell[cell]]
    texts = [text for text, _ in pairs] + [other for _, other in pairs]
    side = np.array([1] * len(pairs) + [0] * len(pairs))
    chances = cross_val_predict(
        plain_model(seed, True), texts, side, cv=5, method="predict_proba"
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


def utility(trial: Trial, made: Sequence[tuple[Sentiment, str]], seed: int) -> float:
    """What the rows add beyond as many duplicates of real ones, of their cell's sentiment."""
    texts = [row.text for row in trial.sources]
    truth = [sentiment_of(row.rating) for row in trial.sources]
    alike: dict[Sentiment, list[str]] = defaultdict(list)
    for row in [*trial.own, *trial.sources]:
        alike[sentiment_of(row.rating)].append(row.text)
    rng = np.random.default_rng(seed)
    again = [(mood, str(rng.choice(alike[mood]))) for mood, _ in made]
    test = [row.text for row in trial.held_out]
    target = [sentiment_of(row.rating) for row in trial.held_out]

    def score(more: Sequence[tuple[Sentiment, str]]) -> float:
        model = plain_model(seed, True)
        model.fit([*texts, *(t for _, t in more)], [*truth, *(m for m, _ in more)])
        return float(f1_score(target, model.predict(test), average="macro"))

    return score(made) - score(again)


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
