"""Findings of all pages as records: one product an id, one review an id, the rest with the reason why not."""

import datetime
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kindling.ports.source import NULLS, UNCATEGORISED
from kindling.records import Photo, Product, Rejection, Review
from kindling.scraping.clean import mask_personal_data, normalise
from kindling.scraping.dates import iso_date
from kindling.scraping.findings import FoundProduct, FoundReview
from kindling.scraping.identity import Candidate, settle
from kindling.scraping.language import language_of
from kindling.scraping.photos import StoredPhoto
from kindling.scraping.rating import stars
from kindling.scraping.site import CrawledPage
from kindling.scraping.witnesses import doubted

_WORD = re.compile(r"\w")
#: Characters; nobody writes a longer review, and cleaning one costs.
_MAX_TEXT = 20_000
_MAX_ID = 200
#: Telling a text's language costs more than all else here; so many texts give the shares to two per cent.
_LANGUAGE_SAMPLE = 500


@dataclass(frozen=True)
class Place:
    """Where a review was found, a page or a row of a file."""

    #: Names it in a rejection, such as "https://shop.example/p/1#3" or "reviews.csv:17".
    row_id: str
    product_id: str
    #: Empty where the source names none.
    category: str = ""
    source_url: str = ""
    page_sha256: str = ""
    #: A language tag, for the order of day and month; empty where it is not known.
    language: str = ""
    #: When it was fetched, for "3 days ago".
    seen: datetime.date | None = None
    photo_id: str | None = None


@dataclass(frozen=True)
class Rows:
    """What the scrape hands on. `found` counts reviews as they were on the pages."""

    products: tuple[Product, ...]
    photos: tuple[Photo, ...]
    reviews: tuple[Review, ...]
    rejections: tuple[Rejection, ...]
    found: int
    masked: Counter[str]


def join(
    pages: Sequence[CrawledPage], photos: Mapping[str, StoredPhoto], source: str = ""
) -> Rows:
    """Records in the order of their keys, whatever the order of the pages.

    `source` goes before every review's id, for runs that read more than one. DataError where what the
    pages give for ids of reviews are none.
    """
    ordered = sorted(pages, key=lambda page: page.url)
    products: dict[str, Product] = {}
    candidates: list[Candidate] = []
    rejections: list[Rejection] = []
    masked: Counter[str] = Counter()
    for page in ordered:
        product = page.extraction.product
        if product is not None:
            # The address without a page number sorts first.
            products.setdefault(_id(product), _product(product, page.url))
        for place, stated in _placed(page, photos):
            result = review_of(stated, place, masked)
            if isinstance(result, Review):
                address = stated.address
                candidates.append(Candidate(result, place.row_id, address))
            else:
                rejections.append(result)
    reviews, duplicates = settle(candidates, source)
    return Rows(
        products=tuple(products[key] for key in sorted(products)),
        photos=_photos(ordered, photos),
        reviews=tuple(sorted(reviews, key=lambda review: review.review_id)),
        rejections=(*rejections, *duplicates),
        found=len(candidates) + len(rejections),
        masked=masked,
    )


def languages(reviews: Sequence[Review]) -> Counter[str]:
    """Reviews by language (ISO 639-1), of at most 500 from all over; the empty key is for texts too short."""
    step = max(1, len(reviews) // _LANGUAGE_SAMPLE)
    sample = sorted(reviews, key=lambda review: review.review_id)[::step]
    return Counter(language_of(review.text) for review in sample[:_LANGUAGE_SAMPLE])


def review_of(
    stated: FoundReview, place: Place, masked: Counter[str]
) -> Review | Rejection:
    """The review as a record, with the source's own id or none; a rejection where it is not usable.

    Text is cleaned and personal data in it masked (and counted in `masked`), stars are scaled to 1-5, the
    date is ISO or empty. The name of who wrote it is not kept.
    """
    if len(stated.title) + len(stated.body) > _MAX_TEXT:
        detail = f"{len(stated.body)} characters, at most {_MAX_TEXT} are taken"
        return Rejection(place.row_id, "text_too_long", detail)
    stated_title = "" if doubted(stated, "title") else stated.title
    title, body = normalise(stated_title), normalise(stated.body)
    review_id = normalise(stated.review_id)[:_MAX_ID]
    if not _WORD.search(title + body):
        return Rejection(place.row_id, "empty_text", f"review {review_id}")
    if stated.rating is None:
        why = f" ({'; '.join(stated.doubts)})" if stated.doubts else ""
        return Rejection(place.row_id, "no_rating", f"review {review_id}{why}")
    rating = stars(stated.rating, stated.best, stated.worst)
    if rating is None:
        scale = f"{stated.worst or 1:g} to {stated.best or 5:g}"
        detail = f"review {review_id}: {stated.rating:g} on a scale from {scale}"
        return Rejection(place.row_id, "rating_out_of_range", detail)
    clean = [mask_personal_data(text) for text in (title, body)]
    for one in clean:
        if one.counts:
            masked.update(one.counts)
    return Review(
        review_id=review_id,
        product_id=place.product_id,
        category=normalise(place.category) or UNCATEGORISED,
        title=clean[0].text,
        body=clean[1].text,
        rating=rating,
        origin="scraped",
        photo_id=place.photo_id,
        source_url=place.source_url,
        page_sha256=place.page_sha256,
        extractor=_extractor(stated),
        published=""
        if doubted(stated, "published")
        else iso_date(stated.published, place.language, place.seen),
    )


def _extractor(stated: FoundReview) -> str:
    """Which rules read it, and which of its fields are null or on one witness, with the reason."""
    if not stated.doubts:
        return stated.extractor
    return f"{stated.extractor}{NULLS}{'; '.join(stated.doubts)}"


def _placed(
    page: CrawledPage, photos: Mapping[str, StoredPhoto]
) -> Iterator[tuple[Place, FoundReview]]:
    """A page's reviews and where each of them is."""
    found = page.extraction
    product_id = _id(found.product) if found.product else ""
    category = found.product.category if found.product else ""
    seen = page.fetched_at.date()
    named: set[str] = set()
    for number, stated in enumerate(found.reviews):
        photo = photos.get(stated.photo_url)
        # By its own id where it has one: its place moves with every review that comes before it.
        name = normalise(stated.review_id)[:_MAX_ID]
        place = Place(
            row_id=f"{page.url}#{name if name and name not in named else number}",
            product_id=product_id,
            category=category,
            source_url=page.url,
            page_sha256=page.sha256,
            language=found.language,
            seen=seen,
            photo_id=photo.photo_id if photo else None,
        )
        named.add(name)
        yield place, stated


def _id(product: FoundProduct) -> str:
    return normalise(product.product_id)[:_MAX_ID]


def _product(product: FoundProduct, url: str) -> Product:
    return Product(
        _id(product),
        normalise(product.name),
        normalise(product.category) or UNCATEGORISED,
        url,
    )


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
