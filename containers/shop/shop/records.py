"""What a catalogue holds, and what a maker hands to the writer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Sentiment = Literal["negative", "neutral", "positive"]
Condition = Literal["intact", "torn", "stained", "broken"]

SENTIMENTS: tuple[Sentiment, ...] = ("negative", "neutral", "positive")
CONDITIONS: tuple[Condition, ...] = ("intact", "torn", "stained", "broken")


def sentiment_of(rating: int) -> Sentiment:
    """1-2 stars negative, 3 neutral, 4-5 positive."""
    return "negative" if rating <= 2 else "neutral" if rating == 3 else "positive"


@dataclass(frozen=True)
class Product:
    product_id: str
    name: str
    category: str
    brand: str
    price: float
    description: str
    photos: tuple[str, ...]


@dataclass(frozen=True)
class Review:
    review_id: str
    product_id: str
    title: str
    body: str
    rating: int
    author: str
    date: str
    photo: str | None = None


@dataclass(frozen=True)
class Truth:
    """What the shop knows of a review and never shows."""

    review_id: str
    #: Of the text where this project wrote it; of the stars where the text is somebody else's.
    sentiment: Sentiment
    #: What the photo shows, and the product photo it is a shot of.
    condition: Condition | None = None
    base_photo: str | None = None
    #: The damage that the text names.
    claimed: Condition | None = None
    #: False where a damaged item stands under a positive text, or the text names a damage that the
    #: photo does not show; None without a photo.
    agrees: bool | None = None
    #: How the text was made: "regular", "sarcastic", "ambiguous", "see photo", "listing", "empty", "verbatim"
    style: str = "regular"
    duplicate: Literal["exact", "near", "opposite"] | None = None
    duplicate_of: str | None = None


def photo_agrees(
    sentiment: Sentiment, condition: Condition, claimed: Condition | None
) -> bool:
    """The rule behind `Truth.agrees`."""
    if claimed is not None:
        return condition == claimed
    return not (sentiment == "positive" and condition != "intact")


@dataclass(frozen=True)
class Contents:
    """A catalogue before it is written; `photos` maps a file name to the making of its JPEG bytes."""

    products: list[Product]
    reviews: list[Review]
    truths: list[Truth]
    photos: Mapping[str, Callable[[], bytes]]
    niches: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class Manifest:
    """`catalogue.json`: written last, so that its existence means that the folder is complete."""

    kind: str
    seed: int
    #: Of the data that a catalogue was made from; empty where it was made from nothing.
    data_sha256: str
    #: Of the program that made it, so that changed code makes anew.
    code_sha256: str
    note: str
    niches: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)

    def same_origin(self, other: "Manifest") -> bool:
        """Whether making again would give the same folder."""
        return (self.kind, self.seed, self.data_sha256, self.code_sha256) == (
            other.kind,
            other.seed,
            other.data_sha256,
            other.code_sha256,
        )
