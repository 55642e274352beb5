"""More shapes of structured data, encodings and markup that sites have, beside those of the bug reports."""

import json

import pytest

from kindling.scraping.extract import extract
from kindling.scraping.mapping import Mapping

URL = "https://shop.example/p/os1"
NO_RULES = Mapping(name="none", version=1)
BODY = "The stool wobbles on our kitchen floor but the wood is lovely."
OTHER = "Second one bought for the studio, still sturdy."
REVIEW = {
    "@type": "Review",
    "reviewBody": BODY,
    "reviewRating": {"@type": "Rating", "ratingValue": 4, "bestRating": 5},
}


def review(**changes: object) -> dict:
    return {**REVIEW, **changes}


def product(**changes: object) -> dict:
    return {"@type": "Product", "name": "Oak stool", "sku": "OS1", **changes}


def read(*blocks: object, kind: str = "application/ld+json", body: str = ""):
    scripts = "".join(
        f'<script type="{kind}">{one if isinstance(one, str) else json.dumps(one)}</script>'
        for one in blocks
    )
    html = f"<!doctype html><html><head>{scripts}</head><body>{body}</body></html>"
    return extract(html.encode(), URL, NO_RULES, "text/html; charset=utf-8")


def said(found) -> list[tuple]:
    return [(one.body, one.rating, one.best) for one in found.reviews]


ONE = [(BODY, 4.0, 5.0)]


@pytest.mark.parametrize(
    "kind",
    [
        "application/ld+json; charset=utf-8",
        "application/ld+json;charset=UTF-8",
        " Application/LD+JSON ",
    ],
)
def test_types_of_scripts(kind):
    assert said(read(product(review=REVIEW), kind=kind)) == ONE


@pytest.mark.parametrize(
    "subject",
    [
        {"@type": "Thing", "name": "Oak stool"},
        {"@type": "Thing", "name": "Something that the template says"},
        {"@type": "CreativeWork"},
        {"@type": "Product", "name": "Oak stool, red"},
        {"@type": "Product", "sku": "OS1"},
        {"@type": "product", "name": "Oak stool"},
        "Oak stool",
        {"@id": "#nothing"},
    ],
)
def test_a_subject_typed_otherwise_does_not_lose_the_products_reviews(subject):
    assert said(read(product(review=review(itemReviewed=subject)))) == ONE


@pytest.mark.parametrize(
    "subject",
    [
        {"@type": "Organization", "name": "The shop"},
        {"@type": "LocalBusiness", "name": "Oak stool"},
        {"@type": "Product", "name": "Toaster", "sku": "T9"},
    ],
)
def test_reviews_of_other_things_stay_out(subject):
    assert said(read(product(), review(itemReviewed=subject))) == []


@pytest.mark.parametrize(
    "block",
    [
        {
            "@type": "ProductGroup",
            "productGroupID": "G1",
            "name": "Oak stool",
            "review": REVIEW,
            "hasVariant": [product(name="Oak stool red"), product(sku="OS2")],
        },
        {
            "@graph": [
                {
                    "@type": "ProductGroup",
                    "@id": "#g",
                    "name": "Oak stool",
                    "hasVariant": [{"@id": "#v1"}, {"@id": "#v2"}],
                },
                product(**{"@id": "#v1", "name": "Red", "review": [REVIEW]}),
                product(**{"@id": "#v2", "name": "Blue", "sku": "OS2"}),
            ]
        },
        {
            "@graph": [
                product(**{"isVariantOf": {"@id": "#g"}, "review": [REVIEW]}),
                {"@type": "ProductGroup", "@id": "#g", "name": "Stools"},
            ]
        },
        product(model={"@type": "ProductModel", "name": "Stool 1", "review": REVIEW}),
    ],
)
def test_groups_and_variants_share_their_reviews(block):
    assert said(read(block)) == ONE


