"""What a shop calls a shelf is not what its customers call the product."""

import pytest

from kindling.records import Product, Review
from kindling.synthesis.vocabulary import learn


def reviews(text: str, count: int = 40) -> list[Review]:
    return [
        Review(f"r{n}", "p", "Dresses", "", f"{text} Number {n}.", 5, "scraped")
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("category", "said", "nouns"),
    [
        ("Outerwear", "I love this dress.", set()),
        ("Skirts", "I wore this skirt with this dress.", {"skirt"}),
        ("Shorts", "These shorts go with this dress.", {"shorts"}),
    ],
)
def test_a_shelf_without_reviews_is_named_as_reviews_anywhere_name_it(
    category: str, said: str, nouns: set[str]
) -> None:
    products = [Product("q", f"Style 104 {category.lower()}", category, "")]
    found = learn(reviews(said), products).nouns[category]
    assert {noun.word for noun in found} == nouns


def test_a_name_that_is_no_shelf_is_kept_though_nobody_has_said_it_yet() -> None:
    products = [Product("q", "Fine kettle", "Kitchen", "")]
    found = learn(reviews("I love this dress."), products).nouns["Kitchen"]
    assert {noun.word for noun in found} == {"kettle"}
