"""A small world in which it is known what helps: sentiments by words, vectors by bags of words."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from kindling.coldstart.heads import Embed
from kindling.coldstart.written import Written
from kindling.records import SENTIMENTS, Review

WORDS = {
    1: ("awful", "broke", "returned", "ugly", "poor", "waste"),
    3: ("okay", "average", "middling", "fair", "so-so", "passable"),
    5: ("lovely", "perfect", "great", "adore", "superb", "happy"),
}
FILLER = tuple(f"word{n}" for n in range(40))


@dataclass(frozen=True)
class World:
    """Real rows by the truth, and rows of generators that are good, wrong, or say nothing."""

    niche: list[Review]
    neighbours: list[Review]
    good: list[Written]
    wrong: list[Written]
    embed: Embed


@cache
def word_vector(word: str) -> np.ndarray:
    """A fixed random vector."""
    return np.random.default_rng(zlib.crc32(word.encode())).normal(size=48)


def embed(texts: Sequence[str]) -> np.ndarray:
    """float32 [n, 48]: the mean of a fixed random vector a word, of unit length."""
    rows = [
        np.mean([word_vector(word.strip(".").lower()) for word in text.split()], 0)
        for text in texts
    ]
    vectors = np.array(rows)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def text(stars: int, rng: np.random.Generator) -> str:
    said = [*rng.choice(WORDS[stars], 2), *rng.choice(FILLER, 6)]
    return " ".join(said[at] for at in rng.permutation(len(said)))


def reviews(
    count: int, category: str, products: int, rng: np.random.Generator
) -> list[Review]:
    found = []
    for number in range(count):
        stars = int(rng.choice([1, 3, 5]))
        found.append(
            Review(
                f"{category}-{number:03}",
                f"{category}-p{number % products}",
                category,
                "",
                text(stars, rng),
                stars,
                "scraped",
            )
        )
    return found


def written(count: int, turned: bool, rng: np.random.Generator) -> list[Written]:
    found = []
    for number in range(count):
        code = number % 3
        says = (code + 1) % 3 if turned else code
        made = text(1 + 2 * says, rng)
        found.append(Written(made, SENTIMENTS[code], "Cups", ("other-000",)))
    return found


@pytest.fixture(scope="session")
def world() -> World:
    rng = np.random.default_rng(3)
    return World(
        niche=reviews(160, "Cups", 40, rng),
        neighbours=reviews(12, "other", 6, rng),
        good=written(240, False, rng),
        wrong=written(240, True, rng),
        embed=embed,
    )
