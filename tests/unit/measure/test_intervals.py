"""Intervals hold the truth as often as they say, whatever the products' sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.measure.intervals import MIN_IN_EFFECT, Scale, in_effect, jackknife

EQUAL = np.full(10, 25)
UNEQUAL = np.array([1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 1, 2, 3, 5, 8, 12, 20, 30])
ALIKE_BUT_ONE = np.append(np.full(20, 10), 60)


def shares(rows: np.ndarray, seed: int, draws: int = 3000) -> tuple[np.ndarray, ...]:
    """Share of right answers [draws] and without each product; a product's skill is its own."""
    rng = np.random.default_rng(seed)
    skill = rng.beta(12, 3, (draws, len(rows)))
    right = rng.binomial(rows, skill)
    value = right.sum(1) / rows.sum()
    without = (right.sum(1, keepdims=True) - right) / (rows.sum() - rows)
    return value, without, np.broadcast_to(rows, skill.shape)


@pytest.mark.parametrize("rows", [EQUAL, UNEQUAL, ALIKE_BUT_ONE])
def test_a_95_percent_interval_holds_the_truth_in_95_percent(rows: np.ndarray) -> None:
    found = jackknife(*shares(rows, 0))
    assert 0.93 <= np.mean((found.low <= 0.8) & (0.8 <= found.high)) <= 0.98
    assert np.mean(found.low > 0.8) <= 0.04


def test_a_paired_difference_holds_the_truth_too() -> None:
    one, other = shares(UNEQUAL, 1), shares(UNEQUAL, 2)
    found = jackknife(one[0] - other[0], one[1] - other[1], one[2], Scale("difference"))
    assert 0.93 <= np.mean((found.low <= 0) & (0 <= found.high)) <= 0.98


def test_a_difference_of_the_detectable_size_is_seen_four_times_in_five() -> None:
    one, other = shares(np.full(40, 25), 3), shares(np.full(40, 25), 4)
    gap = jackknife(one[0] - other[0], one[1] - other[1], one[2], Scale("difference"))
    size = np.median(gap.detectable)
    moved = jackknife(
        one[0] - other[0] + size, one[1] - other[1] + size, one[2], Scale("difference")
    )
    assert 0.75 <= np.mean(moved.low > 0) <= 0.85


@given(st.lists(st.integers(1, 500), min_size=1, max_size=30))
def test_products_in_effect_lie_between_one_and_all(rows: list[int]) -> None:
    found = in_effect(np.array(rows))
    assert 1 - 1e-9 <= found <= len(rows) + 1e-9
    assert in_effect(np.array([*rows, 0])) == pytest.approx(found)
    assert in_effect(7 * np.array(rows)) == pytest.approx(found)


@given(
    st.lists(st.integers(1, 50), min_size=6, max_size=20),
    st.floats(0.5, 0.999),
    st.integers(0, 100),
)
def test_an_interval_surrounds_its_figure_within_its_range(
    rows: list[int], level: float, seed: int
) -> None:
    value, without, of_product = shares(np.array(rows), seed, draws=20)
    found = jackknife(value, without, of_product, level=level)
    assert (0 <= found.low).all() and (found.high <= 1).all()
    assert (found.low <= value).all() and (value <= found.high).all()
    if in_effect(np.array(rows)) < MIN_IN_EFFECT:
        assert (found.low == 0).all() and (found.high == 1).all()


def test_a_class_without_a_row_leaves_all_open() -> None:
    value, without, rows = shares(EQUAL, 0, draws=2)
    found = jackknife(value, without, rows, rarest=np.array([0, 9]))
    assert (found.low[0], found.high[0]) == (0, 1) and found.low[1] > 0.5
