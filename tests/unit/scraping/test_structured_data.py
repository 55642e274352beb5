"""schema.org as sites really write it: graphs, references, damage, other scales."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.scraping.extract import extract
from kindling.scraping.mapping import load
from kindling.scraping.rating import stars

MAPPING = load("bundled_shop.yaml")
URL = "http://shop.example/p/kettle"


def page(*blocks: object, body: str = "") -> bytes:
    texts = [block if isinstance(block, str) else json.dumps(block) for block in blocks]
    scripts = "".join(
        f'<script type="application/ld+json">{text}</script>' for text in texts
    )
    return f"<html><head>{scripts}</head><body>{body}</body></html>".encode()


def test_graph_references_nested_lists_and_type_lists(read):
    found = read("graph")
    assert found.product.product_id == "K-9"
    assert found.product.category == "Kettles"
    assert found.product.photo_urls == ("http://shop.example/k.jpg",)
    assert found.product.stated_reviews == 1204
    by_id = {review.review_id: review for review in found.reviews}
    assert set(by_id) == {"rev-a", "b-77"}
    first, second = by_id["rev-a"], by_id["b-77"]
    assert (first.title, first.body, first.author) == (
        "Fast",
        "Boils in a minute.",
        "Cy",
    )
    assert stars(first.rating, first.best) == 5
    assert (second.author, second.rating, second.best) == ("Di", 2.0, 5.0)


def test_a_damaged_block_costs_only_itself(read):
    found = read("graph")
    assert len(found.reviews) == 2
    assert [
        problem for problem in found.problems if problem.startswith("json-ld block 1:")
    ]


def test_reviews_of_other_things_are_left_out(read):
    bodies = {review.body for review in read("graph").reviews}
    assert "About the toaster." not in bodies
    assert "Nice people." not in bodies


def test_a_review_without_a_type_under_review_is_one():
    found = extract(
        page(
            {
                "@type": "Product",
                "name": "x",
                "review": {"reviewBody": "fine", "reviewRating": 4},
            }
        ),
        URL,
        MAPPING,
    )
    assert [(one.body, one.rating) for one in found.reviews] == [("fine", 4.0)]


def test_product_split_over_two_nodes_is_one():
    found = extract(
        page(
            {
                "@type": "Product",
                "name": "Kettle",
                "sku": "k",
                "offers": {},
                "url": URL,
            },
            {
                "@type": "Product",
                "name": "Kettle",
                "review": [{"@type": "Review", "reviewBody": "ok", "reviewRating": 3}],
            },
        ),
        URL,
        MAPPING,
    )
    assert (found.product.product_id, len(found.reviews)) == ("k", 1)


def test_category_from_the_breadcrumb_without_home_and_product():
    trail = {
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"position": 3, "name": "Kettle"},
            {"position": 1, "name": "Home"},
            {"position": 2, "item": {"name": "Kitchen"}},
        ],
    }
    found = extract(
        page(trail, {"@type": "Product", "name": "Kettle", "sku": "k"}), URL, MAPPING
    )
    assert found.product.category == "Kitchen"


def test_blank_node_ids_are_no_review_ids():
    found = extract(
        page(
            {
                "@type": "Product",
                "name": "x",
                "review": {"@type": "Review", "@id": "_:b0", "reviewBody": "fine"},
            }
        ),
        URL,
        MAPPING,
    )
    assert found.reviews[0].review_id == ""


def test_css_rules_add_what_structured_data_leaves_out_and_nothing_twice():
    rows = "".join(
        f'<li class="customer-review" data-review-id="{one}"><div class="review-text">Text {one}</div></li>'
        for one in ("a", "b", "c")
    )
    ld = {
        "@type": "Product",
        "name": "x",
        "review": [{"@type": "Review", "identifier": "b", "reviewBody": "Text b"}],
    }
    found = extract(page(ld, body=rows), URL, MAPPING)
    assert sorted((one.review_id, one.method) for one in found.reviews) == [
        ("a", "css"),
        ("b", "json-ld"),
        ("c", "css"),
    ]


@pytest.mark.parametrize(
    "block",
    [
        "",
        "[" * 50_000,
        '{"a":' * 50_000,
        '{"@type":"Product"',
        "null",
        "3",
        "\ufeff{}",
        "{]}",
    ],
)
def test_no_block_raises(block):
    assert extract(page(block), URL, MAPPING).reviews == ()


def test_broken_address_in_microdata_is_a_problem_not_a_crash():
    html = '<div itemscope itemtype="https://schema.org/Product"><img itemprop="image" src="http://[x"></div>'
    found = extract(html.encode(), URL, MAPPING)
    assert found.problems[0].startswith("microdata:")


nodes = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "@type",
                    "@id",
                    "review",
                    "reviewRating",
                    "ratingValue",
                    "bestRating",
                    "name",
                    "image",
                    "author",
                    "reviewBody",
                    "itemReviewed",
                    "identifier",
                    "itemListElement",
                    "aggregateRating",
                    "category",
                ]
            ),
            inner | st.sampled_from(["Product", "Review", "BreadcrumbList", "#a"]),
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(nodes)
def test_no_node_shape_raises(node):
    found = extract(page(node), URL, MAPPING)
    assert not [one for one in found.reviews if not isinstance(one.body, str)]
