"""Splits stay where they are, groups stay whole, and small catalogues fill every split."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.dedupe.split import Shares, balanced, by_hash, join
from kindling.errors import DataError

SHARES = Shares(golden=0.15, validation=0.12)
FROZEN = {
    "1078": "validation",
    "862": "train",
    "a": "golden",
    "b": "train",
    "c": "train",
    "d": "train",
}


def test_hash_split_is_frozen() -> None:
    """These very values: a change of salt or rule would move every golden row."""
    points = {product: by_hash([product], SHARES) for product in FROZEN}
    assert points == FROZEN


def test_hash_split_follows_the_smallest_id_and_the_shares() -> None:
    assert by_hash(["z", "1078", "9"], SHARES) == by_hash(["1078"], SHARES)
    counts = Counter(by_hash([f"product-{n}"], SHARES) for n in range(4_000))
    assert counts["golden"] / 4_000 == pytest.approx(0.15, abs=0.02)
    assert counts["validation"] / 4_000 == pytest.approx(0.12, abs=0.02)


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
