"""What a changed template does to the figures of a run, and what chance does not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.scraping.health import Health, alarms

GOOD = Health(
    pages=40,
    reviews=300,
    found=300,
    filled={"body": 1.0, "title": 0.7, "published": 1.0},
    distinct=0.98,
    mean_rating=3.9,
    of_stated=1.0,
    damaged_pages=0.0,
    rejected=0.0,
)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"reviews": 0}, "no reviews"),
        ({"filled": {**GOOD.filled, "published": 0.5}}, "published"),
        ({"distinct": 0.1}, "distinct"),
        ({"mean_rating": 1.5}, "mean rating"),
        ({"of_stated": 0.6}, "stated"),
        ({"damaged_pages": 0.2}, "damaged"),
        ({"rejected": 0.3}, "usable"),
    ],
)
def test_what_got_worse_is_told(change, told):
    (alarm,) = alarms(replace(GOOD, **change), GOOD)
    assert told in alarm


def test_nothing_is_told_of_a_run_like_the_one_before():
    assert alarms(GOOD, GOOD) == []


@given(st.floats(0.45, 1.0))
def test_ten_reviews_prove_no_fall_of_a_share(share):
    few = replace(GOOD, found=5, reviews=5, filled={**GOOD.filled, "title": share})
    assert alarms(few, GOOD) == []
