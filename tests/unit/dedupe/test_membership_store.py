"""Splits over nights: what the standing store remembers, a stage at a time."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from kindling.dedupe.clusters import Leader
from kindling.dedupe.placement import Membership
from kindling.records import DedupeDecision, Review
from kindling.stages.membership import remember, remembered
from kindling.stores.memory import MemoryStanding


@pytest.fixture
def catalogue(
    review: Callable[..., Review], sentence: Callable[[int], str]
) -> list[Review]:
    """60 products of ten reviews."""
    return [
        review(sentence(n), rating=1 + n % 5, product=f"p{n // 10:02d}")
        for n in range(600)
    ]


def splits(outcome) -> dict[str, str]:
    found = [one for one in outcome.records if isinstance(one, DedupeDecision)]
    return {one.review_id: one.split for one in found}


def test_what_is_remembered_comes_back_as_it_was() -> None:
    standing = MemoryStanding()
    signature = np.arange(128, dtype=np.uint16)
    leader = Leader("r1", "folded text", "", "negative", signature)
    short = Leader("r2", "bad", "p1", "negative", None)
    now = Membership(
        {"p1": "golden"},
        {"r1": "train", "r2": "train"},
        {"f1": "golden"},
        {"r1": leader, "r2": short},
    )
    remember(standing, "mine", "night-1", Membership(), now)
    found = remembered(standing, "mine", "night-2")
    assert (found.products, found.reviews, found.photos) == (
        now.products,
        now.reviews,
        now.photos,
    )
    assert {key: one[:4] for key, one in found.learned.items()} == {
        "r1": leader[:4],
        "r2": short[:4],
    }
    kept = found.learned["r1"].signature
    assert kept is not None and np.array_equal(kept, signature)
    assert found.learned["r2"].signature is None


def test_a_night_adds_and_never_changes() -> None:
    standing = MemoryStanding()
    first = Membership({"p1": "golden"}, {}, {}, {})
    remember(standing, "mine", "night-1", Membership(), first)
    second = Membership({"p1": "train", "p2": "train"}, {}, {}, {})
    remember(standing, "mine", "night-2", first, second)
    found = remembered(standing, "mine", "night-3")
    assert found.products == {"p1": "golden", "p2": "train"}


def test_recipes_are_apart_and_a_retry_does_not_read_its_own_night() -> None:
    standing = MemoryStanding()
    first = Membership({"p1": "golden"}, {}, {}, {})
    remember(standing, "mine", "night-1", Membership(), first)
    assert remembered(standing, "mine", "night-1") == Membership()
    assert remembered(standing, "other", "night-2") == Membership()


def test_golden_rows_stay_golden_when_the_catalogue_grows(
    catalogue: list[Review], run_dedupe: Callable
) -> None:
    standing = MemoryStanding()
    before = splits(run_dedupe(catalogue, standing=standing, night="one"))
    grown = catalogue + [
        replace(row, review_id=f"{row.review_id}-new", product_id=f"new-{number % 9}")
        for number, row in enumerate(catalogue[:60])
    ]
    plain = splits(run_dedupe(grown, night="two"))
    after = splits(run_dedupe(grown, standing=standing, night="two"))
    moved = {one for one in before if after[one] != before[one]}
    assert not {one for one in moved if "golden" in (before[one], after[one])}
    assert any(plain[one] != before[one] for one in before), "the growth tempts to move"


def test_a_retry_decides_as_its_first_attempt(
    catalogue: list[Review], run_dedupe: Callable
) -> None:
    standing = MemoryStanding()
    run_dedupe(catalogue[:100], standing=standing, night="one")
    first = run_dedupe(catalogue, standing=standing, night="two")
    again = run_dedupe(catalogue, standing=standing, night="two")
    assert first.records == again.records
