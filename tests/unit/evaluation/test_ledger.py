"""Nights at one set of golden rows: equal models pass, sinking ones do not, alarms are few."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.evaluation.ledger import (
    BUDGET,
    FIRST,
    LATEST,
    SEALED,
    Look,
    rule,
    sealed_rows,
    spent,
    tonight,
)
from kindling.measure.intervals import MIN_IN_EFFECT

ROWS = "a" * 64
TOLERANCE = 0.02


def look(
    above: float, over: float | None = 0.0, error: float = 0.01, reference: str = "1"
) -> Look:
    return Look(
        "night", "9", "polarity", ROWS, reference, 0.9 + above, above, over, error
    )


def looks(above: list[float], reference: str = "1") -> list[Look]:
    return [look(one, reference=reference) for one in above]


def test_the_first_look_without_a_champion_passes() -> None:
    advice = tonight([], look(0.0, None), TOLERANCE)
    assert advice.decision == "promoted" and advice.detail.startswith("look 1, ")


@pytest.mark.parametrize(
    ("over", "error", "decision"),
    [
        (-0.01, 0.015, "promoted"),
        (-0.025, 0.02, "held"),
        (-0.06, 0.01, "alarm"),
        (0.0, 0.0, "promoted"),
    ],
)
def test_tonight_is_held_against_the_champion(
    over: float, error: float, decision: str
) -> None:
    advice = tonight(looks([0.0] * 5), look(0.0, over, error), TOLERANCE)
    assert advice.decision == decision and "minus the champion's" in advice.detail


def test_a_model_that_sinks_by_less_than_the_tolerance_is_held_in_the_end() -> None:
    sinking = [-0.0006 * night for night in range(60)]
    decisions = [
        tonight(
            looks(sinking[:night]), look(sinking[night], -0.0006), TOLERANCE
        ).decision
        for night in range(60)
    ]
    last = max(night for night, one in enumerate(decisions) if one == "promoted")
    assert decisions[: FIRST + LATEST] == ["promoted"] * (FIRST + LATEST)
    assert -sinking[last] < TOLERANCE and set(decisions[last + 1 :]) == {"held"}


def test_beside_another_reference_the_level_is_found_anew() -> None:
    old = looks([0.1] * 30, reference="0")
    assert tonight(old, look(0.0), TOLERANCE).decision == "promoted"
    tired = [*([0.1] * 30), *([0.0] * (LATEST - 1))]
    assert tonight(looks(tired), look(0.0), TOLERANCE).decision == "held"


def test_golden_rows_that_came_since_do_not_begin_the_ledger_anew() -> None:
    """What is compared over nights is the distance to one model on the same night's rows."""
    sunk = [
        replace(one, data_sha256=f"{at:064d}")
        for at, one in enumerate(looks([0.0] * 30))
    ]
    tired = [*sunk, *looks([-0.03] * (LATEST - 1))]
    assert tonight(tired, look(-0.03), TOLERANCE).decision == "held"


def test_the_error_budget_lasts_for_any_number_of_nights() -> None:
    total = sum(spent(night) for night in range(1, 100_000))
    assert 0.99 * BUDGET < total <= BUDGET


@given(st.integers(2, 80), st.integers(0, 1000))
def test_years_are_ruled_as_each_alone(nights: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = 0.9 + 0.02 * rng.normal(size=(5, nights))
    over, error = 0.02 * rng.normal(size=5), 0.01 * rng.random(5)
    together = rule(values, over, error, 0.02)
    for year in range(5):
        alone = rule(values[year], over[year], error[year], 0.02)
        assert alone.alarm == together.alarm[year]
        assert alone.held == together.held[year]
        assert alone.behind == pytest.approx(together.behind[year])


PRODUCTS = st.dictionaries(st.integers(0, 200), st.integers(1, 30), min_size=1)


def rows_of(products: dict[int, int]) -> list[str]:
    return [f"p{one}" for one, count in products.items() for _ in range(count)]


@given(PRODUCTS, PRODUCTS)
def test_what_a_gate_has_read_is_never_sealed_again(
    first: dict[int, int], more: dict[int, int]
) -> None:
    """Night by night, whatever products and reviews come."""
    opened: set[str] = set()
    for night in (first, first | more, more):
        products = rows_of(night)
        hidden = sealed_rows(products, opened)
        inside = {one for one, kept in zip(products, hidden, strict=True) if kept}
        outside = set(products) - inside
        assert not inside & opened
        assert hidden.tolist() == [one in inside for one in products], "whole products"
        assert len(inside) <= round(SEALED * len(set(products)))
        if inside:
            sizes = np.array([night[int(one[1:])] for one in inside])
            assert sizes.sum() ** 2 / (sizes**2).sum() >= MIN_IN_EFFECT
        opened |= outside


def test_a_third_of_the_products_is_sealed_and_stays_so() -> None:
    many = rows_of(dict.fromkeys(range(300), 2))
    hidden = sealed_rows(many, ())
    inside = {one for one, kept in zip(many, hidden, strict=True) if kept}
    assert len(inside) == 100 and hidden.sum() == 200
    opened = set(many) - inside
    again = sealed_rows(many, opened)
    assert again.tolist() == hidden.tolist()


def test_too_few_sealed_products_are_read_by_the_gate() -> None:
    few = rows_of(dict.fromkeys(range(12), 9))
    assert not sealed_rows(few, ()).any()
    assert sealed_rows(rows_of(dict.fromkeys(range(15), 9)), ()).sum() == 45
