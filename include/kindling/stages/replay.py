"""A run's kept pages read once more, with today's rules and code, beside the rows that the run committed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kindling import extensions
from kindling.errors import DataError
from kindling.ports.objects import ObjectStore
from kindling.ports.source import SourceTools
from kindling.ports.standing import StandingStore
from kindling.recipe import Recipe
from kindling.records import Page, Review
from kindling.scraping import nightly
from kindling.scraping.snapshot import decoded
from kindling.stages.source_health import night_of

#: Differing reviews that are shown, of each kind.
_SHOWN = 5


@dataclass(frozen=True)
class Stored:
    """Where a run's pages are kept, and what remembers them."""

    objects: ObjectStore
    standing: StandingStore
    shop_url: str = ""


def replay(
    recipe: Recipe,
    run_id: str,
    pages: list[Page],
    reviews: list[Review],
    stored: Stored,
) -> list[dict[str, Any]]:
    """For each source that keeps pages, how what they give today differs from the run's reviews.

    No request is made. DataError where none of the recipe's sources keeps pages, or the run has none.
    """
    tools = SourceTools(stored.objects, stored.standing, 0, stored.shop_url, None)
    compared = []
    for entry in recipe.sources:
        module = extensions.find("source", entry.kind)
        if not getattr(module, "ASKS_FOR_PAGES", False):
            continue
        options = extensions.options("source", entry.kind, dict(entry.options))
        source = module.source(options, tools)
        night = night_of(stored.standing, recipe.name, run_id, source.name)
        again = source.replay(night["snapshot_uri"]).reviews
        urls = {page.url for page in pages if page.source == source.name}
        before = [one for one in reviews if one.source_url in urls]
        compared.append({"source": source.name, **_difference(before, again)})
    if not compared:
        raise DataError(f"no source of the recipe {recipe.name!r} keeps pages")
    return compared


def _difference(before: list[Review], again: list[Review]) -> dict[str, Any]:
    # The stage sets a namespace before the ids of later sources; where a review was found tells as much.
    old, new = {_told(one) for one in before}, {_told(one) for one in again}
    return {
        "reviews": len(before),
        "replayed": len(again),
        "equal": old == new and len(before) == len(again),
        "only_in_run": sorted(old - new)[:_SHOWN],
        "only_in_replay": sorted(new - old)[:_SHOWN],
    }


def _told(one: Review) -> tuple[str, str, str, int, str]:
    return one.source_url, one.title, one.body, one.rating, one.published


def archived(
    standing: StandingStore, objects: ObjectStore, recipe: str, run_id: str, source: str
) -> Iterator[bytes]:
    """A source's pages and photos of one night as WARC, piece by piece."""
    uri = night_of(standing, recipe, run_id, source)["snapshot_uri"]
    return nightly.archived(decoded(objects.get(uri), uri), objects)
