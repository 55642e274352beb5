"""Splits stay where they are, groups stay whole, and every split is filled from many products."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.dedupe.split import Shares, assign, balanced, effective_number, join
from kindling.errors import DataError

SHARES = Shares(golden=0.15, validation=0.12)


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=20),
    st.integers(1, 30),
)
def test_join_keeps_products_whole_and_below_the_cap(
    pairs: list[tuple[int, int]], cap: int
) -> None:
    products = [f"p{n:02d}" for n in range(13)]
    links = [(products[a], products[b]) for a, b in pairs]
    weights = dict.fromkeys(products, 2)
    joined = join([[one] for one in products], links, weights, cap)
    assert sorted(one for group in joined.groups for one in group) == products
    assert all(len(group) == 1 or 2 * len(group) <= cap for group in joined.groups)
    free = join([[one] for one in products], links)
    assert free.refused == 0
    assert all(any({a, b} <= set(group) for group in free.groups) for a, b in links)


def test_balanced_fills_every_split_with_every_sentiment() -> None:
    counts = {f"p{n}": {"negative": 3, "neutral": 2, "positive": 8} for n in range(14)}
    splits = balanced([[product] for product in counts], counts, Shares(0.25, 0.2))
    assert Counter(splits.values()) == {"train": 8, "golden": 3, "validation": 3}
    assert (
        balanced([[product] for product in reversed(counts)], counts, Shares(0.25, 0.2))
        == splits
    )


def test_balanced_shares_out_what_is_rare() -> None:
    counts = {
        f"p{n}": {"negative": 5 * (n < 3), "positive": 5 * (n >= 3)} for n in range(9)
    }
    splits = balanced([[product] for product in counts], counts, SHARES)
    assert {splits[f"p{n}"] for n in range(3)} == {"train", "validation", "golden"}


@pytest.mark.parametrize("groups", [1, 2])
def test_too_few_groups_is_an_error(groups: int) -> None:
    with pytest.raises(DataError, match=f"{groups} separate product groups"):
        balanced([[f"p{n}"] for n in range(groups)], {}, SHARES)


def test_three_groups_of_unlike_size_still_fill_three_splits() -> None:
    counts = {"a": {"positive": 1}, "b": {"negative": 900}, "c": {"positive": 1}}
    assert set(balanced([["a"], ["b"], ["c"]], counts, SHARES).values()) == {
        "train",
        "validation",
        "golden",
    }


def test_known_products_stay_and_their_groups_with_them() -> None:
    counts = {f"p{n:02d}": {"positive": 3} for n in range(20)}
    groups = [["p00", "p01"], *([f"p{n:02d}"] for n in range(2, 20))]
    frozen = {"p01": "golden", "p02": "train", "p03": "validation"}
    splits = balanced(groups, counts, SHARES, frozen)
    assert splits.items() >= {**frozen, "p00": "golden"}.items()


def test_a_link_between_sides_is_refused() -> None:
    frozen = {"a": "golden", "b": "train"}
    joined = join([["a"], ["b"], ["c"]], [("a", "c"), ("c", "b")], frozen=frozen)
    assert joined.groups == (("a", "c"), ("b",))
    assert joined.refused == 1


def test_golden_is_made_of_many_products_where_few_hold_most_rows() -> None:
    sizes = [900, 700, 500, 300, 200, 100, *([30] * 20), *([5] * 100)]
    counts = {f"p{n:03d}": {"positive": size} for n, size in enumerate(sizes)}
    assigned = assign([[one] for one in counts], counts, SHARES)
    golden = [
        counts[one]["positive"]
        for one, split in assigned.splits.items()
        if split == "golden"
    ]
    assert sum(golden) / sum(sizes) == pytest.approx(0.15, abs=0.03)
    assert effective_number(golden) >= 15
    assert max(golden) <= 2 * assigned.caps["golden"] * sum(sizes)


@given(
    st.lists(st.integers(1, 60), min_size=3, max_size=40),
    st.dictionaries(st.integers(0, 39), st.sampled_from(["train", "golden"])),
)
def test_assign_places_everybody_and_moves_nobody(
    sizes: list[int], known: dict[int, str]
) -> None:
    counts = {f"p{n:02d}": {"positive": size} for n, size in enumerate(sizes)}
    frozen = {f"p{n:02d}": split for n, split in known.items() if n < len(sizes)}
    splits = assign([[one] for one in counts], counts, SHARES, frozen).splits
    assert set(splits) == set(counts)
    assert frozen.items() <= splits.items()
