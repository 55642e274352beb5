"""The bundled catalogue: products, reviews with planted difficulties, drawn photos, and the truth."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from shop.bundled.assortment import SIZES, Item, stock
from shop.bundled.duplicates import plant_duplicates
from shop.bundled.grammar import Draft, Writer
from shop.chance import pick, rng_for
from shop.conditions import draw_condition
from shop.photos.pen import Look
from shop.photos.scene import PHONE, STUDIO, Shot, photograph
from shop.records import (
    Condition,
    Contents,
    Review,
    Sentiment,
    Truth,
    photo_agrees,
    sentiment_of,
)

#: Stars as real shops have them.
STARS = {5: 0.45, 4: 0.20, 3: 0.13, 2: 0.11, 1: 0.11}
#: Share of reviews whose stars do not say what the text says.
STAR_NOISE = 0.05
EMPTY = 0.025
WITH_PHOTO = 0.45
#: Share of reviews with a photo that leave it to the photo to say how the thing is.
PHOTO_SPEAKS = 0.3
#: Share of texts that name a damage: by what the photo shows.
CLAIMS = {"damaged": 0.6, "intact": 0.08, "none": 0.22}
LAST_DAY = date(2026, 10, 31)
AUTHORS = (
    "Ada",
    "Bilal",
    "Chiara",
    "Dmitri",
    "Ewa",
    "Femi",
    "Greta",
    "Hiro",
    "Ines",
    "Jonas",
    "Kemal",
    "Lena",
    "Mateo",
    "Nadia",
    "Oskar",
    "Priya",
    "Quentin",
    "Rosa",
    "Sinéad",
    "Tomás",
    "Uma",
    "Viktor",
    "Wen",
    "Ximena",
    "Yusuf",
    "Zoë",
)
NOTE = (
    "Texts, products and photos are made by this project; a photo's condition is drawn. "
    "Truth: sentiment is the text's, which the stars contradict at times."
)

Row = tuple[Review, Truth]


def bundled(kind: str, seed: int) -> Contents:
    """The contents of `bundled-smoke` or `bundled-demo`."""
    items = stock(kind, seed)
    rows: list[Row] = []
    for item in items:
        rows += [
            _row(item, f"r{len(rows) + number:05d}", seed)
            for number in range(1, item.reviews + 1)
        ]
    rows = plant_duplicates(
        rows,
        {item.product.product_id: item.category for item in items},
        rng_for(seed, "plant"),
    )
    photos: dict[str, Callable[[], bytes]] = {}
    looks = {item.product.product_id: item.look for item in items}
    for item in items:
        photos.update(
            {
                name: _photo(item.look, STUDIO, "intact", name, seed)
                for name in item.product.photos
            }
        )
    for review, truth in rows:
        if review.photo is not None and truth.condition is not None:
            photos[review.photo] = _photo(
                looks[review.product_id], PHONE, truth.condition, review.photo, seed
            )
    return Contents(
        [item.product for item in items],
        [review for review, _ in rows],
        [truth for _, truth in rows],
        photos,
        SIZES[kind].niches,
        NOTE,
    )


def _photo(
    look: Look, shot: Shot, condition: Condition, name: str, seed: int
) -> Callable[[], bytes]:
    return lambda: photograph(look, shot, condition, rng_for(seed, "photo", name))


def _row(item: Item, review_id: str, seed: int) -> Row:
    rng = rng_for(seed, "review", review_id)
    rating = _rating(item.quality, rng)
    sentiment = _said(rating, rng)
    condition = (
        draw_condition(sentiment, item.category.damage_odds, rng)
        if rng.random() < WITH_PHOTO
        else None
    )
    claimed = _claim(item, sentiment, condition, rng)
    if rng.random() < EMPTY:
        sentiment, claimed = sentiment_of(rating), None
        draft = Draft("Ok" if rng.random() < 0.3 else "", "", "empty")
    elif condition is not None and rng.random() < PHOTO_SPEAKS:
        claimed = None
        draft = Writer(
            item.category, sentiment, _stars(rating, sentiment), rng
        ).point_at_photo()
    else:
        draft = Writer(item.category, sentiment, _stars(rating, sentiment), rng).write(
            claimed
        )
    author = f"{pick(rng, AUTHORS)} {chr(65 + int(rng.integers(26)))}."
    day = LAST_DAY - timedelta(days=int(rng.integers(0, 730)))
    review = Review(
        review_id,
        item.product.product_id,
        draft.title,
        draft.body,
        rating,
        author,
        day.isoformat(),
    )
    truth = Truth(review_id, sentiment, claimed=claimed, style=draft.style)
    if condition is None:
        return review, truth
    return replace(review, photo=f"{review_id}.jpg"), replace(
        truth,
        condition=condition,
        base_photo=pick(rng, item.product.photos),
        agrees=photo_agrees(sentiment, condition, claimed),
    )


def _rating(quality: float, rng: np.random.Generator) -> int:
    weights = np.array(
        [
            share * np.exp(quality * (stars - 3.75) / 1.4)
            for stars, share in STARS.items()
        ]
    )
    return list(STARS)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def _said(rating: int, rng: np.random.Generator) -> Sentiment:
    """What the text will say: as the stars do, but for the noise, which mostly moves by one class."""
    sentiment = sentiment_of(rating)
    if rng.random() >= STAR_NOISE:
        return sentiment
    if sentiment == "neutral":
        return pick(rng, ("negative", "positive"))
    opposite: Sentiment = "negative" if sentiment == "positive" else "positive"
    return pick(rng, ("neutral", "neutral", opposite))


def _stars(rating: int, sentiment: Sentiment) -> int:
    """The stars that the text speaks for."""
    return (
        rating
        if sentiment_of(rating) == sentiment
        else {"negative": 2, "neutral": 3, "positive": 4}[sentiment]
    )


def _claim(
    item: Item,
    sentiment: Sentiment,
    condition: Condition | None,
    rng: np.random.Generator,
) -> Condition | None:
    if sentiment == "positive":
        return None
    shown = (
        "none"
        if condition is None
        else "intact"
        if condition == "intact"
        else "damaged"
    )
    share = CLAIMS[shown] if sentiment == "negative" else CLAIMS[shown] / 2
    if rng.random() >= share:
        return None
    if shown == "damaged":
        return condition
    return pick(rng, list(item.category.damage))
