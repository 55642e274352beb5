"""Whether a shop's pages still give what they gave: a health contract per field against an earlier run.

A template that changed seldom breaks loudly: a field is empty on more pages than before, a rating is always
the same, every page has one review fewer. Each is compared with the same figure of an earlier, trusted run.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kindling.scraping.rows import Rows
from kindling.scraping.site import CrawledPage

#: A share may move by so much, in absolute terms, before it is an alarm, ...
_TOLERANCE = 0.1
_MAX_DAMAGED = 0.05
#: ... the mean by so many stars, ...
_MEAN_TOLERANCE = 0.5
#: ... and either by so many standard errors of the difference, for few reviews differ by chance.
_STANDARD_ERRORS = 3.5


@dataclass(frozen=True)
class Health:
    """Shares between 0 and 1, but for `mean_rating` (stars). Of `reviews` reviews on `pages` pages."""

    pages: int
    reviews: int
    #: Usable or not.
    found: int
    #: Field -> share of the found reviews in which it is filled; rejected reviews have none.
    filled: Mapping[str, float]
    #: Distinct texts over reviews.
    distinct: float
    mean_rating: float
    #: Found reviews over those that the pages state, on pages that state some; 1 where none does.
    of_stated: float
    #: Pages with a problem, a conflict or an unexplained lack of reviews.
    damaged_pages: float
    #: Reviews that were rejected, over those found.
    rejected: float


def health(pages: Sequence[CrawledPage], rows: Rows) -> Health:
    """The figures of one run, or of one layout of it."""
    found = max(rows.found, 1)
    reviews = rows.reviews
    fields = {
        name: sum(bool(getattr(review, name)) for review in reviews) / found
        for name in ("body", "title", "published", "rating", "photo_id")
    }
    total = stated_reviews(pages)
    damaged = sum(
        bool(
            page.extraction.problems
            or page.extraction.conflicts
            or page.extraction.lossy
        )
        for page in pages
    )
    return Health(
        pages=len(pages),
        reviews=len(reviews),
        found=rows.found,
        filled=fields,
        distinct=len({(one.product_id, one.body) for one in reviews})
        / max(len(reviews), 1),
        mean_rating=sum(one.rating for one in reviews) / max(len(reviews), 1),
        of_stated=min(1.0, rows.found / total) if total else 1.0,
        damaged_pages=damaged / max(len(pages), 1),
        rejected=len(rows.rejections) / found,
    )


def stated_reviews(pages: Iterable[CrawledPage]) -> int:
    """Reviews that the products' pages say there are; of a product's pages the one that was got last counts."""
    stated: dict[str, int] = {}
    for page in sorted(pages, key=lambda one: (one.fetched_at, one.url)):
        product = page.extraction.product
        if product is not None and product.stated_reviews is not None:
            stated[product.product_id] = product.stated_reviews
    return sum(stated.values())


def alarms(now: Health, before: Health) -> list[str]:
    """What got worse since the earlier run, in words; empty where the contract holds."""
    if before.reviews and not now.reviews:
        return [f"no reviews on {now.pages} pages, {before.reviews} before"]
    found = [
        f"{name}: filled in {now.filled[name]:.0%} of the reviews, {share:.0%} before"
        for name, share in before.filled.items()
        if _moved(share, now.filled[name], before.found, now.found, _TOLERANCE)
    ]
    shares = (
        ("distinct texts", now.distinct, before.distinct),
        ("reviews of those stated", now.of_stated, before.of_stated),
    )
    found += [
        f"{name}: {share:.0%}, {earlier:.0%} before"
        for name, share, earlier in shares
        if _moved(earlier, share, before.found, now.found, _TOLERANCE)
    ]
    if _mean_moved(now, before):
        found.append(
            f"mean rating: {now.mean_rating:.1f}, {before.mean_rating:.1f} before"
        )
    # Damage is never a matter of chance: a clean shop has none.
    if now.damaged_pages > before.damaged_pages + _MAX_DAMAGED:
        share, earlier = now.damaged_pages, before.damaged_pages
        found.append(f"damaged pages: {share:.0%}, {earlier:.0%} before")
    kept, earlier = 1 - now.rejected, 1 - before.rejected
    if _moved(earlier, kept, before.found, now.found, _MAX_DAMAGED):
        found.append(f"usable reviews: {kept:.0%}, {earlier:.0%} before")
    return found


def _moved(
    before: float, now: float, count_before: int, count_now: int, tolerance: float
) -> bool:
    """Whether a share fell by more than the tolerance and by more than chance."""
    fallen = before - now
    if fallen <= tolerance:
        return False
    # Laplace's estimate, so that a share of 1 in few reviews has an error, too.
    pooled = (before * count_before + now * count_now + 1) / (
        count_before + count_now + 2
    )
    error = math.sqrt(
        pooled * (1 - pooled) * (1 / max(count_before, 1) + 1 / max(count_now, 1))
    )
    return fallen > _STANDARD_ERRORS * error


def _mean_moved(now: Health, before: Health) -> bool:
    if not (now.reviews and before.reviews):
        return False
    moved = abs(now.mean_rating - before.mean_rating)
    # Reviews of one product are alike, so the spread is taken as wide as stars allow.
    error = 2.0 * math.sqrt(1 / now.reviews + 1 / before.reviews)
    return moved > max(_MEAN_TOLERANCE, _STANDARD_ERRORS * error)
