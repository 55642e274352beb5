"""How often a 95 % interval over products holds the truth, at clothing's real product sizes.

    make bench NAME=intervals DATA=<folder that holds clothing/>

Each draw takes 15, 40 or 147 products of clothing with their real numbers of negative and positive
reviews, and a simulated model whose skill varies by product (standard deviation .3, .6 or .9 in
logits). The truth is the polarity macro-F1 over all products and skills. Draws whose products in
effect are too few are refused by the product and counted, not judged: more are drawn until `--draws`
have an interval. The percentile bootstrap over products, which the product used before, answers
some of the same draws beside it.
"""

import argparse
import csv
import gzip
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from kindling.measure.intervals import MIN_IN_EFFECT, Scale, in_effect, jackknife
from kindling.measure.metrics import POLARITY

PRODUCTS = (15, 40, 147)
SKILLS = (0.3, 0.6, 0.9)
#: Logits of reading a negative and a positive review rightly, of a product of average skill.
READING = (1.6, 3.2)
#: A second model, for differences: a little better, its skills correlated with the first's.
BETTER, CORRELATION = 0.2, 0.8
COMPARED, RESAMPLES = 300, 500


def product_sizes(folder: Path) -> np.ndarray:
    """int64 [products, 2]: negative and positive reviews."""
    sizes: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    path = folder / "clothing" / "reviews.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            stars = int(row["Rating"])
            if stars != 3:
                sizes[row["Clothing ID"]][int(stars > 3)] += 1
    return np.array([sizes[product] for product in sorted(sizes)])


def answered(
    rng: np.random.Generator, sizes: np.ndarray, skill: np.ndarray, better: float
) -> np.ndarray:
    """Sums [..., G, 4] of polarity's cells: negative read as either, positive as either."""
    right = [
        rng.binomial(sizes[..., side], expit(READING[side] + better + skill))
        for side in (0, 1)
    ]
    cells = [
        right[0],
        sizes[..., 0] - right[0],
        sizes[..., 1] - right[1],
        right[1],
    ]
    return np.stack(cells, axis=-1).astype(float)


def true_value(sizes: np.ndarray, deviation: float, better: float) -> float:
    """Of all products, each at every skill."""
    skills = deviation * norm.ppf((np.arange(4000) + 0.5) / 4000)
    negative, positive = sizes.sum(0)
    read = [expit(READING[side] + better + skills).mean() for side in (0, 1)]
    cells = [
        negative * read[0],
        negative * (1 - read[0]),
        positive * (1 - read[1]),
        positive * read[1],
    ]
    return float(POLARITY.value(np.array(cells)))


def bootstrapped(sums: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The percentile bootstrap's ends [2] of one draw [G, 4]."""
    products = len(sums)
    draws = rng.multinomial(products, np.full(products, 1 / products), RESAMPLES)
    return np.nanquantile(POLARITY.value(draws @ sums), [0.025, 0.975])


def cell(
    sizes: np.ndarray, products: int, deviation: float, draws: int, seed: int
) -> dict[str, float]:
    """Coverage of the figure and of a paired difference at one size and one spread of skill."""
    rng = np.random.default_rng(seed)
    single, apart, before = [], [], []
    kept = drawn = 0
    truth = true_value(sizes, deviation, 0)
    gap = true_value(sizes, deviation, BETTER) - truth
    while kept < draws and drawn < 60 * draws:
        chosen = sizes[rng.integers(len(sizes), size=(draws, products))]
        drawn += draws
        answerable = in_effect(chosen.sum(-1)) >= MIN_IN_EFFECT
        answerable &= chosen.sum(1).min(-1) > 0
        chosen = chosen[answerable][: draws - kept]
        kept += len(chosen)
        skill = rng.normal(0, deviation, chosen.shape[:2])
        other = CORRELATION * skill + (1 - CORRELATION**2) ** 0.5 * rng.normal(
            0, deviation, skill.shape
        )
        sums = answered(rng, chosen, skill, 0)
        theirs = answered(rng, chosen, other, BETTER)
        rows = chosen.sum(-1)
        value, without = with_and_without(sums)
        their_value, their_without = with_and_without(theirs)
        rarest = chosen[..., 0].sum(-1)
        found = jackknife(value, without, rows, rarest=rarest)
        single.append(np.stack([found.low, found.high]))
        found = jackknife(
            their_value - value, their_without - without, rows, Scale("difference")
        )
        apart.append(np.stack([found.low, found.high]))
        if len(before) < COMPARED:
            before += [bootstrapped(one, rng) for one in sums[:COMPARED]]
    low, high = np.concatenate(single, axis=1)
    their_low, their_high = np.concatenate(apart, axis=1)
    old_low, old_high = np.stack(before).T
    return {
        "products": products,
        "skill_sd": deviation,
        "judged": kept,
        "refused_share": round(1 - kept / drawn, 3) if products == PRODUCTS[0] else 0,
        "coverage": share((low <= truth) & (truth <= high)),
        "lower_bound_error": share(low > truth),
        "width": round(float(np.median(high - low)), 4),
        "difference_coverage": share((their_low <= gap) & (gap <= their_high)),
        "bootstrap_coverage": share((old_low <= truth) & (truth <= old_high)),
        "bootstrap_lower_bound_error": share(old_low > truth),
    }


def with_and_without(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The figure [D] of all products, and [D, G] of all but each."""
    total = sums.sum(-2)
    return POLARITY.value(total), POLARITY.value(total[..., None, :] - sums)


def share(hits: np.ndarray) -> float:
    return round(float(hits.mean()), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20261125)
    arguments = parser.parse_args()
    sizes = product_sizes(arguments.data)
    print(f"{len(sizes)} products, {sizes.sum()} polar reviews")
    cells = []
    for products in PRODUCTS:
        for deviation in SKILLS:
            found = cell(
                sizes, products, deviation, arguments.draws, arguments.seed + products
            )
            cells.append(found)
            print(json.dumps(found))
    print(
        json.dumps(
            {
                "coverage_min": min(one["coverage"] for one in cells),
                "coverage_max": max(one["coverage"] for one in cells),
                "lower_bound_error_max": max(one["lower_bound_error"] for one in cells),
                "refused_below": MIN_IN_EFFECT,
                "difference_coverage_min": min(
                    one["difference_coverage"] for one in cells
                ),
                "bootstrap_coverage_min": min(
                    one["bootstrap_coverage"] for one in cells
                ),
                "bootstrap_lower_bound_error_max": max(
                    one["bootstrap_lower_bound_error"] for one in cells
                ),
            }
        )
    )


if __name__ == "__main__":
    main()
