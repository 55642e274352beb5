"""The shop on a day: what comes, changes and leaves, always in the same way."""

from datetime import date

import pytest

from shop.calendar import day, on
from shop.errors import BadInput
from shop.reading import Catalogue
from shop.records import Manifest, Product, Review

LAST = date(2026, 12, 31)


@pytest.fixture
def catalogue() -> Catalogue:
    """Sixty products; each has ten reviews, one a week."""
    products = {
        f"p{number}": Product(f"p{number}", "Pot", "Teapots", "b", 1.0, "d", ())
        for number in range(60)
    }
    reviews = tuple(
        Review(
            f"{product}-{week}",
            product,
            "",
            "Fine",
            5,
            "a",
            f"2026-0{1 + week // 4}-{1 + 7 * (week % 4):02}",
        )
        for product in products
        for week in range(10)
    )
    return Catalogue(Manifest("k", 1, "", "", ""), products, reviews, {}, {})


def test_nothing_is_there_before_its_day(catalogue: Catalogue) -> None:
    early = on(catalogue, date(2026, 1, 1))
    assert {one.date for one in early.reviews} == {"2026-01-01"}
    assert on(catalogue, date(2025, 12, 31)).products == {}


def test_reviews_are_rewritten_and_taken_back_and_products_leave(
    catalogue: Catalogue,
) -> None:
    late = on(catalogue, LAST)
    shown = {one.review_id: one for one in late.reviews}
    assert any(one.body != "Fine" for one in shown.values())
    assert len(late.products) < len(catalogue.products)
    of_listed = [one for one in catalogue.reviews if one.product_id in late.products]
    assert len(shown) < len(of_listed)


def test_a_product_that_changed_says_so(catalogue: Catalogue) -> None:
    days = [date(2026, month, 15) for month in range(1, 13)]
    for before, after in zip(days, days[1:], strict=False):
        left, right = on(catalogue, before), on(catalogue, after)
        for product in left.products.keys() & right.products.keys():
            same = left.reviews_of[product] == right.reviews_of[product]
            assert same == (left.last_change(product) == right.last_change(product))


def test_a_day_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="--date is '2026-13-01'"):
        day("2026-13-01")
