"""Reviews come apart into sentences that can stand elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.records import Review
from kindling.synthesis.sentences import fragments, split_sentences, words_of


def review(body: str, title: str = "") -> Review:
    return Review("r1", "p1", "Lamps", title, body, 4, "scraped")


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Good.  it works! really?", ["Good.", "it works!", "really?"]),
        ("About 5 lbs. in weight. Fine.", ["About 5 lbs. in weight.", "Fine."]),
        (
            "Cool for summer, esp. in July. Fine.",
            ["Cool for summer, esp. in July.", "Fine."],
        ),
        ('She said "no." I did not.', ['She said "no."', "I did not."]),
        ("no mark at all", ["no mark at all"]),
        ("", []),
    ],
)
def test_split(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


@given(
    st.lists(
        st.from_regex(r"[a-z]{2,6}( [a-z]{2,6}){0,4}[.!?]", fullmatch=True),
        min_size=1,
        max_size=6,
    )
)
def test_nothing_is_lost(sentences: list[str]) -> None:
    assert words_of(" ".join(split_sentences("  ".join(sentences)))) == words_of(
        " ".join(sentences)
    )


def test_positions_titles_and_clauses() -> None:
    found = fragments(
        [
            review(
                "It came on time. The shade is bright, but the switch is loose. I kept it.",
                "Fine lamp",
            )
        ]
    )
    assert [(one.text, one.position) for one in found if not one.clause] == [
        ("Fine lamp", "title"),
        ("It came on time.", "opening"),
        ("The shade is bright, but the switch is loose.", "middle"),
        ("I kept it.", "closing"),
    ]
    assert [one.text for one in found if one.clause] == [
        "The shade is bright",
        "the switch is loose.",
    ]


def test_a_last_sentence_that_was_cut_off_is_left_out() -> None:
    found = fragments(
        [review("It came on time. The switch is loose. I took it back to the sh")]
    )
    assert [(one.text, one.position) for one in found] == [
        ("It came on time.", "opening"),
        ("The switch is loose.", "middle"),
    ]


@pytest.mark.parametrize(
    "counted",
    ["I gave it 4 stars.", "Five-star lamp, truly!", "So only one star for it."],
)
def test_a_sentence_that_counts_stars_stands_beside_no_other_rating(
    counted: str,
) -> None:
    found = fragments([review(f"It came on time. {counted} It has a star pattern.")])
    assert [one.text for one in found] == ["It came on time.", "It has a star pattern."]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("they fit and I like them", "plural"),
        ("it fits me well", "singular"),
        ("it came with these", None),
        ("fits me very well", None),
    ],
)
def test_number(text: str, number: str | None) -> None:
    assert fragments([review(text)])[0].number == number


def test_apostrophes_belong_to_words() -> None:
    assert words_of("It’s the cat's toy, isn't it?") == (
        "it's",
        "the",
        "cat's",
        "toy",
        "isn't",
        "it",
    )
