"""Every layout tells the same reviews, whatever stands in them; the README is the contract held here."""

import json

import extruct
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from shop.reading import Catalogue
from shop.records import Manifest, Product, Review
from shop.web.layouts import LAYOUTS, layout_of
from shop.web.pages import Pages, sliced

IDS = {
    layout: next(f"p{n}" for n in range(100) if layout_of(f"p{n}") == layout)
    for layout in LAYOUTS
}
NASTY = [
    (
        'He said "no" & <script>alert(1)</script>',
        "</script><!-- --> &amp; it's 1 < 2 > 0 😍 \\u003c {{ 7*7 }}",
    ),
    ("", ""),
    ("Ümlaut 'quote'", "first line\n\nsecond  line"),
]
Row = tuple[str, str, str, int, str, str, str | None]


def _pages(product_id: str, texts: list[tuple[str, str]]) -> tuple[Pages, list[Review]]:
    reviews = [
        Review(
            f"r-{n}",
            product_id,
            title,
            body,
            n % 5 + 1,
            f"O'Neil <{n}>",
            f"2026-01-{n + 1:02d}",
            f"r-{n}.jpg" if n % 2 else None,
        )
        for n, (title, body) in enumerate(texts)
    ]
    product = Product(
        product_id,
        'The "Best" <mug>',
        "Cushions & throws",
        "Tallow <3> Co",
        9.9,
        "5 > 3",
        ("a.jpg", "b.jpg"),
    )
    manifest = Manifest("tiny", 1, "", "", "")
    return Pages(
        Catalogue(manifest, {product_id: product}, tuple(reviews), {}, {})
    ), reviews[::-1]


def _expected(reviews: list[Review]) -> list[Row]:
    return [
        (
            r.review_id,
            _squeezed(r.title),
            _squeezed(r.body),
            r.rating,
            r.author,
            r.date,
            f"/photos/{r.photo}" if r.photo else None,
        )
        for r in reviews
    ]


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _from_jsonld(html: str) -> list[Row]:
    product = next(
        one
        for one in extruct.extract(html, syntaxes=["json-ld"])["json-ld"]
        if one["@type"] == "Product"
    )
    assert product["@id"].endswith(product["sku"])
    rows = []
    for one in product["review"]:
        assert one["@id"] == f"/p/{product['sku']}#{one['identifier']}"
        rows.append(
            (
                one["identifier"],
                _squeezed(one.get("name", "")),
                _squeezed(one["reviewBody"]),
                one["reviewRating"]["ratingValue"],
                one["author"]["name"],
                one["datePublished"],
                one.get("image"),
            )
        )
    return rows


def _from_microdata(html: str) -> list[Row]:
    rows = []
    for one in LexborHTMLParser(html).css('article[itemprop="review"]'):
        props = {
            prop.attributes["itemprop"]: prop
            for prop in one.css("[itemprop]")
            if prop.attributes["itemprop"] != "name"
        }
        title = one.css_first('h3[itemprop="name"]')
        photo = props.get("image")
        assert one.attributes["itemid"].endswith("#" + one.attributes["id"])
        rows.append(
            (
                one.attributes["id"],
                _squeezed(title.text()) if title else "",
                _squeezed(props["reviewBody"].text()),
                int(props["ratingValue"].attributes["content"]),
                props["author"].text().strip(),
                props["datePublished"].attributes["datetime"],
                photo.attributes["src"] if photo else None,
            )
        )
    return rows


def _from_plain(html: str) -> list[Row]:
    rows = []
    for one in LexborHTMLParser(html).css("li.customer-review[data-review-id]"):
        title, photo = (
            one.css_first("h3.review-title"),
            one.css_first("img.review-photo"),
        )
        stars = one.css_first("div.review-stars").attributes
        rating = int(stars["class"].rsplit("stars-", 1)[1])
        assert stars["aria-label"] == f"Rated {rating} out of 5"
        rows.append(
            (
                one.attributes["data-review-id"],
                _squeezed(title.text()) if title else "",
                _squeezed(one.css_first("div.review-text").text()),
                rating,
                one.css_first("span.review-author").text(),
                one.css_first("time.review-date").attributes["datetime"],
                photo.attributes["src"] if photo else None,
            )
        )
    return rows


