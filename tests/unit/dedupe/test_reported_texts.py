"""Texts of our own after public bug reports of other deduplicators: each is told apart as people would."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kindling.records import Review

FILE = Path(__file__).parents[2] / "data" / "cases" / "acquisition" / "cases.json"
CASES = {
    case["id"]: case
    for case in json.loads(FILE.read_text(encoding="utf-8"))
    if case["kind"] == "dedupe"
}


@pytest.fixture
def catalogue(
    review: Callable[..., Review], sentence: Callable[[int], str]
) -> list[Review]:
    """200 products of two reviews."""
    return [
        review(sentence(n), rating=1 + n % 5, product=f"p{n // 2:03d}")
        for n in range(400)
    ]


@pytest.mark.parametrize("case", ["x01", "x04", "x05"])
def test_texts_are_one_only_where_they_are_equal(
    case: str,
    catalogue: list[Review],
    run_dedupe: Callable,
    review: Callable[..., Review],
) -> None:
    opposite = case == "x05"
    texts = CASES[case]["value"]
    rows = [
        review(
            text, rating=1 if opposite and n else 5, product="p001", review_id=f"x{n}"
        )
        for n, text in enumerate(texts)
    ]
    outcome = run_dedupe([*catalogue, *rows])
    found = {one.review_id: one for one in outcome.records}
    clusters = {
        text: {found[row.review_id].cluster_id for row in rows if row.body == text}
        for text in texts
    }
    assert all(len(one) == 1 for one in clusters.values())
    assert len(set.union(*clusters.values())) == len(CASES[case]["expected"])
    kept = sum(found[row.review_id].kept for row in rows)
    assert kept == len(CASES[case]["expected"])


def test_a_stock_sentence_of_a_whole_shop_leaves_every_product_its_own_group(
    catalogue: list[Review], run_dedupe: Callable, review: Callable[..., Review]
) -> None:
    stock = "I was sent this article free of charge in return for an honest opinion."
    assert len(stock) == 71
    alone = [review(stock, product=f"p{n:03d}") for n in range(200)]
    inside = [
        review(f"{row.body} {stock}", rating=row.rating, product=row.product_id)
        for row in catalogue[::2]
    ]
    expected = CASES["x08"]["expected"]
    for rows in (alone, inside):
        outcome = run_dedupe([*catalogue, *rows])
        assert outcome.figures["product_groups"] == expected


def test_one_text_on_two_products_is_kept_once_and_on_one_side_of_the_golden_border(
    catalogue: list[Review], run_dedupe: Callable, review: Callable[..., Review]
) -> None:
    one, other = CASES["x09"]["value"]
    for partner in range(20, 60):
        rows = [
            review(one, product="p001", review_id="x0"),
            review(other, product=f"p{partner:03d}", review_id="x1"),
        ]
        found = {row.review_id: row for row in run_dedupe([*catalogue, *rows]).records}
        assert found["x0"].cluster_id == found["x1"].cluster_id
        assert [found["x0"].kept, found["x1"].kept].count(True) == 1
        assert {found["x0"].split, found["x1"].split} != {"train", "golden"}
