"""Can the splits judge? 200 catalogues drawn from the real product sizes of clothing.

    make bench NAME=splits DATA=<folder that holds clothing/>

Each catalogue draws 40 to 1,200 products (log-uniform, with replacement) with their real number
of reviews, stars and classes; texts are made up, and none is a copy. Three small classes are
the niche. `golden_share_error` is the 95th percentile of |golden share of kept rows - .15|;
`effective_products_min` the smallest (sum n)**2 / sum n**2 of golden rows by product over the
catalogues of 200 products and more; `niche_absent` counts (catalogue, class, split) without a
row that the figures do not name.
"""

import argparse
import csv
import gzip
import json
import logging
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from inputs.datasets import dataset

from kindling.dedupe.placement import Membership
from kindling.recipe import DedupeConfig
from kindling.records import SPLITS, Review
from kindling.stages.dedupe import Decided, Scraped, decide

NICHE = ("Outerwear", "Shorts", "Skirts")
SIZES = (40, 1200)
JUDGED_FROM = 200

Product = tuple[str, list[int]]


def products(data: Path) -> list[Product]:
    """(class, stars) of every product."""
    stars: dict[str, list[int]] = defaultdict(list)
    classes: dict[str, Counter[str]] = defaultdict(Counter)
    path = dataset(data, "clothing") / "reviews.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            product = row["Clothing ID"]
            stars[product].append(int(row["Rating"]))
            classes[product][row["Class Name"] or "none"] += 1
    return [(classes[one].most_common(1)[0][0], stars[one]) for one in sorted(stars)]


def catalogue(known: list[Product], rng: np.random.Generator) -> list[Review]:
    """Products drawn with replacement, each under a name of its own."""
    low, high = np.log(SIZES)
    drawn = rng.integers(0, len(known), int(np.exp(rng.uniform(low, high))))
    reviews = []
    for name, index in enumerate(drawn):
        category, stars = known[index]
        for number, rating in enumerate(stars):
            review_id = f"p{name:04d}-{number:04d}"
            reviews.append(
                Review(
                    review_id,
                    f"p{name:04d}",
                    category,
                    "",
                    review_id,
                    rating,
                    "scraped",
                )
            )
    return reviews


def unsaid(reviews: list[Review], decided: Decided) -> tuple[int, int]:
    """Niche classes that a split has no row of: (not named in the figures, named)."""
    category = {review.review_id: review.category for review in reviews}
    held = {
        (category[one.review_id], one.split) for one in decided.decisions if one.kept
    }
    said = " ".join(decided.figures["niche_lacks"])
    absent = [
        f"{one}: no {split} row"
        for one in NICHE
        for split in SPLITS
        if (one, split) not in held
    ]
    named = sum(sentence in said for sentence in absent)
    return len(absent) - named, named


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--catalogues", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.INFO)
    known = products(options.data)
    rng = np.random.default_rng(options.seed)
    errors, validation_errors, effective, lost = [], [], [], []
    absent = said = 0
    for number in range(options.catalogues):
        reviews = catalogue(known, rng)
        decided = decide(Scraped(reviews, (), {}), DedupeConfig(), NICHE, Membership())
        figures = decided.figures
        errors.append(abs(figures["split_shares"]["golden"] - 0.15))
        validation_errors.append(abs(figures["split_shares"]["validation"] - 0.12))
        lost.append(figures["rows_beyond_product_share"] / len(reviews))
        size = len({review.product_id for review in reviews})
        if size >= JUDGED_FROM:
            effective.append(figures["effective_products"]["golden"])
        here = unsaid(reviews, decided)
        absent, said = absent + here[0], said + here[1]
        if number % 20 == 19:
            print(f"{number + 1} catalogues", flush=True)
    print(
        json.dumps(
            {
                "catalogues": options.catalogues,
                "golden_share_error": round(float(np.percentile(errors, 95)), 4),
                "validation_share_error": round(
                    float(np.percentile(validation_errors, 95)), 4
                ),
                "effective_products_min": min(effective),
                "effective_products_median": float(np.median(effective)),
                "niche_absent": absent,
                "niche_absent_but_said": said,
                "rows_lost_to_the_cap_max": round(max(lost), 4),
            }
        )
    )


if __name__ == "__main__":
    main()
