"""Matching is fair, and no fold lets a row meet the text that it was made from."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kindling.challenge.comparison import Comparison, fold, match
from kindling.records import sentiment_of


def world(real_products, sources):
    """Real row r<i> of product p<real_products[i]>; a synthetic row for each tuple of real row numbers."""
    count = len(real_products)
    return Comparison(
        (*(f"r{i}" for i in range(count)), *(f"syn-{i}" for i in range(len(sources)))),
        ("text",) * (count + len(sources)),
        np.arange(count + len(sources)) >= count,
        (
            *((f"p{product}",) for product in real_products),
            *(
                tuple(f"p{real_products[one]}" for one in made_from)
                for made_from in sources
            ),
        ),
        (
            *(() for _ in real_products),
            *(tuple(f"r{one}" for one in made_from) for made_from in sources),
        ),
        tuple(f"cell {row % 3}" for row in range(count + len(sources))),
    )


@st.composite
def worlds(draw):
    products = draw(st.lists(st.integers(0, 30), min_size=20, max_size=60))
    made_from = st.lists(st.integers(0, len(products) - 1), max_size=3).map(tuple)
    return world(products, draw(st.lists(made_from, min_size=15, max_size=40)))


@settings(max_examples=60, deadline=None)
@given(worlds(), st.integers(2, 5))
def test_every_row_is_tested_once_and_shares_no_text_with_its_training(
    comparison, folds
):
    plan = fold(comparison, folds, 0)
    tested = np.concatenate([test for _, test in plan.splits])
    assert sorted(tested) == list(range(len(comparison.texts)))
    for train, test in plan.splits:
        assert not set(train) & set(test)
        if plan.rule == "rows":
            continue
        sources = {one for row in test for one in comparison.sources[row]}
        assert not sources & {comparison.review_ids[row] for row in train}
        tested_ids = {comparison.review_ids[row] for row in test}
        assert not any(tested_ids & set(comparison.sources[row]) for row in train)
        if plan.rule == "components":
            products = [
                {one for row in rows for one in comparison.products[row]}
                for rows in (train, test)
            ]
            assert not products[0] & products[1]


@pytest.mark.parametrize(
    ("sources", "rule"),
    [
        ([(i,) for i in range(40)], "components"),
        ([(i, (i + 1) % 40) for i in range(40)], "first source"),
        ([(0, 1)] * 40, "rows"),
    ],
)
def test_the_rule_follows_how_much_the_sources_tie_together(sources, rule):
    products = [0] * 40 if rule == "rows" else list(range(40))
    assert fold(world(products, sources), 5, 0).rule == rule


def test_real_rows_are_matched_on_category_and_sentiment(reviews):
    real, synthetic = reviews(300, 1), reviews(30, 2, "syn-", categories=("Skirts",))
    intended = [sentiment_of(row.rating) for row in synthetic]
    chosen, outside = match(real, synthetic, intended, 3, np.random.default_rng(0))
    assert outside == 0 and {row.category for row in chosen} == {"Skirts"}
    assert Counter(sentiment_of(row.rating) for row in chosen) == {
        sentiment: 3 * count for sentiment, count in Counter(intended).items()
    }


def test_a_short_cell_is_filled_from_other_categories_up_to_equality(reviews):
    real = [*reviews(6, 1, "niche", categories=("Shorts",)), *reviews(300, 2)]
    synthetic = reviews(30, 3, "syn-", categories=("Shorts",))
    intended = [sentiment_of(row.rating) for row in synthetic]
    chosen, outside = match(real, synthetic, intended, 3, np.random.default_rng(0))
    assert len({row.review_id for row in chosen}) == len(chosen) == 30
    assert sum(row.category == "Shorts" for row in chosen) == 6
    assert outside == pytest.approx(24 / 30)
