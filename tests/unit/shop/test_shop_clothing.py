"""The clothing catalogue: all of the source, unedited, and every photo with one product only."""

import csv
import gzip
import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from shop.clothing.making import SHOTS_PER_PHOTO, clothing
from shop.clothing.pairing import FITS
from shop.clothing.source import Source, read
from shop.errors import BadInput
from shop.records import Contents

SEED = 20261121


@pytest.fixture(scope="module")
def source(clothing_data: Path) -> Source:
    return read(clothing_data)


@pytest.fixture(scope="module")
def made(source: Source) -> Contents:
    return clothing(source, SEED)


def test_every_review_is_served_verbatim(made: Contents, clothing_data: Path) -> None:
    with gzip.open(
        clothing_data / "clothing" / "reviews.csv.gz",
        "rt",
        encoding="utf-8",
        newline="",
    ) as file:
        rows = list(csv.DictReader(file))
    category_of = {product.product_id: product.category for product in made.products}
    served = Counter(
        (r.title, r.body, r.rating, category_of[r.product_id]) for r in made.reviews
    )
    assert served == Counter(
        (
            row["Title"],
            row["Review Text"],
            int(row["Rating"]),
            row["Class Name"] or "Unknown",
        )
        for row in rows
    )
    assert len({r.product_id for r in made.reviews}) == len(
        {(row["Clothing ID"], row["Class Name"]) for row in rows}
    )
    assert all(review.author.startswith("reviewer-") for review in made.reviews)


def test_every_photo_is_served_unedited_by_one_product(
    made: Contents, source: Source
) -> None:
    times = Counter(photo for product in made.products for photo in product.photos)
    assert times == Counter(photo.name for photo in source.photos)
    for photo in source.photos:
        assert made.photos[photo.name]() == photo.content


def test_photos_stand_with_a_class_they_fit(made: Contents, source: Source) -> None:
    garment = {photo.name: photo.garment for photo in source.photos}
    reviewed = {review.product_id for review in made.reviews}
    for product in made.products:
        for photo in product.photos if product.product_id in reviewed else ():
            assert garment[photo] in FITS[product.category]
    extras = [
        product for product in made.products if product.product_id not in reviewed
    ]
    assert {product.category for product in extras} == {"Hats", "Shoes"}
    # Enough photos for all: nobody of a paired class goes without.
    assert all(
        p.photos
        for p in made.products
        if p.product_id in reviewed and p.category in FITS
    )


def test_review_photos_are_few_shots_of_the_products_own_photos(made: Contents) -> None:
    photos_of = {product.product_id: product.photos for product in made.products}
    shots: Counter[str] = Counter()
    for review, truth in zip(made.reviews, made.truths, strict=True):
        assert review.review_id == truth.review_id
        assert (review.photo is None) == (truth.base_photo is None)
        if truth.base_photo is not None:
            assert truth.base_photo in photos_of[review.product_id]
            shots[truth.base_photo] += 1
    assert shots and max(shots.values()) <= SHOTS_PER_PHOTO
    assert (
        len({review.photo for review in made.reviews if review.photo}) == shots.total()
    )


def test_made_twice_it_is_the_same(made: Contents, source: Source) -> None:
    again = clothing(source, SEED)
    assert (made.products, made.reviews, made.truths) == (
        again.products,
        again.reviews,
        again.truths,
    )
    name = next(review.photo for review in made.reviews if review.photo)
    assert (
        hashlib.sha256(made.photos[name]()).digest()
        == hashlib.sha256(again.photos[name]()).digest()
    )
    assert [p.photos for p in clothing(source, SEED + 1).products] != [
        p.photos for p in made.products
    ]


def _repack(folder: Path, old: str, new: str) -> None:
    path = folder / "reviews.csv.gz"
    path.write_bytes(
        gzip.compress(
            gzip.decompress(path.read_bytes()).decode().replace(old, new).encode()
        )
    )


def _relist(folder: Path, old: str, new: str) -> None:
    path = folder / "photos.csv"
    path.write_text(path.read_text().replace(old, new))


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no reviews": (
        lambda f: (f / "reviews.csv.gz").unlink(),
        r"reviews\.csv\.gz: cannot be read .*expected clothing/",
    ),
    "no listing": (
        lambda f: (f / "photos.csv").unlink(),
        r"photos\.csv: cannot be read",
    ),
    "gzip cut short": (
        lambda f: (f / "reviews.csv.gz").write_bytes(
            (f / "reviews.csv.gz").read_bytes()[:60]
        ),
        "damaged gzip",
    ),
    "no gzip": (lambda f: (f / "reviews.csv.gz").write_bytes(b"a,b"), "damaged gzip"),
    "no such column": (lambda f: _repack(f, "Rating", "Stars"), "no column 'Rating'"),
    "six stars": (
        lambda f: _repack(f, "It is fine,3", "It is fine,6"),
        "row 4: Rating is '6'",
    ),
    "row cut short": (lambda f: _repack(f, ",5,\r\n", "\r\n"), "row 10 is cut short"),
    "odd product id": (
        lambda f: _repack(f, "14,", "../14,"),
        r"row 8: Clothing ID is '\.\./14'",
    ),
    "photo missing": (
        lambda f: (f / "photos" / "hat_7.jpg").unlink(),
        r"hat_7\.jpg: cannot be read",
    ),
    "photo damaged": (
        lambda f: (f / "photos" / "hat_7.jpg").write_bytes(b"rot"),
        r"hat_7\.jpg: damaged",
    ),
    "photo elsewhere": (
        lambda f: _relist(f, "photos/hat_7.jpg", "../../hat_7.jpg"),
        "row 8: .* is no JPEG file under",
    ),
    "photo twice": (
        lambda f: _relist(f, "photos/hat_7.jpg", "photos/shoes_8.jpg"),
        r"shoes_8\.jpg is listed 2 times",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_data_is_named(small_data: Path, fault: str) -> None:
    spoil, message = FAULTS[fault]
    spoil(small_data / "clothing")
    with pytest.raises(BadInput, match=message) as caught:
        read(small_data)
    assert str(small_data) in str(caught.value)
