"""The rows that a figure is about: truth, the product each row belongs to, and what the data hash covers."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kindling.errors import DataError
from kindling.measure.data_hash import data_hash
from kindling.records import SENTIMENTS, Example, Review, sentiment_of


@dataclass(frozen=True)
class Sample:
    """n labelled rows."""

    #: int64 [n], index in SENTIMENTS.
    truth: np.ndarray
    #: int64 [n]: rows of one product are not independent, so intervals resample products.
    products: np.ndarray
    #: Hash of each row's id, text, photo and label.
    digests: tuple[str, ...]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> "Sample":
        """DataError when there is no row."""
        if not examples:
            raise DataError("no row to evaluate on: the holdout is empty")
        _, products = np.unique(
            [example.product_id for example in examples], return_inverse=True
        )
        truth = np.array(
            [SENTIMENTS.index(example.sentiment) for example in examples],
            dtype=np.int64,
        )
        return cls(
            truth,
            products.astype(np.int64),
            tuple(_digest(example) for example in examples),
        )

    @classmethod
    def of_reviews(cls, reviews: Sequence[Review]) -> "Sample":
        """Reviews with the sentiment of their stars; DataError when there is none."""
        if not reviews:
            raise DataError("no review to measure on")
        _, products = np.unique(
            [review.product_id for review in reviews], return_inverse=True
        )
        truth = [SENTIMENTS.index(sentiment_of(review.rating)) for review in reviews]
        return cls(
            np.array(truth, dtype=np.int64),
            products.astype(np.int64),
            tuple(data_hash([(row.review_id, row.text)]) for row in reviews),
        )

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def sha256(self) -> str:
        """Hash over the sorted rows: the same data in any order is the same data."""
        return hashlib.sha256("\n".join(sorted(self.digests)).encode()).hexdigest()

    def where(self, mask: np.ndarray) -> "Sample":
        kept = np.flatnonzero(mask)
        return Sample(
            self.truth[kept],
            self.products[kept],
            tuple(self.digests[row] for row in kept),
        )


def _digest(example: Example) -> str:
    parts = (example.review_id, example.text, example.photo_id or "", example.sentiment)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
