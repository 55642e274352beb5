"""Shops without structured data and without a rule: what their structure alone gives, and when it gives nothing."""

import pytest

from kindling.scraping.extract import extract
from kindling.scraping.mapping import Mapping
from kindling.scraping.reading import SavedPage, learn_from, read_together
from kindling.scraping.rows import join

SHOP = "https://shop.example"
NO_RULES = Mapping(name="none", version=1)

TEXTS = [
    "The stool wobbles on our kitchen floor but the wood is lovely.",
    "Second one bought for the studio, still sturdy after a year.",
    "Arrived scratched, the seller sent another within a week.",
    "Too low for our table, the children like it all the same.",
    "Oil finish came off with the first wet cloth, a pity.",
    "Holds my weight without a sound, would take it again.",
    "Legs of different length, no screws in the box.",
    "Honest wood, clean joints, smells of linseed for a day.",
]


def reviews_of(page: int, count: int = 4) -> list[tuple[str, int, str]]:
    return [
        (
            f"{TEXTS[(page * 3 + number) % len(TEXTS)]} No. {page}-{number}.",
            1 + (page + 2 * number) % 5,
            f"2024-0{1 + number}-1{page}",
        )
        for number in range(count)
    ]


def woocommerce(page: int, number: int, text: str, stars: int, day: str) -> str:
    """The markup of the most used shop system, as its manual shows it."""
    return (
        f'<li class="review byuser even thread-even depth-1" id="li-comment-{page}{number}">'
        f'<div id="comment-{page}{number}" class="comment_container"><img class="avatar" src="/a.png">'
        f'<div class="comment-text"><div class="star-rating" role="img" aria-label="Rated {stars} out of 5">'
        f'<span style="width:{stars * 20}%">Rated <strong class="rating">{stars}</strong> out of 5</span></div>'
        f'<p class="meta"><strong class="woocommerce-review__author">Jo</strong> '
        f'<time class="woocommerce-review__published-date" datetime="{day}T10:00:00+00:00">then</time></p>'
        f'<div class="description"><p>{text}</p></div></div></div></li>'
    )


def german(page: int, number: int, text: str, stars: int, day: str) -> str:
    year, month, dom = day.split("-")
    return (
        f'<article class="bewertung"><h4 class="bewertung-titel">Titel {page} {number}</h4>'
        f'<span class="sterne" title="{stars} von 5 Sternen">{"★" * stars}{"☆" * (5 - stars)}</span>'
        f'<span class="datum">{dom}.{month}.{year}</span><p class="inhalt">{text}</p></article>'
    )


def icons(page: int, number: int, text: str, stars: int, day: str) -> str:
    drawn = "".join(
        f'<i class="icon-star {"full" if one < stars else "empty"}"></i>'
        for one in range(5)
    )
    return (
        f'<div class="opinion-item" data-opinion-id="o{page}{number}"><div class="opinion-stars">{drawn}</div>'
        f'<div class="opinion-date">{day}</div><div class="opinion-text">{text}</div></div>'
    )


LAYOUTS = {"woocommerce": woocommerce, "german": german, "icons": icons}
CARDS = "".join(
    f'<div class="product-card"><a href="/p/{one}"><img src="/{one}.jpg"><span class="name">A fine stool of oak, '
    f'number {one}, with three legs</span></a><div class="stars" title="4.{one} out of 5"></div>'
    f'<span class="price">$ {one}9.00</span></div>'
    for one in range(6)
)


def saved(layout: str, page: int, count: int = 4) -> SavedPage:
    items = "".join(
        LAYOUTS[layout](page, number, *one)
        for number, one in enumerate(reviews_of(page, count))
    )
    html = (
        f"<!doctype html><html lang=de><body><h1>Stool {page}</h1>"
        f'<div class="summary" title="4.2 out of 5"></div><ol class="list">{items}</ol>{CARDS}</body></html>'
    )
    return SavedPage(f"{page}", f"{SHOP}/p/stool-{page}", html.encode())


def said(extraction) -> list[tuple]:
    return [(one.body, one.rating / (one.best or 5) * 5) for one in extraction.reviews]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_reviews_of_any_shop_are_found_with_text_stars_and_date(layout):
    pages = [saved(layout, page) for page in range(3)]
    for number, (_, found) in enumerate(read_together(pages, NO_RULES)):
        expected = reviews_of(number)
        assert said(found) == [(text, stars) for text, stars, _ in expected]
        assert {one.method for one in found.reviews} == {"induced"}
        assert [one.published[:10] for one in found.reviews] or layout == "german"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_page_is_not_enough(layout):
    verdict = learn_from([saved(layout, 1)], NO_RULES)
    assert verdict.rules is None
    assert "pages" in verdict.why


def test_cards_of_products_are_no_reviews():
    html = f"<html><body>{CARDS}</body></html>".encode()
    pages = [SavedPage(f"{one}", f"{SHOP}/c/{one}", html) for one in range(4)]
    assert learn_from(pages, NO_RULES).rules is None


def test_the_same_words_on_every_page_are_no_reviews():
    pages = [
        SavedPage(f"{one}", f"{SHOP}/p/{one}", saved("woocommerce", 1).body)
        for one in range(4)
    ]
    verdict = learn_from(pages, NO_RULES)
    assert verdict.rules is None
    assert "unique" in verdict.why or "differs" in verdict.why


def test_rules_that_contradict_structured_data_are_refused():
    pages = [saved("icons", page) for page in range(2)]
    other = (
        '<script type="application/ld+json">{"@type":"Product","name":"Stool","review":['
        '{"@type":"Review","reviewBody":"Something else altogether.","reviewRating":{"ratingValue":2}}]}</script>'
    )
    contradicting = [
        SavedPage(page.name, page.url, page.body + other.encode())
        for page in (saved("icons", page) for page in range(3, 6))
    ]
    verdict = learn_from([*pages, *contradicting], NO_RULES)
    assert verdict.rules is None
    assert "agreeing" in verdict.why


def test_a_rating_whose_witnesses_disagree_is_null():
    pages = [saved("woocommerce", page) for page in range(3)]
    torn = pages[0].body.replace(b'style="width:20%"', b'style="width:100%"')
    assert torn != pages[0].body
    rules = learn_from(pages, NO_RULES).rules
    mapping = NO_RULES.model_copy(update={"reviews": (rules,)})
    found = extract(torn, pages[0].url, mapping)
    missing = [one.body for one in found.reviews if one.rating is None]
    assert missing == [text for text, stars, _ in reviews_of(0) if stars == 1]


def test_a_crawl_without_any_rule_reaches_and_reads_the_shop(shop):
    shop.mapping = NO_RULES
    links = "".join(
        f'<div class="card"><a href="/stool-{page}.html"><img src="/s.jpg">Stool</a>'
        f"<span>12,00 €</span></div>"
        for page in range(4)
    )
    shop.page("/", '<nav><a href="/stools">Stools</a><a href="/cart">Cart</a></nav>')
    shop.page("/stools", links + '<a class="next" href="/stools?page=2">›</a>')
    more = links.replace("stool-", "bench-")
    shop.page("/stools?page=2", more)
    for page in range(4):
        shop.page(f"/stool-{page}.html", saved("woocommerce", page).body)
        shop.page(f"/bench-{page}.html", saved("woocommerce", page + 4, 2).body)
    found = shop.crawl()
    assert found.learnt is not None and found.learnt.rules is not None
    rows = join(found.pages, {})
    assert len(rows.reviews) == 4 * 4 + 4 * 2
    assert "/cart" not in shop.asked
    # Read again from the store, not asked for again.
    assert len(shop.asked) == len(set(shop.asked))
