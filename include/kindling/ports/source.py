"""Where reviews come from: a shop's pages, files, or a package of the user's own.

A source is a module that holds `Options` (a pydantic model: what its entry in the recipe may
say) and `source(options, tools)`, which gives a `Source`. `kindling.extensions` finds it by
the name of its file in `kindling/sources/`, or by an entry point of the group
`kindling.sources`. Heavy imports belong inside `collect`, because reading a recipe imports
the module.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Protocol

from kindling.errors import ConfigurationError
from kindling.ports.frontier import Frontier
from kindling.ports.llm import Llm
from kindling.ports.objects import ObjectStore
from kindling.ports.standing import StandingStore
from kindling.records import Page, Photo, Product, Rejection, Review

#: The category of products whose source names none: a category of its own, not a loss.
UNCATEGORISED = "uncategorised"


def require_categories(
    niche: Sequence[str], categories: Iterable[str], key: str
) -> None:
    """ConfigurationError for a category of the niche that no review is in, with the likeliest one.

    Such a category would be filled with nothing, in silence.
    """
    here = sorted(set(categories))
    for name in niche:
        if name in here:
            continue
        folded = {one.casefold(): one for one in here}
        close = get_close_matches(name.casefold(), folded, n=1)
        meant = f" ({folded[close[0]]}?)" if close else ""
        shown = ", ".join(here[:20]) + (", …" if len(here) > 20 else "")
        raise ConfigurationError(
            f"{key}: no review is of the category {name!r}{meant}. Categories: {shown}"
        )


#: Parts the rules that read a review from what is null in it, and why (`Review.extractor`).
NULLS = " | null: "


def read_by(review: Review) -> str:
    """The rules that read the review, without what is null in it."""
    return review.extractor.partition(NULLS)[0]


def nulls_of(review: Review) -> list[str]:
    """What is null in the review or rests on one witness, each with the reason."""
    return [
        one for one in review.extractor.partition(NULLS)[2].split("; ") if one.strip()
    ]


@dataclass(frozen=True)
class Night:
    """What the stage tells a source of the nights before, and how much it may ask for tonight."""

    #: Pages by action ("new", "deeper", "retry"); None for as many as there are.
    pages: Mapping[str, int] | None = None
    #: Where the last trusted night's snapshot is; empty where there is none.
    snapshot_uri: str = ""
    #: Requests and answers shared with other workers of this crawl, and kept over a death.
    frontier: Frontier | None = None
    #: This crawl's name in the frontier: the same for every attempt of one night.
    crawl: str = ""


@dataclass(frozen=True)
class Account:
    """What a source's night cost and left behind."""

    #: Where tonight's snapshot is: pages, photos and addresses that failed.
    snapshot_uri: str
    #: Pages asked for, by action.
    requests: Mapping[str, int]
    cpu_s: float
    #: Pages that the next night could go deeper into ("deeper") or try again ("retry").
    known: Mapping[str, int]
    #: Figures that a health contract compares with those of earlier nights.
    health: Mapping[str, Any]


@dataclass(frozen=True)
class SourceTools:
    """What a source is handed."""

    objects: ObjectStore
    standing: StandingStore
    seed: int
    #: Address of the shop that the environment names; empty where it names none.
    shop_url: str
    #: Path of a Chromium binary, or None where there is none.
    chromium: str | None
    night: Night = Night()
    #: Path of a Lightpanda binary, or None where there is none.
    lightpanda: str | None = None
    #: A language model, or None where there is none.
    llm: Llm | None = None


@dataclass(frozen=True)
class Haul:
    """What a source brought. Nothing is dropped in silence: the rest is in `rejections`."""

    #: Reviews seen, usable or not.
    found: int
    pages: Sequence[Page] = ()
    products: Sequence[Product] = ()
    photos: Sequence[Photo] = ()
    reviews: Sequence[Review] = ()
    rejections: Sequence[Rejection] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    #: Which implementation did the job behind each part.
    implementation: Mapping[str, str] = field(default_factory=dict)
    #: None for sources that ask for no pages.
    account: Account | None = None


class Source(Protocol):
    """One entry under `sources:` of a recipe."""

    @property
    def name(self) -> str:
        """What it reads, as reports say it: an address or a file name.

        The same on every machine: product ids of all sources but the first begin with it.
        """
        ...

    def collect(self) -> Haul:
        """All that there is. DataError when that is too little, TransientError when nobody answers."""
        ...
