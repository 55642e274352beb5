"""Does the gate stop what it is there to stop, and let the rest through?

    make bench NAME=gate DATA=<folder that holds clothing/>

Golden rows are real products of clothing with their real stars and categories; models are simulated
on them, each row's skill varying by product. Each planted fault is drawn `--draws` times with and
without a champion, of which the ledger has seen no other night. A fault counts as stopped when the verdict does not promote and the criterion
meant for it is among those that do not pass. A good model is stopped when it is not promoted.
"""

import argparse
import csv
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import softmax

from kindling.evaluation.controls import random_guess
from kindling.evaluation.evaluator import Answers, evaluate
from kindling.evaluation.figures import EvaluationFigures
from kindling.evaluation.gate import judge
from kindling.evaluation.looks import Ledger, look_of
from kindling.evaluation.slices import LENGTHS
from kindling.evaluation.verdict import Evidence, Rules, Verdict
from kindling.measure.metrics import POSITIVE
from kindling.records import SENTIMENTS, Example, sentiment_of
from kindling.stores.memory import MemoryStanding

NICHE = ("Outerwear", "Shorts", "Skirts")
#: Golden rows: products of clothing drawn until there are so many, each with 40 rows at most.
ROWS, MOST = 3000, 40
#: Every so many rows have a photo.
PHOTO_EVERY = 6
RULES = Rules("polarity_macro_f1", bar=0.85, tolerance=0.02, min_photos=100)
#: How far the truth's logit lies above the others' noise, of baseline and good model and of
#: photos; spread of skill over products.
BASELINE, GOOD, PHOTO, SPREAD = 2.0, 2.4, 1.0, 0.3
#: Strength of a model that is worse than the baseline.
POOR = 1.8


@dataclass(frozen=True)
class World:
    """One draw of golden rows, and what is seen of them."""

    examples: list[Example]
    truth: np.ndarray
    categories: np.ndarray
    words: np.ndarray
    #: Log of the sentiments' shares.
    prior: np.ndarray
    #: Logits [n, 3]: the good model's of the texts, calibrated.
    good: np.ndarray
    poor: np.ndarray
    photo: np.ndarray
    #: Probabilities [n, 3].
    baseline: np.ndarray
    champion: np.ndarray
    pictured: np.ndarray


@dataclass(frozen=True)
class Model:
    """How a planted model answers: logits of the texts, weight of the photo's, what it multiplies all by."""

    text: np.ndarray
    photo_weight: float = 1.0
    sharpness: float = 1.0
    leaked: int = 0


def clothing(folder: Path) -> dict[str, list[tuple[str, int]]]:
    """Product -> (category, stars) of its reviews."""
    products: dict[str, list[tuple[str, int]]] = {}
    path = folder / "clothing" / "reviews.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["Class Name"]:
                products.setdefault(row["Clothing ID"], []).append(
                    (row["Class Name"], int(row["Rating"]))
                )
    return products


def world(products: dict[str, list[tuple[str, int]]], seed: int) -> World:
    rng = np.random.default_rng(seed)
    ids = sorted(products)
    examples: list[Example] = []
    for at in rng.permutation(len(ids)):
        reviews = products[ids[at]]
        for row in rng.permutation(len(reviews))[:MOST]:
            examples.append(_example(ids[at], *reviews[row], len(examples)))
        if len(examples) >= ROWS:
            break
    truth = np.array([SENTIMENTS.index(one.sentiment) for one in examples])
    _, product = np.unique([one.product_id for one in examples], return_inverse=True)
    skill = rng.normal(0, SPREAD, product.max() + 1)[product]
    shared = rng.normal(size=(len(truth), 3))
    prior = np.log(np.bincount(truth, minlength=3) / len(truth))

    def read(strength: float, own: float) -> np.ndarray:
        """Of Gaussian evidence, of which `own` is the model's own noise, the posterior's logits."""
        noise = (1 - own**2) ** 0.5 * shared + own * rng.normal(size=shared.shape)
        seen = noise + (strength + skill)[:, None] * np.eye(3)[truth]
        return np.asarray(prior + strength * seen)

    photo = PHOTO * (rng.normal(size=shared.shape) + PHOTO * np.eye(3)[truth])
    pictured = np.arange(0, len(truth), PHOTO_EVERY)
    made = World(
        examples,
        truth,
        np.array([one.category for one in examples]),
        np.array([len(one.text.split()) for one in examples]),
        prior,
        read(GOOD, 0.4),
        read(POOR, 0.6),
        photo,
        softmax(read(BASELINE, 0.6), 1),
        np.zeros(0),
        pictured,
    )
    return replace(made, champion=answered(made, Model(read(GOOD, 0.4))))


