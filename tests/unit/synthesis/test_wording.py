"""Rewrites, styles and the measure of copying."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.measure.copying import five_grams as grams
from kindling.records import Review
from kindling.synthesis.copying import GramIndex
from kindling.synthesis.rewrites import rewrite
from kindling.synthesis.sentences import words_of
from kindling.synthesis.style import finish, length_limit, style_of, styles_for

SOME_WORDS = st.lists(
    st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"]),
    min_size=1,
    max_size=30,
).map(" ".join)


def review(
    body: str, category: str = "Lamps", rating: int = 5, review_id: str = "r"
) -> Review:
    return Review(review_id, "p", category, "", body, rating, "scraped")


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("I do not like it.", "I don't like it."),
        ("It is very soft and warm.", "It's very warm and soft."),
        ("Unfortunately, the lid broke.", "the lid broke unfortunately."),
        ("The lid broke, sadly.", "sadly, the lid broke."),
        ("I am what I am.", "I'm what I am."),
        ("That is what it is.", "That is what it is."),
        ("It needs a bit of care.", "It needs a bit of care."),
        ("They've purchased two.", "They've bought two."),
    ],
)
def test_rewrites(text: str, rewritten: str) -> None:
    assert rewrite(text, np.random.default_rng(0), rate=1.0) == rewritten
    assert rewrite(text, np.random.default_rng(0), rate=0.0) == text


def test_style_is_that_of_the_review() -> None:
    plain = style_of(review("Good lamp.  it works.  i like it!"))
    assert (
        plain.sentences,
        plain.lower,
        plain.lower_first,
        plain.joint,
        plain.closed,
    ) == ((2, 2, 3), True, False, "  ", True)
    assert plain.exclaimed == pytest.approx(1 / 3)
    cut = style_of(review("Good lamp. It works. And then the sho"), limit=37)
    assert cut.cut_off and not cut.closed and not cut.lower
    assert not style_of(review("Good lamp. It works. And then the sho")).cut_off


def test_a_length_limit_is_what_many_run_into() -> None:
    free = [review("a" * n) for n in range(100, 400)]
    assert length_limit(free) == math.inf
    assert (
        length_limit([*free, *(review("b" * n) for n in (497, 499, 500, 500))]) == 500
    )


def test_finish_follows_the_style() -> None:
    rng = np.random.default_rng(0)
    sentences = ["The lid is tight,", "I like XL ones.", "Good"]
    assert (
        finish(sentences, style_of(review("a b.  c d.  e f.")), rng)
        == "the lid is tight.  I like XL ones.  good."
    )
    assert finish(sentences, style_of(review("A b. C d. E f")), rng).startswith(
        "The lid is tight. I like XL ones."
    )
    cut = style_of(review("A bcd. Efg hij. Klm nop qr"), limit=26)
    assert (
        finish(["One two three four.", "Five six seven eight."], cut, rng)
        == "One two three four. Five s"
    )


def test_styles_come_from_the_nearest_that_is_large_enough() -> None:
    rows = (
        [review("a.", "Lamps", 5, f"a{n}") for n in range(10)]
        + [review("b. b.", "Lamps", 1)]
        + [review("c. c. c.", "Pots", 1, f"c{n}") for n in range(10)]
    )
    assert {len(s.sentences) for s in styles_for(rows, "Lamps", "positive")} == {1}
    assert {len(s.sentences) for s in styles_for(rows, "Lamps", "negative")} == {1, 2}
    assert {len(s.sentences) for s in styles_for(rows, "Vases", "negative")} == {2, 3}
    assert len(styles_for(rows, "Vases", "neutral")) == len(rows)


@given(SOME_WORDS, SOME_WORDS)
def test_copying_is_the_share_of_grams(text: str, other: str) -> None:
    index = GramIndex([("other", other)])
    expected = len(grams(text) & grams(other)) / len(grams(text))
    assert index.copied(text) == ((expected, "other") if expected else (0.0, ""))
    assert GramIndex([("same", text.upper() + "!")]).copied(text) == (1.0, "same")


def test_copying_counts_one_source_at_a_time() -> None:
    a, b = (
        "one two three four five six seven",
        "eight nine ten eleven twelve thirteen fourteen",
    )
    rate, source = GramIndex([("a", a), ("b", b)]).copied(f"{a} {b}")
    assert (rate, source) == (3 / len(grams(f"{a} {b}")), "a")
    assert words_of(a) and GramIndex().copied("") == (0.0, "")
