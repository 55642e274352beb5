"""CSS mappings: what they may say, and how their fields are read."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from kindling.errors import ConfigurationError
from kindling.scraping.mapping import Mapping, ReviewRules, Rule, load
from kindling.scraping.rules import reviews, shown_text, value_of


def node(html: str):
    return LexborHTMLParser(f"<div id=it>{html}</div>").css_first("#it")


@pytest.mark.parametrize("name", ["bundled_shop.yaml", "public_shops.yaml"])
def test_shipped_mappings_load(name):
    assert load(name).version >= 1


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (
            "name: x\nversion: 1\nreviews:\n- {name: a, item: 'li[', body: {}, rating: {}}\n",
            "reviews.0.item",
        ),
        (
            "name: x\nversion: 1\nproducts:\n- {item: li, product_id: {regex: '('}}\n",
            "products.0.product_id.regex",
        ),
        (
            "name: x\nversion: 1\nproducts:\n- {item: li, product_id: {regex: 'a'}}\n",
            "products.0.product_id.regex",
        ),
        ("name: x\n", "version"),
        ("name: x\nversion: 1\nextra: 1\n", "extra"),
        ("- a\n", "whole file"),
        ("a: [\n", "not valid YAML"),
    ],
)
def test_a_broken_mapping_is_named_with_its_key(tmp_path, content, named):
    path = tmp_path / "m.yaml"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"m\.yaml") as caught:
        load(str(path))
    assert named in str(caught.value)


def test_a_missing_mapping_is_named():
    with pytest.raises(ConfigurationError, match="nowhere.yaml"):
        load("nowhere.yaml")


def test_markup_inside_a_word_does_not_split_it_and_breaks_do():
    assert (
        shown_text(
            node(
                "<b>h</b>ot<br>tea<p>milk</p>x<script>no</script><style>no</style><!-- no -->"
            )
        )
        == "hot tea milk x"
    )


def test_selectors_are_tried_in_order():
    rule = Rule(css=["span.inner", "span"])
    assert (
        value_of(node("<span>outer <span class=inner>inner</span></span>"), rule)
        == "inner"
    )
    assert value_of(node("<span>only</span>"), rule) == "only"


def test_regex_and_attr():
    assert (
        value_of(
            node('<i data-n="stars-4"></i>'),
            Rule(css="i", attr="data-n", regex=r"stars-(\d)"),
        )
        == "4"
    )
    assert value_of(node("<i>none</i>"), Rule(css="i", regex=r"(\d)")) == ""
    assert value_of(node("<i></i>"), Rule(css="b")) == ""
    assert value_of(node("x"), None) == ""


@pytest.mark.parametrize("later", ["li", "li .card", "ul"])
def test_what_one_layout_has_read_no_later_one_reads_again(later):
    text, stars = Rule(css=".text"), Rule(css=".stars")
    own = ReviewRules(name="own", item="li.review", body=text, rating=stars)
    other = ReviewRules(name="induced", item=later, body=text, rating=stars)
    mapping = Mapping(name="two", version=1, reviews=(own, other))
    review = (
        '<div class="card"><p class="text">Words of {}</p><i class="stars">4</i></div>'
    )
    tree = LexborHTMLParser(
        f'<ul><li class="review">{review.format(1)}</li>'
        f'<li class="review">{review.format(2)}</li></ul>'
    )
    found = reviews(tree, mapping, "https://shop.example/p/1")
    assert [one.body for one in found] == ["Words of 1", "Words of 2"]