@pytest.mark.parametrize(
    "block",
    [
        json.dumps(product(review=REVIEW)) + ";",
        json.dumps(product(review=REVIEW)) + " ;\n;",
        "\ufeff" + json.dumps(product(review=REVIEW)),
        "<!--" + json.dumps(product(review=REVIEW)) + "-->",
        "/* a comment */ " + json.dumps(product(review=REVIEW)),
        json.dumps(product(review=REVIEW)).replace('"', "&#34;"),
        json.dumps(product(review=REVIEW))[:-1] + ",}",
        json.dumps(json.dumps(product(review=REVIEW))),
        json.dumps(product()) + "\n" + json.dumps(review()),
        json.dumps({"https://schema.org/name": "Oak stool", "@type": "https://schema.org/Product",
                    "https://schema.org/review": {"@type": "https://schema.org/Review",
                    "https://schema.org/reviewBody": BODY,
                    "https://schema.org/reviewRating": {"https://schema.org/ratingValue": 4,
                                                        "https://schema.org/bestRating": 5}}}),
        json.dumps({"@context": {"s": "http://schema.org/"}, "@type": "s:Product", "s:name": "x",
                    "s:review": [{"@type": "s:Review", "s:reviewBody": BODY,
                                  "s:reviewRating": {"s:ratingValue": "4", "s:bestRating": "5"}}]}),
    ],
)  # fmt: skip
def test_ways_to_write_a_block(block):
    assert said(read(block)) == ONE


@pytest.mark.parametrize(
    "kind",
    ["Book", "Movie", "VideoGame", "SoftwareApplication", "Vehicle", "Course", "Car"],
)
def test_subtypes_of_product(kind):
    block = {"@type": kind, "name": "Tides", "review": REVIEW}
    assert said(read(block)) == ONE


@pytest.mark.parametrize(
    "kind", ["UserReview", "CriticReview", ["Review", "Thing"], "schema:Review"]
)
def test_subtypes_of_review(kind):
    assert said(read(product(review=review(**{"@type": kind})))) == ONE


RDFA = (
    '<div vocab="http://schema.org/" typeof="Product"><h1 property="name">Oak stool</h1>'
    '<div property="review" typeof="Review"><span property="name">Good</span>'
    '<p property="reviewBody">{body}</p><span property="reviewRating" typeof="Rating">'
    '<span property="ratingValue">4</span> of <span property="bestRating">5</span></span></div></div>'
)


def test_rdfa_with_and_without_prefix():
    plain = RDFA.format(body=BODY)
    prefixed = (
        plain.replace(
            'vocab="http://schema.org/"', 'prefix="schema: http://schema.org/"'
        )
        .replace('property="', 'property="schema:')
        .replace('typeof="', 'typeof="schema:')
    )
    assert said(read(body=plain)) == said(read(body=prefixed)) == ONE


def test_the_same_reviews_in_two_syntaxes_are_counted_once():
    micro = (
        '<div itemscope itemtype="https://schema.org/Product"><span itemprop="name">Oak stool</span>'
        '<div itemprop="review" itemscope itemtype="https://schema.org/Review"><h3 itemprop="name">Wobbly</h3>'
        f'<p itemprop="reviewBody">{BODY}</p><div itemprop="reviewRating" itemscope '
        'itemtype="https://schema.org/Rating"><meta itemprop="ratingValue" content="4">'
        '<meta itemprop="bestRating" content="5"></div></div></div>'
    )
    assert said(read(product(review=REVIEW), body=micro)) == ONE
    assert said(read(body=micro)) == ONE


def test_two_buyers_with_the_same_words_are_two_reviews():
    twice = [review(author="A"), review(author="B")]
    assert len(read(product(review=twice)).reviews) == 2


NEXT = {
    "props": {
        "pageProps": {
            "product": {"id": 7, "title": "Oak stool", "description": "A stool. Rating tells.", "rating": 4.4},
            "reviews": {
                "total": 2,
                "items": [
                    {"id": "a1", "text": BODY, "rating": 4, "createdAt": "2024-01-02"},
                    {"id": "a2", "text": OTHER, "rating": 5, "createdAt": "2024-01-03"},
                ],
            },
        }
    }
}  # fmt: skip


