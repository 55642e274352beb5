"""A shop whose template changed: what its structure gives is used only where stored pages speak for it."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from kindling.scraping.allowance import Allowance
from kindling.scraping.asking import reviews_of
from kindling.scraping.quarantine import Trial, refusal
from kindling.scraping.snapshot import KeptPage, Snapshot, decoded, digests

SHOP = "http://shop.example"
PAGES = 6
WORDS = ("wobbles", "shines", "scratches", "holds", "smells", "pours", "fits", "drips")


def texts(page, count=4):
    return [
        f"This stool {WORDS[(page + number) % len(WORDS)]} after week {page} of use, number {number}."
        for number in range(count)
    ]


def changed_page(page, reviews):
    """A layout that no rule knows."""
    rows = "".join(
        f'<article class="bewertung"><span class="sterne" title="{1 + number % 5} von 5 Sternen">'
        f"{'★' * (1 + number % 5)}{'☆' * (4 - number % 5)}</span>"
        f'<span class="datum">1{number}.03.2024</span><p class="inhalt">{text}</p></article>'
        for number, text in enumerate(reviews)
    )
    return (
        f'<html lang="de"><head><title>Hocker {page}</title></head><body><h1>Hocker {page}</h1>'
        f'<div class="gesamt" title="4.2 von 5 Sternen"></div><section>{rows}</section></body></html>'
    )


def changed_shop(shop):
    links = "".join(
        f'<a class="product-link" href="/p/{n}">p</a>' for n in range(PAGES)
    )
    shop.page("/", links)
    for number in range(PAGES):
        shop.page(f"/p/{number}", changed_page(number, texts(number)))


def trusted_nights(shop, product_page, earlier_texts):
    """A snapshot of the pages as they were, in the layout that the mapping knows."""
    pages = {}
    for number in range(PAGES):
        url, uri = f"{SHOP}/p/{number}", f"memory://old-{number}"
        body = product_page(str(number), [f"{number}-{row}" for row in range(3)])
        for row, text in enumerate(earlier_texts(number)):
            body = body.replace(f"Text of {number}-{row}.", text)
        shop.stored[uri] = body.encode()
        page = KeptPage(
            url,
            uri,
            "0",
            200,
            "http",
            datetime(2026, 1, 1, tzinfo=UTC),
            "text/html",
            digests(earlier_texts(number)),
        )
        pages[url] = page
    shop.allowance = Allowance(None, Snapshot(pages))


def reviews(found):
    return [text for page in found.pages for text in reviews_of(page.extraction)]


def test_rules_that_find_what_the_addresses_had_are_used(shop, product_page):
    changed_shop(shop)
    trusted_nights(shop, product_page, lambda number: texts(number, 3))
    found = shop.crawl()
    assert found.learnt.rules is not None and not found.quarantined
    assert len(reviews(found)) == 4 * PAGES


def test_pages_that_were_forgotten_since_are_no_trial(shop, product_page):
    changed_shop(shop)
    trusted_nights(shop, product_page, lambda number: texts(number, 3))
    for number in range(2):
        del shop.stored[f"memory://old-{number}"]
    found = shop.crawl()
    assert found.learnt.rules is not None and not found.quarantined
    assert len(reviews(found)) == 4 * PAGES


def test_rules_that_find_other_texts_stay_in_quarantine(shop, product_page):
    changed_shop(shop)
    trusted_nights(
        shop,
        product_page,
        lambda number: [f"What was said of {number}: {n}" for n in range(3)],
    )
    found = shop.crawl()
    assert found.learnt.rules is not None
    assert "0 of the 18 reviews" in found.quarantined
    assert reviews(found) == []


def test_a_shop_that_was_never_read_has_no_quarantine(shop):
    changed_shop(shop)
    found = shop.crawl()
    assert not found.quarantined and len(reviews(found)) == 4 * PAGES


def test_rules_that_change_what_trusted_pages_gave_are_refused():
    harmed = [Trial(("a", "b"), ("a", "b", "menu"))] * 5
    assert "15 reviews, 10 of them as trusted" in refusal(harmed, [])
    assert refusal([Trial(("a", "b"), ("b", "a"))], []) == ""


@given(st.lists(st.lists(st.text("ab", max_size=2), max_size=4), max_size=6))
def test_reading_the_same_again_is_never_refused(pages):
    trials = [Trial(page, page) for page in pages]
    assert refusal(trials, trials) == ""


def test_a_snapshot_comes_back_as_it_was():
    page = KeptPage(
        f"{SHOP}/p/1",
        "memory://x",
        "0",
        200,
        "browser",
        datetime(2026, 1, 1, tzinfo=UTC),
        "text/html",
        ("text",),
    )
    left = Snapshot({page.url: page}, {}, frozenset({f"{SHOP}/p/2"}))
    assert decoded(left.encoded(), "here") == left
