"""Rows as a head learns from them, and the arms that every comparison is made of."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kindling.coldstart.heads import Array, Embed, linear
from kindling.coldstart.written import Written
from kindling.records import SENTIMENTS, Review, sentiment_of


class Space:
    """Vectors of texts, each worked out once."""

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._known: dict[str, NDArray[np.float32]] = {}

    def __call__(self, texts: Sequence[str]) -> Array:
        """float64 [n, d], of unit length."""
        new = sorted(set(texts) - self._known.keys())
        if new:
            self._known.update(zip(new, self._embed(new), strict=True))
        return np.array([self._known[text] for text in texts], dtype=np.float64)


@dataclass(frozen=True)
class Lesson:
    """Rows to learn from."""

    vectors: Array
    truth: NDArray[np.int64]
    categories: tuple[str, ...]
    #: Of which of them a head is told each; float64 [n].
    weights: Array

    def __len__(self) -> int:
        return len(self.truth)

    def at(self, rows: Sequence[int] | NDArray[np.int64]) -> "Lesson":
        """Some of the rows."""
        places = np.asarray(rows, dtype=np.int64)
        return Lesson(
            self.vectors[places],
            self.truth[places],
            tuple(self.categories[place] for place in places),
            self.weights[places],
        )

    def weighing(self, weight: float) -> "Lesson":
        """The rows, each at this weight."""
        weights = np.full(len(self), weight)
        return Lesson(self.vectors, self.truth, self.categories, weights)

    def answer(self, test: Array) -> Array:
        """P(sentiment) [n, 3] of `test` by a head that learned from them."""
        return linear(self.vectors, self.truth, self.weights, test)


def real(rows: Sequence[Review], space: Space) -> Lesson:
    """Real rows with the sentiment of their stars."""
    truth = [SENTIMENTS.index(sentiment_of(row.rating)) for row in rows]
    categories = tuple(row.category for row in rows)
    return _lesson([row.text for row in rows], truth, categories, space)


def generated(rows: Sequence[Written], space: Space) -> Lesson:
    """Generated rows with the sentiment that was asked."""
    truth = [SENTIMENTS.index(row.sentiment) for row in rows]
    categories = tuple(row.category for row in rows)
    return _lesson([row.text for row in rows], truth, categories, space)


def _lesson(
    texts: Sequence[str],
    truth: Sequence[int],
    categories: tuple[str, ...],
    space: Space,
) -> Lesson:
    labels = np.array(truth, dtype=np.int64)
    vectors = space(texts) if texts else np.zeros((0, 0))
    return Lesson(vectors, labels, categories, np.ones(len(labels)))


def together(*lessons: Lesson) -> Lesson:
    """All rows of those lessons that have any."""
    some = [one for one in lessons if len(one)] or [lessons[0]]
    return Lesson(
        np.concatenate([one.vectors for one in some]),
        np.concatenate([one.truth for one in some]),
        tuple(name for one in some for name in one.categories),
        np.concatenate([one.weights for one in some]),
    )


def again(real_rows: Lesson, made: Lesson, rng: np.random.Generator) -> Lesson:
    """For each generated row a real one once more: of its category and sentiment, else of its
    sentiment, else any. What generated rows must beat to have said anything new."""
    cells = _places(zip(real_rows.categories, real_rows.truth.tolist(), strict=True))
    moods = _places(real_rows.truth.tolist())
    everybody = list(range(len(real_rows)))
    chosen = [
        rng.choice(cells.get((category, mood)) or moods.get(mood) or everybody)
        for category, mood in zip(made.categories, made.truth.tolist(), strict=True)
    ]
    return real_rows.at(np.array(chosen, dtype=np.int64))


def _places(keys: Iterable[Hashable]) -> dict[Hashable, list[int]]:
    found: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        found.setdefault(key, []).append(place)
    return found
