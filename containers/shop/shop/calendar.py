"""The shop on a day: its catalogue grows, changes and shrinks by date, always in the same way."""

import hashlib
from dataclasses import replace
from datetime import date, timedelta

from shop.errors import BadInput
from shop.reading import Catalogue
from shop.records import Review

#: Of so many reviews one is rewritten, another one taken back; of so many products one is given up.
_REWRITTEN, _TAKEN_BACK, _GIVEN_UP = 15, 40, 20
#: Days after which that happens, at the latest.
_WITHIN = 120


def day(text: str) -> date:
    """The date; BadInput where the text is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(
            f"--date is {text!r}, expected a day such as 2026-03-01"
        ) from None


def on(catalogue: Catalogue, today: date) -> Catalogue:
    """What the shop shows on that day.

    A product is there from its first review on. Some reviews are rewritten and some taken back
    within four months, and some products leave within four months of their newest review.
    """
    changed: dict[str, str] = {}
    reviews = []
    for review in catalogue.reviews:
        shown, since = _on_the_day(review, today)
        if since:
            changed[review.product_id] = max(changed.get(review.product_id, ""), since)
        if shown is not None:
            reviews.append(shown)
    newest: dict[str, str] = {}
    for review in catalogue.reviews:
        newest[review.product_id] = max(newest.get(review.product_id, ""), review.date)
    listed = {one.product_id for one in reviews} - {
        product_id
        for product_id, last in newest.items()
        if _drawn(product_id, "given up", _GIVEN_UP)
        and _later(last, product_id) <= today.isoformat()
    }
    return replace(
        catalogue,
        products={
            product_id: product
            for product_id, product in catalogue.products.items()
            if product_id in listed
        },
        reviews=tuple(one for one in reviews if one.product_id in listed),
        changed=changed,
    )


def _on_the_day(review: Review, today: date) -> tuple[Review | None, str]:
    """The review as it is shown, if it is, and the day of its last change; empty before it came."""
    if review.date > today.isoformat():
        return None, ""
    later = _later(review.date, review.review_id)
    if later > today.isoformat():
        return review, review.date
    if _drawn(review.review_id, "taken back", _TAKEN_BACK):
        return None, later
    if review.body and _drawn(review.review_id, "rewritten", _REWRITTEN):
        return replace(review, body=f"{review.body} Update: still the same."), later
    return review, review.date


def _later(since: str, key: str) -> str:
    days = 1 + _number(key, "days") % _WITHIN
    return (date.fromisoformat(since) + timedelta(days=days)).isoformat()


def _drawn(key: str, what: str, one_of: int) -> bool:
    return _number(key, what) % one_of == 0


def _number(key: str, what: str) -> int:
    digest = hashlib.sha256(f"{what}\0{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big")
