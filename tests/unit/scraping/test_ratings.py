"""Ratings as written, and the laws of their scale."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.scraping.rating import Rating, parse_rating, stars


@pytest.mark.parametrize(
    ("text", "value", "best"),
    [
        ("4/5", 4, 5),
        ("4,5 von 5 Sternen", 4.5, 5),
        ("Rated 2 out of 5", 2, 5),
        ("8,8/10 (9 reviews)", 8.8, 10),
        ("5つ星のうち4.0", 4, 5),
        ("80 %", 80, 100),
        ("★★★★☆", 4, 5),
        ("★★", 2, 5),
        ("4 ★", 4, None),
        ("4.8 (178)", 4.8, None),
        ("5 out of 3 reviews", 5, None),
        ("4.7", 4.7, None),
        (3, 3, None),
        (4.5, 4.5, None),
        ("-1", -1, None),
    ],
)
def test_reads(text, value, best):
    assert parse_rating(text) == Rating(value, best)


@pytest.mark.parametrize("text", ["", "no stars", None, True, "v1.2.3-x", "☆☆☆☆☆", {}])
def test_reads_nothing_where_there_is_nothing(text):
    assert parse_rating(text) is None


@pytest.mark.parametrize(
    ("value", "best", "worst", "expected"),
    [
        (4, None, None, 4),
        (4.5, None, None, 5),
        (10, 10, 1, 5),
        (1, 10, 1, 1),
        (20, 100, 0, 1),
        (80, 100, None, 4),
        (1, 3, 1, 1),
        (3, 3, 1, 5),
        (2, 3, None, 3),
        (1, 2, 1, 1),
        (0, None, None, None),
        (6, None, None, None),
        (-1, 5, 1, None),
        (11, 10, 1, None),
        (0, 3, 1, None),
        (math.inf, None, None, None),
        (3, math.inf, None, None),
        (3, 0, None, None),
        (3, -5, None, None),
        (1, 1, 1, None),
    ],
)
def test_scale(value, best, worst, expected):
    assert stars(value, best, worst) == expected


@given(st.integers(1, 5))
def test_whole_stars_stay_themselves(rating):
    for written in (
        str(rating),
        f"{rating}/5",
        f"{rating} out of 5",
        f"{rating},0 von 5",
        "★" * rating + "☆" * (5 - rating),
    ):
        found = parse_rating(written)
        assert stars(found.value, found.best) == rating


@given(st.floats(allow_nan=True), st.none() | st.floats(), st.none() | st.floats())
def test_stars_are_1_to_5_or_none(value, best, worst):
    assert stars(value, best, worst) in {None, 1, 2, 3, 4, 5}


@given(st.floats(0.5, 100), st.floats(0.5, 100), st.sampled_from([3, 5, 10, 100]))
def test_more_is_never_fewer_stars(one, other, best):
    low, high = stars(min(one, other), best), stars(max(one, other), best)
    assert low is None or high is None or low <= high


@given(st.text(max_size=40) | st.integers() | st.floats())
def test_nothing_raises(stated):
    found = parse_rating(stated)
    assert found is None or not math.isnan(found.value)
