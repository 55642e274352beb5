"""The deficit grid and the plan of photos: shares are fair and met to the row."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.ports.generation import Cell
from kindling.records import SENTIMENTS, Review
from kindling.synthesis.conditions import DAMAGED, plan
from kindling.synthesis.deficit import deficits, grid, spread


def test_deficits_count_real_rows() -> None:
    rows = [
        Review(f"r{n}", "p", "Lamps", "", "b", rating, "scraped")
        for n, rating in enumerate([1, 2, 3, 5, 5, 5])
    ]
    cells = grid(["Lamps", "Pots", "Lamps"])
    assert len(cells) == 6
    assert deficits(cells, rows, 2) == {
        cell: {"negative": 0, "neutral": 1, "positive": 0}[cell.sentiment]
        if cell.category == "Lamps"
        else 2
        for cell in cells
    }


@given(st.lists(st.integers(0, 200), min_size=1, max_size=9), st.integers(0, 900))
def test_spread_is_max_min_fair(wanted: list[int], budget: int) -> None:
    cells = {Cell(f"c{n}", "neutral"): count for n, count in enumerate(wanted)}
    shares = spread(cells, budget)
    assert sum(shares.values()) == min(budget, sum(wanted))
    short = [shares[cell] for cell in cells if shares[cell] < cells[cell]]
    assert all(shares[cell] <= cells[cell] for cell in cells)
    # Nobody got more than those who went short, but for the odd row that does not divide.
    assert not short or max(shares.values()) <= min(short) + 1


@pytest.mark.parametrize("sentiment", SENTIMENTS)
@pytest.mark.parametrize("rows", [0, 1, 40, 101])
def test_photo_plan_meets_its_shares(sentiment: str, rows: int) -> None:
    plans = plan(Cell("c", sentiment), rows, 0.8, np.random.default_rng(rows))
    pictured = [one for one in plans if one.condition]
    assert (len(plans), len(pictured)) == (rows, round(0.8 * rows))
    damaged = sum(one.condition in DAMAGED for one in pictured)
    wanted = {
        "negative": len(pictured),
        "neutral": (len(pictured) + 1) // 2,
        "positive": 0,
    }
    assert damaged == wanted[sentiment]
    kinds = Counter(one.condition for one in pictured if (one.condition in DAMAGED))
    assert not kinds or max(kinds.values()) - min(kinds[kind] for kind in DAMAGED) <= 1


def test_photo_plan_is_shuffled() -> None:
    plans = plan(Cell("c", "negative"), 60, 0.5, np.random.default_rng(0))
    first = [one.condition is None for one in plans[:30]]
    assert 5 < sum(first) < 25
