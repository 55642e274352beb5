"""How texts are typed, measured and said."""

import pytest

from kindling.synthesis.style_profile import common_manners, manner_of, profile_of

TIDY = ["I like this cup. It is well made.", "The bowl is too small, so I returned it."]


def test_equal_texts_are_no_distance_apart_and_unlike_ones_are() -> None:
    tidy = profile_of(TIDY)
    loud = profile_of(["LOVE it!!! sooo good 😍", "dont buy.it broke!!"])
    assert tidy.distance(profile_of(list(reversed(TIDY)))) == 0
    apart = tidy.distances(loud)
    assert apart["exclamations"] == apart["slips_a_word"] == 1
    assert apart["emoji"] == 0.5
    assert tidy.means["exclamations"] == 0


@pytest.mark.parametrize(
    ("text", "manner"),
    [
        ("I like this cup. It is well made.", "plain, correctly typed"),
        ("love it!! it is the best", "all lower case, several exclamation marks"),
        ("i dont like it, it broke", "all lower case, a few typing slips"),
        ("It is a fine cup, I think ❤", "an emoji"),
    ],
)
def test_a_manner_is_said_in_words(text: str, manner: str) -> None:
    assert manner_of(text) == manner


def test_manners_are_as_frequent_as_people_have_them() -> None:
    shares = common_manners([*TIDY, "love it!! it is the best", TIDY[0]])
    assert shares == {
        "plain, correctly typed": 0.75,
        "all lower case, several exclamation marks": 0.25,
    }


def test_nothing_has_no_profile() -> None:
    with pytest.raises(ValueError, match="no text"):
        profile_of([])