def _example(product: str, category: str, stars: int, number: int) -> Example:
    shown = number % PHOTO_EVERY == 0
    return Example(
        review_id=f"r{number}",
        product_id=product,
        category=category,
        text="word " * (10 + 7 * (number % 15)),
        sentiment=sentiment_of(stars),
        rating=stars,
        origin="scraped",
        split="golden",
        photo_id=f"h{number}" if shown else None,
        photo_uri=f"memory://{number}" if shown else None,
    )


def answered(world: World, model: Model) -> np.ndarray:
    logits = model.text.copy()
    logits[world.pictured] += model.photo_weight * world.photo[world.pictured]
    return np.asarray(softmax(model.sharpness * logits, 1))


def verdict(world: World, model: Model, champion: bool) -> Verdict:
    def ask(text_of: np.ndarray | None, photo_of: np.ndarray | None) -> np.ndarray:
        parts = [] if text_of is None else [model.text[text_of]]
        if photo_of is not None:
            parts.append(model.photo_weight * world.photo[photo_of])
        return np.asarray(softmax(model.sharpness * sum(parts), 1))

    answers = Answers(
        answered(world, model),
        world.baseline,
        world.champion if champion else None,
        world.pictured,
        ask,
    )
    found = evaluate(world.examples, NICHE, answers, seed=1)
    figures = EvaluationFigures.of(
        found, ("2", "1" if champion else None), {}, leaked_rows=model.leaked
    )
    look = look_of(figures, RULES.metric, "night-2")
    advice = Ledger(MemoryStanding(), "gate").advise(look, RULES.tolerance)
    return judge(RULES, Evidence.of(figures, RULES.metric, advice))


def _blind(world: World, rows: np.ndarray) -> np.ndarray:
    """The good model, but for `rows`, which it calls positive without reading them."""
    logits = world.good.copy()
    logits[rows] = 60 * np.eye(3)[POSITIVE]
    return logits


def _sure(answers: np.ndarray) -> np.ndarray:
    return np.asarray(60 * answers)


def _constant(world: World) -> Model:
    return Model(_blind(world, np.ones(len(world.truth), dtype=bool)), 0.0)


def _random(world: World) -> Model:
    rng = np.random.default_rng(len(world.truth) + int(world.truth.sum()))
    return Model(_sure(random_guess(world.truth, rng)), 0.0)


def _leaked(world: World) -> Model:
    said = 12 * np.eye(3)[world.truth]
    return Model(said, leaked=len(world.truth))


#: Name -> the code that must be among those that do not pass, and the model.
PLANTED: dict[str, tuple[str, Callable[[World], Model]]] = {
    "constant": ("beats-constant", _constant),
    "random": ("beats-random", _random),
    "leaked": ("leakage", _leaked),
    "image-blind": ("photo-ignored", lambda world: Model(world.good, 0.0)),
    "photo-harms": ("photo-harms", lambda world: Model(world.good, 4.0)),
    "overconfident": ("calibration", lambda world: Model(world.good, sharpness=8.0)),
    "niche broken": (
        "niche",
        lambda world: Model(_blind(world, np.isin(world.categories, NICHE))),
    ),
    "one niche category broken": (
        "niche-category",
        lambda world: Model(_blind(world, world.categories == NICHE[0])),
    ),
    "slice broken": (
        "slice",
        lambda world: Model(_blind(world, world.words > LENGTHS[1])),
    ),
    "worse than TF-IDF": (
        "not-worse-than-baseline",
        lambda world: Model(world.poor),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--good-draws", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the first draw")
    arguments = parser.parse_args()
    products = clothing(arguments.data)
    stopped: list[bool] = []
    good: list[bool] = []
    for draw in range(max(arguments.draws, arguments.good_draws)):
        here = world(products, arguments.seed + draw)
        for champion in (False, True):
            if draw < arguments.good_draws:
                found = verdict(here, Model(here.good), champion)
                good.append(not found.promoted)
                for reason in found.reasons:
                    print(f"draw {draw}: good model stopped: {reason}")
            if draw < arguments.draws:
                for name, (code, make) in PLANTED.items():
                    found = verdict(here, make(here), champion)
                    codes = [check.code for check in found.checks if not check.passed]
                    stopped.append(code in codes)
                    if code not in codes:
                        print(f"draw {draw}: {name} not stopped by {code}: {codes}")
    print(
        json.dumps(
            {
                "stopped_share": float(np.mean(stopped)),
                "stopped_n": len(stopped),
                "good_stopped": float(np.mean(good)),
                "good_n": len(good),
            }
        )
    )


if __name__ == "__main__":
    main()