def _from_api(content: bytes) -> list[Row]:
    return [
        (
            r["review_id"],
            _squeezed(r["title"]),
            _squeezed(r["body"]),
            r["rating"],
            r["author"],
            r["date"],
            f"/photos/{r['photo']}" if r["photo"] else None,
        )
        for r in json.loads(content)["reviews"]
    ]


READERS = {"jsonld": _from_jsonld, "microdata": _from_microdata, "plain": _from_plain}


def _read(layout: str, pages: Pages, page: int = 1) -> list[Row]:
    if layout == "script":
        return _from_api(pages.reviews_json(IDS[layout], page))
    return READERS[layout](pages.product(IDS[layout], page).decode())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_tells_everything(layout: str) -> None:
    pages, reviews = _pages(IDS[layout], NASTY * 9)
    assert _read(layout, pages) + _read(layout, pages, 2) == _expected(reviews)
    assert pages.product(IDS[layout], 3) is None
    assert pages.product(IDS[layout], 0) is None


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_names_the_product_and_its_next_page(layout: str) -> None:
    pages, _ = _pages(IDS[layout], NASTY * 9)
    first, second = (
        LexborHTMLParser(pages.product(IDS[layout], page).decode()) for page in (1, 2)
    )
    assert first.css_first("html").attributes["data-layout"] == layout
    assert first.css_first("h1").text() == 'The "Best" <mug>'
    assert (
        first.css_first("nav.breadcrumbs a.crumb-category").text()
        == "Cushions & throws"
    )
    assert (
        first.css_first("a.crumb-category").attributes["href"] == "/c/cushions-throws"
    )
    assert [one.attributes["src"] for one in first.css("img.product-photo")] == [
        "/photos/a.jpg",
        "/photos/b.jpg",
    ]
    assert first.css_first("p.review-summary").text() == "2.9 out of 5 · 27 reviews"
    for selector in ('a[rel="next"]', 'link[rel="next"]'):
        assert (
            first.css_first(selector).attributes["href"] == f"/p/{IDS[layout]}?page=2"
        )
        assert second.css_first(selector) is None
    assert (
        first.css_first('a[href="/account/trap"]').attributes["hidden"] is None
    )  # present, without a value
    assert not [
        one
        for one in first.css("script")
        if "alert(1)" in one.text() and one.attributes.get("type") is None
    ]


def test_the_microdata_is_microdata() -> None:
    pages, _ = _pages(IDS["microdata"], NASTY)
    (item,) = extruct.extract(
        pages.product(IDS["microdata"], 1).decode(), syntaxes=["microdata"]
    )["microdata"]
    product = item["properties"]
    assert item["type"] == "https://schema.org/Product"
    assert (product["name"], product["category"]) == (
        'The "Best" <mug>',
        "Cushions & throws",
    )
    assert product["aggregateRating"]["properties"]["reviewCount"] == "3"
    assert [
        one["properties"]["reviewRating"]["properties"]["ratingValue"]
        for one in product["review"]
    ] == [
        "3",
        "2",
        "1",
    ]


def test_the_script_shell_holds_no_review() -> None:
    pages, reviews = _pages(
        IDS["script"], [("Unmistakable title", "unmistakable body")]
    )
    shell = pages.product(IDS["script"], 1).decode()
    for secret in (
        "nmistakable",
        reviews[0].review_id,
        reviews[0].author,
        reviews[0].date,
    ):
        assert secret not in shell
    assert f'data-source="/api/products/{IDS["script"]}/reviews?page=1"' in shell


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), max_size=40)


@given(
    texts=st.lists(st.tuples(TEXT, TEXT), max_size=3), layout=st.sampled_from(LAYOUTS)
)
@settings(max_examples=60, deadline=None)
def test_any_text_survives(texts: list[tuple[str, str]], layout: str) -> None:
    pages, reviews = _pages(IDS[layout], texts)
    assert _read(layout, pages) == _expected(reviews)


@given(rows=st.lists(st.integers(), max_size=70), size=st.integers(1, 25))
def test_pages_hold_every_row_once(rows: list[int], size: int) -> None:
    seen, page = [], 1
    while (shown := sliced(rows, page, size, "/x")) is not None:
        assert (shown.next_url is None) == (page == shown.pages)
        seen += shown.rows
        page += 1
    assert seen == rows and page > 1
