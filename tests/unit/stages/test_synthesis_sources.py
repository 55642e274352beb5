"""What synthesis may look at, and which photos it may edit."""

from kindling import recipe as recipes
from kindling.records import (
    DedupeDecision,
    Photo,
    PhotoDecision,
    Product,
    Record,
    Review,
    StageReport,
)
from kindling.stages.contract import Context
from kindling.stages.synthesis_sources import sources_of
from kindling.stages.view import RunView
from kindling.stores.memory import MemoryRows


def test_what_disappointed_is_no_base_for_an_edit() -> None:
    records: list[Record] = [Product("p", "Pot", "Teapots", "u")]
    for stars in range(1, 6):
        name = f"r{stars}"
        records += [
            Review(
                name,
                "p",
                "Teapots",
                "",
                "text",
                stars,
                "scraped",
                photo_id=f"of {name}",
            ),
            DedupeDecision(name, name, True, "unique", 1.0, "train"),
        ]
    # The same picture beside praise and blame.
    records += [
        Review("r6", "p", "Teapots", "", "text", 1, "scraped", photo_id="of r5"),
        DedupeDecision("r6", "r6", True, "unique", 1.0, "train"),
    ]
    photos = {f"of r{stars}": "review" for stars in range(1, 6)} | {"shop's": "product"}
    for name, kind in photos.items():
        records += [
            Photo(name, "p", kind, "scraped", "u", 1, 1),  # type: ignore[arg-type]
            PhotoDecision(name, True, "free"),
        ]
    rows = MemoryRows()
    rows.begin_run("r", "smoke", {})
    rows.commit(StageReport("scrape", "r", 0, 0), records, [])
    recipe = recipes.load("smoke")
    context = Context("r", recipe, recipe.niche, 20, recipe.seed)

    found = sources_of(context, RunView(rows, "r"))

    assert [one.photo_id for one in found.photos["Teapots"]] == ["of r4", "shop's"]
    assert found.own_photos["p"] == found.photos["Teapots"]
