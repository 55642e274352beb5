"""The stage against shops with nothing to give: the right error, and never a success on an empty page."""

import socket

import pytest

from kindling.errors import ConfigurationError, DataError, TransientError
from kindling.records import Page, Product, Review
from kindling.scraping.warc import read_one


def product(number: int, rating: int = 4) -> str:
    return (
        '<nav class="breadcrumbs"><a class="crumb-category" href="/c/mugs">Mugs</a></nav>'
        f'<section class="product" data-product-id="p{number}">'
        f'<h1 class="product-title">Cup {number}</h1></section>'
        f'<li class="customer-review" data-review-id="r{number}">'
        f'<div class="review-text">It holds tea {number}.</div>'
        f'<div class="review-stars" aria-label="Rated {rating} out of 5"></div></li>'
    )


def stocked(shop, count=4):
    links = "".join(
        f'<a class="product-link" href="/p/{number}">x</a>' for number in range(count)
    )
    shop.answers["/"] = (200, links)
    for number in range(count):
        shop.answers[f"/p/{number}"] = (200, product(number, 1 + number % 5))
    return shop.url


def test_a_stocked_shop_becomes_rows(scripted, scrape_from, tmp_path):
    outcome = scrape_from(stocked(scripted))
    by_type = {
        kind: [one for one in outcome.records if isinstance(one, kind)]
        for kind in (Page, Product, Review)
    }
    assert (outcome.rows_in, outcome.rows_out) == (4, 4)
    assert [review.rating for review in by_type[Review]] == [1, 2, 3, 4]
    assert {review.category for review in by_type[Review]} == {"Mugs"}
    assert len(by_type[Product]) == 4
    pages = {page.url: page for page in by_type[Page]}
    kept = pages[f"{scripted.url}/p/0"]
    file = tmp_path / kept.uri.split(f"{tmp_path}/")[1]
    assert read_one(file.read_bytes(), kept.uri).body.decode() == product(0, 1)
    review_page = next(one for one in by_type[Review] if one.review_id == "r0")
    assert (review_page.source_url, review_page.page_sha256) == (kept.url, kept.sha256)


def test_an_empty_shop_is_no_success(scripted, scrape_from):
    scripted.answers["/"] = (200, "<h1>Nothing here</h1>")
    with pytest.raises(DataError, match="0 reviews on 1 pages"):
        scrape_from(scripted.url)


def test_a_shop_without_a_start_page_is_no_success(scripted, scrape_from):
    with pytest.raises(DataError, match="http_error:404"):
        scrape_from(scripted.url)


def test_too_few_reviews_are_no_success(scripted, scrape_from):
    with pytest.raises(
        DataError, match="4 reviews after checks, the recipe wants at least 5"
    ):
        scrape_from(stocked(scripted), min_reviews=5)


def test_nobody_there_is_transient(scrape_from):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TransientError, match=str(port)):
        scrape_from(f"http://127.0.0.1:{port}")


def test_server_errors_everywhere_are_transient(scripted, scrape_from):
    scripted.answers["/robots.txt"] = scripted.answers["/"] = (503, "down")
    with pytest.raises(TransientError):
        scrape_from(scripted.url)


def test_server_errors_on_most_products_are_transient(scripted, scrape_from):
    url = stocked(scripted, 8)
    for number in (1, 2, 3):
        scripted.answers[f"/p/{number}"] = (500, "broken")
    with pytest.raises(TransientError, match="3 of 9 pages"):
        scrape_from(url)
    outcome = scrape_from(url, max_failed_share=0.9)
    assert sorted(one.reason for one in outcome.rejections) == ["http_error:500"] * 3


def test_a_row_that_fails_the_checks_is_quarantined(scripted, scrape_from):
    url = stocked(scripted)
    scripted.answers["/p/0"] = (200, product(0).replace("It holds tea 0.", "ok"))
    outcome = scrape_from(url)
    assert (outcome.rows_in, outcome.rows_out) == (4, 3)
    assert [(one.row_id, one.reason) for one in outcome.rejections] == [
        ("r0", "quality:body_too_short")
    ]


@pytest.mark.parametrize("chromium", [None, "/nonexistent/chromium"])
def test_without_a_browser_script_pages_are_not_reached(
    scripted, scrape_from, chromium
):
    url = stocked(scripted)
    scripted.answers["/p/0"] = (
        200,
        '<main id="product-app" data-product-id="s1"><p class="review-summary">4 out of 5 · 9 reviews</p>'
        '<section id="reviews-root" aria-busy="true"></section></main>',
    )
    outcome = scrape_from(url, chromium)
    assert outcome.figures["products_not_reached"] == 1
    assert [(one.row_id, one.reason) for one in outcome.rejections] == [
        (f"{url}/p/0", "browser_needed")
    ]
    assert outcome.rows_out == 3


def test_robots_txt_is_obeyed_and_its_delay_kept(scripted, scrape_from):
    url = stocked(scripted)
    scripted.answers["/robots.txt"] = (
        200,
        "User-agent: *\nCrawl-delay: 0.1\nDisallow: /p/1\n",
    )
    outcome = scrape_from(url)
    assert scripted.hits["/p/1"] == 0
    assert outcome.figures["robots_disallowed"] == 1
    assert outcome.figures["delay_seconds"] == 0.1
    assert outcome.figures["crawl_seconds"] >= 0.3


@pytest.mark.parametrize("url", ["", "ftp://shop", "http://u:p@127.0.0.1/"])
def test_an_address_that_is_none_is_named(scrape_from, url):
    with pytest.raises(ConfigurationError, match="KINDLING_SHOP_URL"):
        scrape_from(url)


def test_two_scrapes_give_the_same_rows(scripted, scrape_from):
    url = stocked(scripted, 12)
    one, other = (
        [
            row
            for row in scrape_from(url, concurrency=concurrency).records
            if not isinstance(row, Page)
        ]
        for concurrency in (1, 8)
    )
    assert one == other
