"""Nights at one set of golden rows: equal models pass, sinking ones do not, alarms are few."""

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
    sealed,
    spent,
    tonight,
)
from kindling.records import Estimate

ROWS = "a" * 64


def estimate(value: float, half: float = 0.02, data: str = ROWS) -> Estimate:
    return Estimate(value, 400, value - half, value + half, data, 40, 30.0)


def looks(values: list[float], data: str = ROWS) -> list[Look]:
    return [
        Look(f"night-{at}", str(at), data, value, 0.0, 0.01, "promoted")
        for at, value in enumerate(values)
    ]


def test_the_first_look_without_a_champion_passes() -> None:
    advice = tonight([], estimate(0.9), None, 0.02)
    assert advice.decision == "promoted" and advice.detail.startswith("look 1 ")


@pytest.mark.parametrize(
    ("over", "half", "decision"),
    [
        (estimate(-0.01), 0.03, "promoted"),
        (estimate(-0.025, 0.04), 0.03, "held"),
        (estimate(-0.06, 0.02), 0.03, "alarm"),
        (estimate(0.0, 0.0), 0.03, "promoted"),
    ],
)
def test_tonight_is_held_against_the_champion(
    over: Estimate, half: float, decision: str
) -> None:
    advice = tonight(looks([0.9] * 5), estimate(0.9), over, 0.02)
    assert advice.decision == decision and "minus the champion's" in advice.detail


def test_a_model_that_sinks_by_less_than_the_tolerance_is_held_in_the_end() -> None:
    sinking = [0.9 - 0.0006 * night for night in range(60)]
    decisions = [
        tonight(
            looks(sinking[:night]), estimate(sinking[night]), estimate(-0.0006), 0.02
        ).decision
        for night in range(60)
    ]
    last = max(night for night, one in enumerate(decisions) if one == "promoted")
    assert decisions[: FIRST + LATEST] == ["promoted"] * (FIRST + LATEST)
    assert 0.9 - sinking[last] < 0.02 and set(decisions[last + 1 :]) == {"held"}


def test_other_golden_rows_begin_anew() -> None:
    old = looks([0.95] * 30, data="b" * 64)
    assert tonight(old, estimate(0.85), estimate(0.0), 0.02).decision == "promoted"
    tired = [*([0.95] * 30), *([0.85] * (LATEST - 1))]
    assert tonight(looks(tired), estimate(0.85), estimate(0.0), 0.02).decision == "held"


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


def test_a_third_of_the_products_is_sealed_for_good() -> None:
    names = [f"product-{number}" for number in range(3000)]
    hidden = [sealed(name) for name in names]
    assert abs(np.mean(hidden) - SEALED) < 0.03
    assert hidden == [sealed(name) for name in names]
