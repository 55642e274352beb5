"""A small world of reviews: sentences of an invented vocabulary, with opinions that a model can learn."""

from collections.abc import Callable

import numpy as np
import pytest

from kindling.records import Review, sentiment_of

OPINIONS = {
    "negative": ["awful", "flimsy", "torn", "dreadful", "useless"],
    "neutral": ["average", "passable", "ordinary", "middling", "plain"],
    "positive": ["lovely", "sturdy", "superb", "charming", "perfect"],
}
RATINGS = (1, 3, 5)
SYLLABLES = ("bo", "ki", "lu", "ma", "ro", "se", "ta")
WORDS = [
    f"{first}{middle}{last}"
    for first in SYLLABLES
    for middle in "dlmnrst"
    for last in "aeiouy"
]


def sentence(rng: np.random.Generator, sentiment: str) -> str:
    words = [
        WORDS[number] for number in rng.integers(len(WORDS), size=rng.integers(4, 9))
    ]
    words.insert(int(rng.integers(len(words))), str(rng.choice(OPINIONS[sentiment])))
    return " ".join(words).capitalize() + str(rng.choice([".", ".", ".", "!"]))


@pytest.fixture
def reviews() -> Callable[..., list[Review]]:
    def make(
        count: int,
        seed: int,
        prefix: str = "r",
        products: int = 40,
        categories: tuple[str, ...] = ("Skirts", "Hats"),
    ) -> list[Review]:
        rng = np.random.default_rng(seed)
        rows = []
        for number in range(count):
            product, rating = int(rng.integers(products)), RATINGS[number % 3]
            body = " ".join(
                sentence(rng, sentiment_of(rating)) for _ in range(rng.integers(3, 7))
            )
            rows.append(
                Review(
                    f"{prefix}{number}",
                    f"p{product}",
                    categories[product % len(categories)],
                    "",
                    body,
                    rating,
                    "synthetic" if prefix.startswith("syn-") else "scraped",
                )
            )
        return rows

    return make
