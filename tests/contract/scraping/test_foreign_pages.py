"""Real pages of other shops: how many of the reviews that they hold are found."""

import gzip
import json
from collections import Counter

import pytest
from selectolax.lexbor import LexborHTMLParser

from kindling.scraping.extract import extract
from kindling.scraping.mapping import load
from kindling.scraping.rating import parse_rating


def fold(text: str) -> str:
    """Letters and digits; only ASCII ones where there are enough, for some truth is in a broken encoding."""
    kept = [char for char in text.lower() if char.isalnum()]
    plain = [char for char in kept if char.isascii()]
    return "".join(plain if len(plain) >= 5 else kept)[:60]


@pytest.fixture(scope="module")
def pages(data_root):
    folder = data_root / "shop_pages"
    truth = json.loads((folder / "reviews.json").read_text(encoding="utf-8"))
    return truth, {
        path.name.split(".")[0]: gzip.decompress(path.read_bytes())
        for path in folder.glob("html/*.html.gz")
    }


def test_reviews_of_real_pages_are_found_with_their_ratings(pages):
    truth, bodies = pages
    mapping = load("public_shops.yaml")
    wanted, found, rated = Counter(), Counter(), Counter()
    for key, entry in truth.items():
        got = {
            fold(review.body): review
            for review in extract(bodies[key], entry["url"], mapping).reviews
        }
        for review in entry["reviews"]:
            # One true text begins with the words of a video player.
            start = fold(
                review["body"].removeprefix(
                    "Your browser does not support HTML5 video."
                )
            )
            wanted[entry["source"]] += 1
            found[entry["source"]] += start in got
            rated[entry["source"]] += start in got and got[start].rating == float(
                review["rating"]
            )
    assert (
        wanted.total() == sum(len(entry["reviews"]) for entry in truth.values()) > 100
    )
    assert found == wanted
    assert rated == wanted


def test_structured_data_is_read_without_any_rule(pages):
    truth, bodies = pages
    mapping = load("bundled_shop.yaml")
    for key, entry in truth.items():
        if entry["source"] in ("jsonld", "microdata"):
            found = {
                fold(review.body)
                for review in extract(bodies[key], entry["url"], mapping).reviews
            }
            assert {fold(review["body"]) for review in entry["reviews"]} <= found


def test_no_real_page_raises_or_is_refused(pages):
    _, bodies = pages
    mapping = load("public_shops.yaml")
    problems = [
        problem
        for key, body in bodies.items()
        for problem in extract(body, f"http://shop.example/{key}", mapping).problems
    ]
    assert len(bodies) > 50
    assert not problems


def test_rating_snippets(data_root):
    snippets = json.loads(
        (data_root / "shop_pages" / "rating_snippets.json").read_text(encoding="utf-8")
    )

    def right(snippet: dict) -> bool:
        found = parse_rating(LexborHTMLParser(snippet["html"]).text(separator=" "))
        return (found.value if found else None) == snippet["ratingValue"]

    share = sum(map(right, snippets)) / len(snippets)
    assert len(snippets) > 200
    assert share >= 0.95
