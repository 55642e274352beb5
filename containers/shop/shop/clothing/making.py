"""The clothing catalogue: real texts and product photos; their pairing and the damage are not real."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from shop.chance import rng_for
from shop.clothing.pairing import pair
from shop.clothing.source import Source, SourcePhoto, SourceReview
from shop.conditions import draw_condition
from shop.photos.shots import another_shot
from shop.records import (
    Condition,
    Contents,
    Product,
    Review,
    Truth,
    photo_agrees,
    sentiment_of,
)
from shop.slug import slug

NICHES = ("Outerwear", "Shorts", "Skirts")
#: Reviews' photos made of one product photo at most.
SHOTS_PER_PHOTO = 3
DAMAGE_ODDS: dict[Condition, float] = {"torn": 0.5, "stained": 0.4, "broken": 0.1}
#: Categories of the photos that fit no reviewed product, and how many of them share a product page.
EXTRA_CATEGORIES = {"hat": "Hats", "shoes": "Shoes"}
PHOTOS_PER_EXTRA = 6
LAST_DAY = date(2026, 10, 31)
NOTE = (
    "Titles, texts, stars and product photos are real. Nobody photographed what they reviewed: this shop "
    "paired texts and photos by class. Review photos are other shots of the product photos, and the damage "
    "on them is simulated. Names, brands, prices, authors and dates are made up."
)


def clothing(source: Source, seed: int) -> Contents:
    """The contents of the catalogue; every review and every photo of the source is in it."""
    by_product: dict[str, list[SourceReview]] = {}
    for review in source.reviews:
        by_product.setdefault(_product_id(review), []).append(review)
    classes = {
        product_id: (rows[0].garment, len(rows))
        for product_id, rows in by_product.items()
    }
    photos, rest = pair(classes, source.photos, rng_for(seed, "pairing"))
    products = [
        _product(product_id, rows[0], photos.get(product_id, []), seed)
        for product_id, rows in by_product.items()
    ]
    products += _extras(rest, seed)
    draw: dict[str, Callable[[], bytes]] = {
        photo.name: _as_it_is(photo) for photo in source.photos
    }
    reviews, truths = [], []
    for product_id, rows in by_product.items():
        bases = _bases(
            rows, photos.get(product_id, []), rng_for(seed, "bases", product_id)
        )
        for row in rows:
            review, truth = _review(row, product_id, bases.get(row.row), seed)
            reviews.append(review)
            truths.append(truth)
            if review.photo is not None and truth.condition is not None:
                draw[review.photo] = _shot(
                    bases[row.row], truth.condition, review.photo, seed
                )
    niches = tuple(
        niche
        for niche in NICHES
        if any(garment == niche for garment, _ in classes.values())
    )
    return Contents(products, reviews, truths, draw, niches, NOTE)


def _product_id(review: SourceReview) -> str:
    return f"c{review.clothing_id.lower()}-{slug(review.garment or 'Unknown')}"


def _product(
    product_id: str, row: SourceReview, photos: list[SourcePhoto], seed: int
) -> Product:
    garment = row.garment or "Unknown"
    return _described(
        product_id, f"{garment} style {row.clothing_id}", garment, photos, seed
    )


def _described(
    product_id: str, name: str, category: str, photos: list[SourcePhoto], seed: int
) -> Product:
    price = int(rng_for(seed, "price", product_id).integers(29, 149)) + 0.9
    return Product(
        product_id,
        name,
        category,
        "Unbranded",
        price,
        f"{name}. The photos show other garments of the same class.",
        tuple(photo.name for photo in photos),
    )


def _extras(photos: list[SourcePhoto], seed: int) -> list[Product]:
    """Products without reviews, for the photos that no reviewed product can take."""
    products = []
    for kind in sorted({photo.garment for photo in photos}):
        category = EXTRA_CATEGORIES.get(kind, kind.capitalize())
        group = [photo for photo in photos if photo.garment == kind]
        for number, start in enumerate(range(0, len(group), PHOTOS_PER_EXTRA), start=1):
            chosen = group[start : start + PHOTOS_PER_EXTRA]
            products.append(
                _described(
                    f"x-{slug(kind)}-{number:02d}",
                    f"{category} style {number}",
                    category,
                    chosen,
                    seed,
                )
            )
    return products


def _bases(
    rows: list[SourceReview], photos: list[SourcePhoto], rng: np.random.Generator
) -> dict[int, SourcePhoto]:
    """Row -> the product photo that its review photo is a shot of; each photo is used about equally often."""
    chosen = rng.permutation(len(rows))[: SHOTS_PER_PHOTO * len(photos)]
    return {
        rows[int(at)].row: photos[turn % len(photos)] for turn, at in enumerate(chosen)
    }


def _review(
    row: SourceReview, product_id: str, base: SourcePhoto | None, seed: int
) -> tuple[Review, Truth]:
    review_id = f"c{row.row:05d}"
    rng = rng_for(seed, "review", review_id)
    author = "reviewer-" + hashlib.sha256(f"{seed}:{row.row}".encode()).hexdigest()[:8]
    day = LAST_DAY - timedelta(days=int(rng.integers(0, 1095)))
    review = Review(
        review_id, product_id, row.title, row.body, row.rating, author, day.isoformat()
    )
    sentiment = sentiment_of(row.rating)
    truth = Truth(
        review_id, sentiment, style="verbatim" if row.title or row.body else "empty"
    )
    if base is None:
        return review, truth
    condition = draw_condition(sentiment, DAMAGE_ODDS, rng)
    return replace(review, photo=f"{review_id}.jpg"), replace(
        truth,
        condition=condition,
        base_photo=base.name,
        agrees=photo_agrees(sentiment, condition, None),
    )


def _as_it_is(photo: SourcePhoto) -> Callable[[], bytes]:
    return lambda: photo.content


def _shot(
    base: SourcePhoto, condition: Condition, name: str, seed: int
) -> Callable[[], bytes]:
    return lambda: another_shot(
        base.name, base.content, condition, rng_for(seed, "photo", name)
    )
