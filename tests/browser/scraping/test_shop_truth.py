"""The scraper against the bundled shop's own truth: every review, layout and field, and nothing more."""

from collections import Counter

import pytest

from kindling.records import Page, Photo, Product


@pytest.mark.parametrize("browsers", [("chromium",), ("lightpanda",)])
def test_every_review_of_every_layout_is_found_exactly(
    running_shop, truth, scrape_shop, compare, browsers, request
):
    paths = {name: request.getfixturevalue(name) for name in browsers}
    outcome = scrape_shop(running_shop.url, **{"chromium": None} | paths)
    found = compare(outcome)
    assert found == truth  # precision and recall 1.0 in every field
    layouts = {
        one["product_id"]: running_shop.layout(one["product_id"])
        for one in running_shop.rows("products")
    }
    assert set(layouts.values()) == {"jsonld", "microdata", "plain", "script"}
    assert outcome.rows_in == len(running_shop.rows("reviews"))
    assert (
        outcome.figures["reviews_found"] == outcome.figures["reviews_stated_by_pages"]
    )
    assert outcome.figures["products_not_reached"] == 0
    assert (
        outcome.figures["cross_checks"] > 0
        and outcome.figures["cross_check_conflicts"] == 0
    )
    drawn = {
        page.url
        for page in outcome.records
        if isinstance(page, Page) and page.fetcher == "browser"
    }
    assert {layouts[url.split("/p/")[1].split("?")[0]] for url in drawn} == {"script"}
    assert sum(isinstance(one, Product) for one in outcome.records) == len(layouts)


def test_robots_txt_is_obeyed_and_pictures_are_fetched_once(
    running_shop, scrape_shop, chromium
):
    outcome = scrape_shop(running_shop.url, chromium)
    hits = running_shop.stats()
    photos = [one for one in outcome.records if isinstance(one, Photo)]
    assert hits["trap"] == 0
    assert hits["api"] == sum(
        isinstance(one, Page) and one.fetcher == "browser" for one in outcome.records
    )
    assert (
        hits["photo"]
        == len({one.name for one in (running_shop.catalogue / "photos").iterdir()})
        >= len(photos)
        > 0
    )
    assert Counter(one.reason for one in outcome.rejections)["robots_disallowed"] == 1


def test_without_chromium_script_layouts_are_reported_and_the_rest_is_whole(
    running_shop, truth, scrape_shop, compare
):
    outcome = scrape_shop(running_shop.url, None)
    hidden = {
        one["product_id"]
        for one in running_shop.rows("products")
        if running_shop.layout(one["product_id"]) == "script"
    }
    assert compare(outcome) == {
        key: row for key, row in truth.items() if row[0] not in hidden
    }
    reviewed = {row[0] for row in truth.values()}
    assert outcome.figures["products_not_reached"] == len(hidden & reviewed) > 0
    needed = {
        one.row_id.split("/p/")[1].split("?")[0]
        for one in outcome.rejections
        if one.reason == "browser_needed"
    }
    assert needed == hidden
    assert outcome.implementation["browser"].startswith("none")


def test_the_cheaper_browser_goes_first_and_chromium_has_what_it_left(
    running_shop, truth, scrape_shop, compare, chromium, lightpanda
):
    both = scrape_shop(running_shop.url, chromium, lightpanda)
    assert compare(both) == truth
    assert both.implementation["browser"].startswith("Lightpanda")
    assert "Chromium" not in both.implementation["browser"], "nothing was left to it"
    broken = scrape_shop(running_shop.url, chromium, "/bin/true", remember=False)
    assert compare(broken) == truth
    assert broken.implementation["browser"].startswith("Chromium")
