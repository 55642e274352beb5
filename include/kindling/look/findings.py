"""What was found in a source, as the showing, the verdict and the recipe read it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kindling.records import SENTIMENTS, Rejection, Review, Sentiment, sentiment_of


@dataclass(frozen=True)
class Recognised:
    """One column (or field of a page) with its meaning and a value of it."""

    meaning: str
    column: str
    how: str
    example: str


@dataclass(frozen=True)
class Part:
    """One file, or the sampled pages of a shop."""

    name: str
    #: How it was read, such as "UTF-8, comma".
    reading: str
    #: The export that it looks like; empty for none.
    shape: str
    columns: Sequence[Recognised]
    unread: Sequence[str]
    notes: Sequence[str]


@dataclass(frozen=True)
class Findings:
    """All that is known of a source before a run."""

    #: What the user gave, in the user's words: `DATA=reviews.csv`.
    given: str
    parts: Sequence[Part]
    found: int
    reviews: Sequence[Review]
    rejections: Sequence[Rejection]
    products: int
    #: What a product is: a column's value, a file, or each review by itself.
    products_are: str
    products_named: int
    #: ISO 639-1 -> reviews; an empty code for those too short to tell.
    languages: Mapping[str, int] = field(default_factory=dict)
    photos_named: int = 0
    photos_reached: str = ""
    lines: Sequence[str] = ()
    #: Only a part was looked at: what is missing may be in the rest.
    sampled: bool = False

    @property
    def classes(self) -> dict[Sentiment, int]:
        """Usable reviews by sentiment."""
        counts = Counter(sentiment_of(one.rating) for one in self.reviews)
        return {sentiment: counts[sentiment] for sentiment in SENTIMENTS}

    @property
    def stars(self) -> dict[int, int]:
        """Usable reviews by stars."""
        counts = Counter(one.rating for one in self.reviews)
        return {stars: counts[stars] for stars in (1, 2, 3, 4, 5)}

    @property
    def categories(self) -> dict[str, int]:
        """Usable reviews by category, the largest first."""
        return dict(
            Counter(
                one.category or "uncategorised" for one in self.reviews
            ).most_common()
        )
