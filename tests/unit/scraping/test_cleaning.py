"""Cleaning keeps the words, loses the rest, and masks people's data."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.scraping.clean import luhn, mask_personal_data, normalise

fragments = st.lists(
    st.sampled_from(
        [
            "word",
            "&amp;",
            "&lt;",
            "b",
            "&gt;",
            "<br/>",
            "<p class=x>",
            "&#39;",
            "\u200b",
            "\x00",
            "\ud800",
            " ",
            "\n",
            "é",
            "e\u0301",
            "&",
            ";",
            "amp",
            "<",
            ">",
            "4111 1111 1111 1111",
            "a@b.example",
            "+1 415 555 2671",
            "-",
            ".",
            "5",
            "\u0301\u0316" * 4,
        ]
    ),
    max_size=14,
).map("".join)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("it&amp;#39;s", "it's"),
        ("AT&amp;T", "AT&T"),
        ("a<br />b", "a b"),
        ("I <3 it", "I <3 it"),
        ("Q&not this", "Q&not this"),
        ("a\r\n\t b\u00a0c", "a b c"),
        ("x\x00y\u200bz\ud800", "xyz"),
        ("e\u0301", "é"),
        ("👩\u200d🔧 ok", "👩\u200d🔧 ok"),
        ("1 < 2 > 0", "1 < 2 > 0"),
    ],
)
def test_normalise(raw, expected):
    assert normalise(raw) == expected


@given(fragments)
def test_normalising_twice_is_normalising_once(text):
    assert normalise(normalise(text)) == normalise(text)


@given(st.text())
def test_normal_text_can_be_stored_on_one_line(text):
    clean = normalise(text)
    clean.encode()
    assert "\x00" not in clean and "\n" not in clean and clean == clean.strip()
    assert unicodedata.is_normalized("NFC", clean)


@given(
    st.text(st.characters(categories=["Ll", "Lu", "Zs"], exclude_characters="\u00a0"))
)
def test_plain_words_stay(text):
    assert normalise(text).split() == unicodedata.normalize("NFC", text).split()


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mail jo.doe+x@mail.example.com now", "mail [email] now"),
        ("call +49 30 1234567", "call [phone]"),
        ("(415) 555-2671!", "[phone]!"),
        ("415-555-2671", "[phone]"),
        ("4155552671", "[phone]"),
        ("card 4111 1111 1111 1111.", "card [card]."),
        ("378282246310005", "[card]"),
    ],
)
def test_masks(text, masked):
    assert mask_personal_data(text).text == masked
    assert mask_personal_data(text).counts.total() == 1


@pytest.mark.parametrize(
    "text",
    [
        "my stats are 32-24.5-32 and 27 (27-35-116)",
        "33-25-37 (30 waist)",
        "sizes 0 2 4 6 8 10 12 14",
        "5'4\" 115 lbs, size 26-27 (5.4)",
        "$1,234.50 on 2026-03-01 10:30",
        "4111 1111 1111 1112",
        "model B07FW264WL",
        "at @home",
        "v 1.2.3.4",
        "100000000 stars",
    ],
)
def test_measures_prices_and_sizes_stay(text):
    assert mask_personal_data(text).text == text


@given(fragments)
def test_masking_twice_is_masking_once(text):
    once = mask_personal_data(normalise(text))
    again = mask_personal_data(once.text)
    assert (again.text, again.counts.total()) == (once.text, 0)


@given(st.integers(10**11, 10**17))
def test_luhn_accepts_exactly_one_check_digit(number):
    assert sum(luhn(f"{number}{digit}") for digit in range(10)) == 1


def test_hostile_length_is_read_in_time():
    for text in (
        "&amp;" * 200_000,
        "<b " * 200_000,
        "a." * 200_000,
        "a@" * 200_000,
        "1 " * 200_000,
        "\u0301\u0316" * 200_000,
    ):
        mask_personal_data(normalise(text))


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("C\u2019est tr\u00c3\u00a8s bon", "C\u2019est tr\u00e8s bon"),
        ("don\u00e2\u20ac\u2122t buy", "don\u2019t buy"),
        ("F\u00c3\u00bcr mich \u00e2\u20ac\u201c super", "F\u00fcr mich \u2013 super"),
        ("&Atilde;&copy;t&Atilde;&copy;", "\u00e9t\u00e9"),
        ("\u00c3\u0192\u00c2\u00a9 twice", "\u00e9 twice"),
        ("5\u00e2\u0080\u0099s", "5\u2019s"),
    ],
)
def test_double_encoded_text_is_undone(raw, read):
    assert normalise(raw) == read


WORDS = "caf\u00e9 f\u00fcr gr\u00f6\u00dfer se\u00f1ora tr\u00e8s na\u00efve \u00fcber Stra\u00dfe po\u010d\u00edta\u010d \u0434\u043e\u043c plain \u2014".split()


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8))
def test_a_sentence_comes_back_from_its_double_encoding(words):
    text = " ".join(words)
    assert normalise(text) == text
    assert normalise(text.encode().decode("latin-1")) == text


@pytest.mark.parametrize(
    "text",
    [
        "na\u00efve caf\u00e9",
        "S\u00e3o Paulo",
        "\u041f\u0440\u0438\u0432\u0435\u0442",
        "C\u0153ur \u00a1ol\u00e9!",
        "10\u00ba \u2013 \u00f3timo",
        "\u00c9\u00a2",
    ],
)
def test_what_could_have_been_meant_stays(text):
    assert normalise(text) == text
