"""Verified or null: what a page's data alone says of a review is emptied, and the row says why."""

import json

import pytest

from kindling.ports.source import nulls_of, read_by
from kindling.scraping.extract import extract
from kindling.scraping.mapping import Mapping
from kindling.scraping.rows import join

URL = "https://shop.example/p/1"
BODY = "It keeps tea warm for two hours and pours without a drip"


def page(shown: str, lang: str = "en", **stated: object) -> bytes:
    review = {
        "@type": "Review", "@id": "#r1", "reviewBody": BODY, "name": "Warm tea",
        "datePublished": "2024-05-06", "reviewRating": {"@type": "Rating", "ratingValue": 4},
        "author": {"@type": "Person", "name": "Ada Byron"},
    } | stated  # fmt: skip
    thing = {
        "@context": "https://schema.org", "@type": "Product", "sku": "p1",
        "name": "Pot", "review": [review],
    }  # fmt: skip
    data = json.dumps(thing)
    script = f'<script type="application/ld+json">{data}</script>'
    return f"<html lang={lang}><body><h1>Pot</h1>{script}{shown}</body></html>".encode()


@pytest.fixture
def row(crawled):
    def read(body: bytes):
        found = extract(body, URL, Mapping(name="none", version=1), "text/html")
        (review,) = join([crawled.page(found, URL)], {}).reviews
        return review

    return read


SEEN = f"<h3>Warm tea!</h3><div>{BODY}.</div>"


@pytest.mark.parametrize(
    ("date", "lang"),
    [
        ("<small>2024-05-06</small>", "en"),
        ("<small>Reviewed on May 6, 2024 by a customer</small>", "en"),
        ("<small>6. Mai 2024</small>", "de"),
        ("<small>06/05/2024</small>", "fr"),
        ("<time datetime=2024-05-06>a while ago</time>", "en"),
    ],
)
def test_what_is_seen_too_is_kept(row, date, lang):
    review = row(page(SEEN + date, lang))
    assert (review.title, review.published) == ("Warm tea", "2024-05-06")
    assert nulls_of(review) == [] and review.extractor == "json-ld"


def test_a_date_that_nobody_sees_is_null_with_its_reason(row):
    review = row(page(f"{SEEN}<small>7 May 2024</small>"))
    assert (review.title, review.published) == ("Warm tea", "")
    assert nulls_of(review) == ["published, json-ld alone"]
    assert read_by(review) == "json-ld"


@pytest.mark.parametrize(
    "shown",
    [
        f"<div>{BODY}</div><small>2024-05-06</small>",
        # The words are on the page, but far from the review.
        f"<h3>Warm tea</h3><p>{'other words ' * 200}</p><div>{BODY}</div><i>2024-05-06</i>",
        f"<h3>Lukewarm teapot</h3><div>{BODY}</div><small>2024-05-06</small>",
    ],
)
def test_a_title_that_is_not_seen_beside_the_text_is_null(row, shown):
    review = row(page(shown))
    assert (review.title, review.body) == ("", BODY)
    assert nulls_of(review) == ["title, json-ld alone"]


def test_a_text_that_data_alone_has_is_kept_and_said_to_be_so(row):
    review = row(page("<p>Reviews are loading</p>"))
    assert (review.title, review.published, review.body) == ("", "", BODY)
    assert nulls_of(review) == [
        "body kept, json-ld alone",
        "title, json-ld alone",
        "published, json-ld alone",
    ]


def test_no_name_of_a_person_is_kept(row):
    review = row(page(f"{SEEN}<small>Ada Byron · 2024-05-06</small>"))
    assert "Ada" not in repr(review)


def test_a_rule_reads_what_is_seen_and_needs_no_other_witness(shop, product_page):
    shop.page("/", product_page("1", ["a", "b"]))
    (page,) = shop.crawl().pages
    assert [one.doubts for one in page.extraction.reviews] == [(), ()]
