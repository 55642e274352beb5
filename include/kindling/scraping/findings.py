"""What was found on one page, as the page has it: uncleaned, unscaled, unjudged."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

#: "file": not a page at all, but a row of a table.
Method = Literal["json-ld", "microdata", "rdfa", "embedded", "css", "induced", "file"]


@dataclass(frozen=True)
class FoundReview:
    """A review as stated; `review_id` is the site's own stable id, empty where it has none."""

    body: str
    method: Method
    title: str = ""
    review_id: str = ""
    #: The address that the id is a part of, where it is the fragment of one: "…/p/1?page=2#review-3".
    address: str = ""
    #: As stated, on the scale from `worst` to `best`; None where none could be read.
    rating: float | None = None
    best: float | None = None
    worst: float | None = None
    author: str = ""
    published: str = ""
    photo_url: str = ""
    #: Which rules read it, with their version.
    extractor: str = ""
    #: Fields that one witness alone states, or on which two differ, each with the reason.
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundProduct:
    """A product as stated. `stated_reviews` is how many reviews the page says there are in all."""

    product_id: str
    name: str = ""
    category: str = ""
    photo_urls: tuple[str, ...] = ()
    stated_reviews: int | None = None
    stated_rating: float | None = None
    #: How many ratings there are, with or without a text.
    stated_ratings: int | None = None


@dataclass(frozen=True)
class Links:
    """Addresses on the shop's origin, in document order, by what they lead to."""

    next: str = ""
    listings: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Extraction:
    """All that one page holds, and what speaks against it."""

    product: FoundProduct | None
    reviews: tuple[FoundReview, ...]
    links: Links
    #: Damage met on the way, in words: a broken JSON-LD block, an item without a body.
    problems: tuple[str, ...] = ()
    #: Ratings and counts that structured data and visible text both state; and where they disagree.
    checked: int = 0
    conflicts: tuple[str, ...] = ()
    #: Why there should be reviews on this page although none was found.
    signs: tuple[str, ...] = ()
    #: Pages of one template share it.
    layout: str = ""
    #: The page's own words against use for AI training; empty where it has none.
    opt_out: str = ""
    #: Who asks on this page whether a person reads it; then nothing else of it was read.
    wall: str = ""
    #: The language tag that the page declares, such as "de" or "en-GB"; empty where it has none.
    language: str = ""

    @property
    def method(self) -> Method | None:
        """How most of the reviews were read."""
        counts = Counter[Method](review.method for review in self.reviews)
        if not counts:
            return None
        return max(sorted(counts.items()), key=lambda counted: counted[1])[0]

    @property
    def photos(self) -> tuple[str, ...]:
        """Addresses of the product's and the reviews' photos, each once."""
        product = self.product.photo_urls if self.product else ()
        return tuple(
            dict.fromkeys(
                [*product, *(r.photo_url for r in self.reviews if r.photo_url)]
            )
        )

    @property
    def lossy(self) -> bool:
        """Nothing was found where the page shows that there is something."""
        return not self.reviews and bool(self.signs)
