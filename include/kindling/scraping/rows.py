"""Findings of all pages as records: one product an id, one review an id, the rest with the reason why not."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kindling.records import Photo, Product, Rejection, Review
from kindling.scraping.clean import mask_personal_data, normalise
from kindling.scraping.findings import FoundProduct, FoundReview
from kindling.scraping.photos import StoredPhoto
from kindling.scraping.rating import stars
from kindling.scraping.site import CrawledPage

_WORD = re.compile(r"\w")
#: Characters; nobody writes a longer review, and cleaning one costs.
_MAX_TEXT = 20_000


@dataclass(frozen=True)
class Rows:
    """What the scrape hands on. `found` counts reviews as they stood on the pages."""

    products: tuple[Product, ...]
    photos: tuple[Photo, ...]
    reviews: tuple[Review, ...]
    rejections: tuple[Rejection, ...]
    found: int
    masked: Counter[str]


def join(pages: Sequence[CrawledPage], photos: Mapping[str, StoredPhoto]) -> Rows:
    """Records in the order of their keys, whatever the order of the pages."""
    ordered = sorted(pages, key=lambda page: page.url)
    products: dict[str, Product] = {}
    reviews: dict[str, Review] = {}
    rejections: list[Rejection] = []
    masked: Counter[str] = Counter()
    found = 0
    for page in ordered:
        product = page.extraction.product
        if product is not None:
            # The address without a page number sorts first.
            products.setdefault(_id(product), _product(product, page.url))
        for number, stated in enumerate(page.extraction.reviews):
            found += 1
            result = _review(stated, product, page, number, photos, masked)
            if isinstance(result, Review) and result.review_id in reviews:
                result = Rejection(
                    f"{page.url}#{number}",
                    "duplicate_id",
                    f"review {result.review_id} is there already",
                )
            if isinstance(result, Review):
                reviews[result.review_id] = result
            else:
                rejections.append(result)
    return Rows(
        products=tuple(products[key] for key in sorted(products)),
        photos=_photos(ordered, photos),
        reviews=tuple(reviews[key] for key in sorted(reviews)),
        rejections=tuple(rejections),
        found=found,
        masked=masked,
    )


def _id(product: FoundProduct) -> str:
    return normalise(product.product_id)[:200]


def _product(product: FoundProduct, url: str) -> Product:
    return Product(
        _id(product), normalise(product.name), normalise(product.category), url
    )


def _review(
    stated: FoundReview,
    product: FoundProduct | None,
    page: CrawledPage,
    number: int,
    photos: Mapping[str, StoredPhoto],
    masked: Counter[str],
) -> Review | Rejection:
    product_id = _id(product) if product else ""
    if len(stated.title) + len(stated.body) > _MAX_TEXT:
        return Rejection(
            f"{page.url}#{number}", "text_too_long", f"{len(stated.body)} characters"
        )
    title, body = normalise(stated.title), normalise(stated.body)
    review_id = normalise(stated.review_id)[:200] or _content_id(
        product_id, title, body
    )
    row_id = f"{page.url}#{number}"
    if not _WORD.search(title + body):
        return Rejection(row_id, "empty_text", f"review {review_id}")
    if stated.rating is None:
        return Rejection(row_id, "no_rating", f"review {review_id}")
    rating = stars(stated.rating, stated.best, stated.worst)
    if rating is None:
        scale = f"{stated.worst or 1:g} to {stated.best or 5:g}"
        return Rejection(
            row_id,
            "rating_out_of_range",
            f"review {review_id}: {stated.rating:g} on a scale from {scale}",
        )
    photo = photos.get(stated.photo_url)
    clean = [
        mask_personal_data(text) for text in (title, body, normalise(stated.author))
    ]
    masked.update(sum((one.counts for one in clean), Counter[str]()))
    return Review(
        review_id=review_id,
        product_id=product_id,
        category=normalise(product.category) if product else "",
        title=clean[0].text,
        body=clean[1].text,
        rating=rating,
        origin="scraped",
        photo_id=photo.photo_id if photo else None,
        source_url=page.url,
        page_sha256=page.sha256,
        extractor=stated.extractor,
        author=clean[2].text,
        published=normalise(stated.published),
    )


def _content_id(product_id: str, title: str, body: str) -> str:
    """An id for reviews whose site gives none: the same text on the same product is the same review."""
    return hashlib.sha256(f"{product_id}\n{title}\n{body}".encode()).hexdigest()[:16]


def _photos(
    pages: Sequence[CrawledPage], stored: Mapping[str, StoredPhoto]
) -> tuple[Photo, ...]:
    """One record a picture; where several places use it, a review's photo goes before a product's."""
    chosen: dict[str, tuple[bool, str, str, StoredPhoto]] = {}
    for page in pages:
        product = page.extraction.product
        product_id = _id(product) if product else ""
        uses = [(True, url) for url in (product.photo_urls if product else ())]
        uses += [(False, review.photo_url) for review in page.extraction.reviews]
        for of_product, url in uses:
            if url in stored:
                use = (of_product, product_id, url, stored[url])
                photo_id = stored[url].photo_id
                chosen[photo_id] = min(
                    chosen.get(photo_id, use), use, key=lambda one: one[:3]
                )
    return tuple(
        Photo(
            photo_id=photo_id,
            product_id=product_id,
            kind="product" if of_product else "review",
            origin="scraped",
            uri=photo.uri,
            width=photo.width,
            height=photo.height,
            source_url=url,
        )
        for photo_id, (of_product, product_id, url, photo) in sorted(chosen.items())
    )