@pytest.mark.parametrize(
    "script",
    [
        f'<script id="__NEXT_DATA__" type="application/json">{json.dumps(NEXT)}</script>',
        f"<script>window.__INITIAL_STATE__ = {json.dumps(NEXT)};</script>",
        f'<script>window["__PRELOADED_STATE__"]={json.dumps(NEXT)}</script>',
    ],
)
def test_data_that_a_pages_scripts_start_from(script):
    found = read(body=f"<h1>Oak stool</h1>{script}")
    assert said(found) == [(BODY, 4.0, 5.0), (OTHER, 5.0, 5.0)]
    assert [one.review_id for one in found.reviews] == ["a1", "a2"]
    assert found.product.name == "Oak stool"


def test_embedded_scales_are_told_or_left_out():
    def rated(*values: float) -> str:
        rows = [{"body": f"{BODY} {one}", "rating": one} for one in values]
        return (
            f'<script type="application/json">{json.dumps({"reviews": rows})}</script>'
        )

    assert [one.best for one in read(body=rated(4, 9)).reviews] == [10.0, 10.0]
    assert [one.best for one in read(body=rated(40, 90)).reviews] == [100.0, 100.0]
    assert read(body=rated(40, 900)).reviews == ()


CYRILLIC = "Стул крепкий, но царапает пол, а ножки разной длины и шатаются"


@pytest.mark.parametrize(
    ("encoding", "head"),
    [
        ("cp1251", ""),
        ("cp1251", "<!--" + "x" * 6000 + '--><meta charset="windows-1251">'),
        ("cp1251", '<meta charset="windows–1251">'),
        ("utf-8", '<meta charset="windows-1252">'),
    ],
)
def test_texts_in_undeclared_or_misdeclared_encodings(encoding, head):
    micro = (
        '<div itemscope itemtype="https://schema.org/Product"><span itemprop="name">N</span><div itemprop="review" '
        'itemscope itemtype="https://schema.org/Review"><p itemprop="reviewBody">TEXT</p></div></div>'
    )
    html = f"<html><head>{head}</head><body>{micro}</body></html>".encode()
    html = html.replace(b"TEXT", CYRILLIC.encode(encoding))
    found = extract(html, URL, NO_RULES, "text/html")
    assert [one.body for one in found.reviews] == [CYRILLIC]


def test_bytes_in_no_encoding_are_a_problem_on_record():
    html = b'<html><head><meta charset="utf-8"></head><body>\xff\x81\xfe\x8d abc</body></html>'
    found = extract(html, URL, NO_RULES, "text/html; charset=utf-8")
    assert not found.problems or "encoding" in found.problems[0]


@pytest.mark.parametrize(
    "markup",
    [
        "<i>" * 600,
        "<p><b class=x>" * 300,
        "<script>" + '"<div><span>"' * 600 + "</script>",
        "<!--" + "<div>" * 600 + "-->",
        "<textarea>" + "<div>" * 600 + "</textarea>",
    ],
)
def test_markup_that_does_not_nest_does_not_refuse_a_page(markup):
    assert said(read(product(review=REVIEW), body=markup)) == ONE


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('src="data:image/gif;base64,R0" data-src="/a.jpg"', "/a.jpg"),
        ('src="/img/placeholder.png" data-lazy-src="/a.jpg"', "/a.jpg"),
        ('data-original="/a.jpg"', "/a.jpg"),
        ('srcset="/a-300.jpg 300w, /a.jpg 900w" src="data:,x"', "/a.jpg"),
        ('src="/a.jpg" data-src="/b.jpg"', "/a.jpg"),
    ],
)
def test_lazy_pictures(attributes, expected):
    micro = f'<div itemscope itemtype="https://schema.org/Product"><img itemprop="image" {attributes}></div>'
    assert read(body=micro).photos == (f"https://shop.example{expected}",)
