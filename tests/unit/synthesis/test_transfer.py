"""Words for products are learned, and a sentence changes category only where it stays true to grammar."""

import pytest

from kindling.records import Product, Review
from kindling.synthesis.sentences import Fragment, words_of
from kindling.synthesis.transfer import Transfer, rename
from kindling.synthesis.vocabulary import Noun, Vocabulary, learn

LAMP = Noun("lamp", "singular", 9)


def fragment(text: str, category: str, position: str = "middle") -> Fragment:
    return Fragment(text, "x", category, 5, position, words_of(text))


@pytest.fixture(scope="module")
def vocabulary(corpus: list[Review], products: list[Product]) -> Vocabulary:
    return learn(corpus, products)


def test_nouns_are_found_with_their_number(vocabulary: Vocabulary) -> None:
    assert {
        category: [noun.word for noun in nouns]
        for category, nouns in vocabulary.nouns.items()
    } == {
        "Teapots": ["teapot"],
        "Lamps": ["lamp"],
        "Clocks": ["clock"],
        "Mirrors": ["mirror"],
    }
    assert {noun.number for nouns in vocabulary.nouns.values() for noun in nouns} == {
        "singular"
    }
    rows = [
        Review(
            f"s{n}",
            "p",
            "Shorts",
            "",
            "These shorts fit. I love these shorts.",
            5,
            "scraped",
        )
        for n in range(30)
    ]
    tops = [
        Review(
            f"t{n}", "p", "Tops", "", "This top fits. I love this top.", 5, "scraped"
        )
        for n in range(30)
    ]
    assert learn(rows + tops, []).nouns["Shorts"] == (Noun("shorts", "plural", 30),)


def test_a_category_without_reviews_is_known_by_its_products(
    corpus: list[Review], products: list[Product]
) -> None:
    others = [row for row in corpus if row.category != "Teapots"]
    assert [noun.word for noun in learn(others, products).nouns["Teapots"]] == [
        "teapot"
    ]


def test_what_is_at_home_in_one_category(vocabulary: Vocabulary) -> None:
    assert vocabulary.home["pendulum"] == {"Clocks"}
    assert "colour" not in vocabulary.home
    assert not vocabulary.fits(["the", "pendulum"], "Teapots")
    assert vocabulary.fits(["the", "pendulum"], "Clocks")
    assert vocabulary.fits(["the", "spout"], "Teapots")


@pytest.mark.parametrize(
    ("text", "category", "renamed"),
    [
        ("I love this lamp because it is lovely.", "Lamps", {"lamp"}),
        ("The colour is lovely.", "Lamps", set()),
        ("The bulb works well.", "Lamps", None),  # What teapots do not have.
        ("I put lamp oil into it.", "Lamps", None),  # No noun phrase of its own.
        (
            "All my lamps are like this.",
            "Lamps",
            None,
        ),  # A form that would not be renamed.
        ("This lamp beats that clock.", "Lamps", None),  # Two things.
        (
            "Nobody likes this clock because it is ugly.",
            "Lamps",
            {"clock"},
        ),  # Filed under the wrong category.
        ("This teapot pours.", "Teapots", {"teapot"}),
    ],
)
def test_what_becomes_of_a_sentence(
    text: str, category: str, renamed: set[str] | None, vocabulary: Vocabulary
) -> None:
    assert Transfer(vocabulary, "Teapots").renamed(fragment(text, category)) == renamed


def test_titles_are_renamed_as_strictly(vocabulary: Vocabulary) -> None:
    assert (
        Transfer(vocabulary, "Teapots").renamed(
            fragment("Mirror of my dreams", "Lamps", "title")
        )
        is None
    )


@pytest.mark.parametrize(
    ("text", "noun", "result"),
    [
        ("This clock is a CLOCK. Clock!", LAMP, "This lamp is a LAMP. Lamp!"),
        ("It is a clock", Noun("urn", "singular", 1), "It is an urn"),
        ("An  clock", LAMP, "A  lamp"),
        ("clockwork stays", LAMP, "clockwork stays"),
    ],
)
def test_rename(text: str, noun: Noun, result: str) -> None:
    assert rename(text, frozenset({"clock"}), noun) == result
