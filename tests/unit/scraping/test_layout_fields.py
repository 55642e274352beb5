"""Each field of each layout, read from saved pages."""

import pytest

from kindling.scraping.extract import extract

SHOP = "http://shop.example"
LAYOUTS = {
    "jsonld": "json-ld",
    "microdata": "microdata",
    "plain": "css:bundled shop v1/plain",
    "script_drawn": "css:bundled shop v1/script",
}
FIRST = {
    "review_id": "r1",
    "title": "Pours well",
    "rating": 5.0,
    "author": "Ada",
    "published": "2026-03-01",
    "photo_url": f"{SHOP}/photos/r1.jpg",
}
SECOND = {
    "review_id": "r2",
    "title": "",
    "body": "Lid broke.",
    "rating": 1.0,
    "author": "Bo",
    "published": "2026-02-01",
    "photo_url": "",
}
PRODUCT = {
    "product_id": "teapot-01",
    "name": "Blue teapot",
    "category": "Teapots",
    "stated_reviews": 22,
    "stated_rating": 3.0,
    "photo_urls": (f"{SHOP}/photos/teapot-01-1.jpg",),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("field", FIRST)
def test_review_field(read, layout, field):
    first, second = read(layout).reviews
    assert getattr(first, field) == FIRST[field]
    assert getattr(second, field) == SECOND[field]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_review_body_has_the_words_of_the_page(read, layout):
    first, second = read(layout).reviews
    assert first.body.split() == [
        "Keeps",
        "tea",
        "hot",
        "&",
        "pours",
        "without",
        "a",
        "drip.",
    ]
    assert second.body == SECOND["body"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_extractor_says_which_rules(read, layout):
    assert {review.extractor for review in read(layout).reviews} == {LAYOUTS[layout]}


@pytest.mark.parametrize("layout", [*LAYOUTS, "script_shell"])
@pytest.mark.parametrize("field", PRODUCT)
def test_product_field(read, layout, field):
    assert getattr(read(layout).product, field) == PRODUCT[field]


@pytest.mark.parametrize("layout", [*LAYOUTS, "script_shell"])
def test_links_stay_on_the_shop(read, layout):
    links = read(layout).links
    assert links.next == f"{SHOP}/p/teapot-01?page=2"
    assert f"{SHOP}/account/trap" in links.others
    assert all(url.startswith(SHOP) for url in links.others)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_page_with_reviews_is_not_lossy(read, layout):
    assert not read(layout).lossy
    assert not read(layout).problems


def test_a_shell_shows_what_it_misses(read):
    shell = read("script_shell")
    assert shell.lossy
    assert set(shell.signs) == {"stated_count", "waiting_container", "noscript"}


def test_shell_and_drawn_page_are_one_layout_and_others_are_not(read):
    assert read("script_shell").layout != read("plain").layout
    assert read("microdata").layout != read("plain").layout


def test_no_reviews_yet_is_not_a_loss(saved, mapping):
    html = (
        saved("plain")
        .decode()
        .split("<ol>")[0]
        .replace("3.0 out of 5 · 22 reviews", "No reviews yet")
    )
    assert not extract(html.encode(), f"{SHOP}/p/x", mapping).lossy


@pytest.mark.parametrize("layout", ["jsonld", "microdata"])
def test_structured_and_visible_ratings_are_compared(read, saved, mapping, layout):
    agreed = read(layout)
    assert (agreed.checked, agreed.conflicts) == (4, ())
    lying = (
        saved(layout)
        .decode()
        .replace("★☆☆☆☆", "★★★★☆")
        .replace("3.0 out of 5 · 22", "4.9 out of 5 · 21")
    )
    conflicts = extract(lying.encode(), f"{SHOP}/p/teapot-01", mapping).conflicts
    assert len(conflicts) == 3
    assert "review r2" in conflicts[0]
