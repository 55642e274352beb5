"""Does golden stay golden? Random histories of a shop, night after night.

    make bench NAME=frozen

A history starts with 10 to 2,000 products. Every night brings products, reviews on old ones,
copies of older reviews on any product (word for word or with a word changed, with the same or
the opposite stars), photos shown twice, reviews that move to another product, and reviews that
go. `golden_moved` counts golden rows that a later night gave another split or dropped while
they were there; `golden_trained_on` golden rows of which a copy, or a golden photo that a copy,
was in train or validation on the same night or any before.
"""

import argparse
import json
import logging
from dataclasses import replace

import numpy as np

from kindling.dedupe.placement import Membership
from kindling.recipe import DedupeConfig
from kindling.records import Photo, Review
from kindling.stages.dedupe import Decided, Scraped, decide

PRODUCTS = (10, 2000)
NIGHTS = 4
WORDS = 40
CATEGORIES = ("a", "b", "c", "d", "e")


class Shop:
    """What is on the shelves, and which reviews and photos are copies of which."""

    def __init__(self, products: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self.reviews: dict[str, Review] = {}
        self.photos: dict[str, Photo] = {}
        self.hashes: dict[str, int] = {}
        #: Review or photo -> the first of its kind.
        self.origin: dict[str, str] = {}
        self._products = 0
        self._serial = 0
        for _ in range(products):
            self._open_product()

    def night(self) -> None:
        """One night's changes."""
        for _ in range(self._rng.poisson(0.05 * self._products) + 1):
            self._open_product()
        for _ in range(self._rng.poisson(0.2 * self._products) + 1):
            self._write(self._any_product())
        for _ in range(self._rng.poisson(0.05 * self._products) + 2):
            self._copy()
        for _ in range(self._rng.poisson(0.02 * self._products) + 1):
            self._show_again()
        for review_id in self._some(0.01):
            moved = replace(self.reviews[review_id], product_id=self._any_product())
            self.reviews[review_id] = moved
        for review_id in self._some(0.01):
            del self.reviews[review_id]

    def _open_product(self) -> None:
        self._products += 1
        product = f"p{self._products - 1}"
        for _ in range(min(60, self._rng.zipf(1.7))):
            self._write(product)

    def _any_product(self) -> str:
        return f"p{self._rng.integers(self._products)}"

    def _some(self, share: float) -> list[str]:
        ids = sorted(self.reviews)
        count = self._rng.poisson(share * len(ids))
        return [ids[n] for n in set(self._rng.integers(0, len(ids), count).tolist())]

    def _name(self) -> str:
        self._serial += 1
        return f"r{self._rng.integers(10**9):09d}-{self._serial}"

    def _write(self, product: str) -> None:
        body = " ".join(f"word{n}" for n in self._rng.integers(0, 10**6, WORDS))
        category = CATEGORIES[int(product[1:]) % len(CATEGORIES)]
        review = Review(
            self._name(),
            product,
            category,
            "",
            body,
            int(self._rng.integers(1, 6)),
            "scraped",
            photo_id=self._photo(product) if self._rng.random() < 0.2 else None,
        )
        self.reviews[review.review_id] = review
        self.origin[review.review_id] = review.review_id

    def _photo(self, product: str, like: str | None = None) -> str:
        name = f"photo{len(self.photos)}"
        self.photos[name] = Photo(name, product, "review", "scraped", "", 1, 1)
        value = int(self._rng.integers(0, 2**63)) if like is None else self.hashes[like]
        self.hashes[name] = value ^ (0 if like is None else 1)
        self.origin[name] = name if like is None else self.origin[like]
        return name

    def _copy(self) -> None:
        ids = sorted(one for one in self.reviews if self.origin[one] == one)
        source = self.reviews[ids[self._rng.integers(len(ids))]]
        words = source.body.split()
        if self._rng.random() < 0.5:
            words[self._rng.integers(WORDS)] = "other"
        rating = source.rating if self._rng.random() < 0.5 else 6 - source.rating
        copy = replace(
            source,
            review_id=self._name(),
            product_id=self._any_product(),
            body=" ".join(words),
            rating=rating,
            photo_id=None,
        )
        self.reviews[copy.review_id] = copy
        self.origin[copy.review_id] = source.review_id

    def _show_again(self) -> None:
        shown = [one.photo_id for one in self.reviews.values() if one.photo_id]
        if not shown:
            return
        like = shown[self._rng.integers(len(shown))]
        product = self._any_product()
        self._write(product)
        last = next(reversed(self.reviews))
        photo_id = self._photo(product, like)
        self.reviews[last] = replace(self.reviews[last], photo_id=photo_id)


class Witness:
    """Remembers everything that was ever golden, and everything that was ever learned from."""

    def __init__(self) -> None:
        self.golden: set[str] = set()
        self._learned: set[str] = set()
        self.moved = self.trained_on = 0

    def see(self, shop: Shop, decided: Decided) -> None:
        judging: list[str] = []
        for one in decided.decisions:
            review = shop.reviews[one.review_id]
            golden = one.kept and one.split == "golden"
            self.moved += one.review_id in self.golden and not golden
            if not one.kept:
                continue
            used = [shop.origin[one.review_id]]
            if review.photo_id and one.photo_kept:
                used.append(shop.origin[review.photo_id])
            if golden:
                self.golden.add(one.review_id)
                judging += used
            else:
                self._learned.update(used)
        self.trained_on += sum(one in self._learned for one in judging)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="not used")
    parser.add_argument("--histories", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.INFO)
    rng = np.random.default_rng(options.seed)
    moved = trained_on = rows = nights = 0
    for number in range(options.histories):
        products = int(np.exp(rng.uniform(*np.log(PRODUCTS))))
        shop, witness, known = Shop(products, rng), Witness(), Membership()
        for _ in range(NIGHTS):
            scraped = Scraped(
                list(shop.reviews.values()), list(shop.photos.values()), shop.hashes
            )
            decided = decide(scraped, DedupeConfig(), CATEGORIES[:1], known)
            witness.see(shop, decided)
            known = decided.membership
            shop.night()
            nights += 1
        moved, trained_on = moved + witness.moved, trained_on + witness.trained_on
        rows += len(witness.golden)
        if number % 20 == 19:
            print(f"{number + 1} histories: moved {moved}, trained on {trained_on}")
    print(
        json.dumps(
            {
                "histories": options.histories,
                "nights": nights,
                "golden_rows": rows,
                "golden_moved": moved,
                "golden_trained_on": trained_on,
            }
        )
    )


if __name__ == "__main__":
    main()
