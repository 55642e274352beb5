"""Holdouts and predictors made for the tests."""

from collections.abc import Callable

import numpy as np
import pytest

from kindling.measure.sample import Sample
from kindling.records import Example, sentiment_of


def make_examples(n: int, seed: int = 0, products: int = 20) -> list[Example]:
    """Reviews of all stars; every second one has a photo."""
    rng = np.random.default_rng(seed)
    stars = rng.choice([1, 2, 3, 4, 5], size=n, p=[0.1, 0.1, 0.2, 0.2, 0.4])
    return [
        Example(
            review_id=f"r{row:04d}",
            product_id=f"p{rng.integers(products)}",
            category=("Vases", "Lamps")[row % 2],
            text="word " * int(rng.integers(5, 100)),
            sentiment=sentiment_of(int(star)),
            rating=int(star),
            origin="scraped",
            split="golden",
            photo_id=f"h{row}" if row % 2 else None,
            photo_uri=f"memory://{row}" if row % 2 else None,
        )
        for row, star in enumerate(stars)
    ]


def make_probabilities(truth: np.ndarray, skill: float, seed: int = 1) -> np.ndarray:
    """Softmax of noise plus `skill` at the truth."""
    logits = (
        np.random.default_rng(seed).normal(size=(len(truth), 3))
        + skill * np.eye(3)[truth]
    )
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


@pytest.fixture
def examples() -> list[Example]:
    return make_examples(400)


@pytest.fixture
def sample(examples: list[Example]) -> Sample:
    return Sample.of(examples)


@pytest.fixture
def predict() -> Callable[..., np.ndarray]:
    return make_probabilities
