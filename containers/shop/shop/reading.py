"""Reads a catalogue folder and refuses a damaged one."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from shop.errors import BadInput
from shop.records import Manifest, Product, Review, Truth

MANIFEST = "catalogue.json"
TABLES = ("products.jsonl", "reviews.jsonl", "truth.jsonl")

Row = TypeVar("Row", Product, Review, Truth)


@dataclass(frozen=True)
class Catalogue:
    manifest: Manifest
    products: Mapping[str, Product]
    reviews: tuple[Review, ...]
    truths: Mapping[str, Truth]
    #: File name -> JPEG bytes: all are read to be checked, and then served from here.
    photos: Mapping[str, bytes]
    #: Product id -> day of its last change, where that is not its newest review's.
    changed: Mapping[str, str] = field(default_factory=dict)

    def last_change(self, product_id: str) -> str:
        """The day on which the product's pages last changed; empty where it never had a review."""
        reviews = self.reviews_of.get(product_id, [])
        newest = reviews[0].date if reviews else ""
        return max(self.changed.get(product_id, ""), newest)

    @cached_property
    def reviews_of(self) -> Mapping[str, list[Review]]:
        """Product id -> its reviews, newest first."""
        grouped: defaultdict[str, list[Review]] = defaultdict(list)
        for review in sorted(
            self.reviews, key=lambda row: (row.date, row.review_id), reverse=True
        ):
            grouped[review.product_id].append(review)
        return grouped


def load(folder: Path) -> Catalogue:
    """The catalogue in `folder`, every file checked against its hash; BadInput names what is wrong."""
    manifest = _manifest(folder)
    content = {
        name: _checked(folder / name, expected)
        for name, expected in manifest.sha256.items()
    }
    missing = [name for name in TABLES if name not in content]
    if missing:
        raise BadInput(
            f"{folder / MANIFEST}: lists no {missing[0]}; make the catalogue again"
        )
    products = _rows(folder / TABLES[0], content[TABLES[0]], Product)
    reviews = _rows(folder / TABLES[1], content[TABLES[1]], Review)
    truths = _rows(folder / TABLES[2], content[TABLES[2]], Truth)
    photos = {
        name.removeprefix("photos/"): data
        for name, data in content.items()
        if name.startswith("photos/")
    }
    _check_references(folder, products, reviews, photos)
    return Catalogue(
        manifest,
        {row.product_id: row for row in products},
        tuple(reviews),
        {row.review_id: row for row in truths},
        photos,
    )


def _manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_bytes())
        return Manifest(**{**content, "niches": tuple(content["niches"])})
    except FileNotFoundError:
        raise BadInput(
            f"{folder}: no catalogue here (no {MANIFEST}); make one with `make --out {folder}`"
        ) from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise BadInput(f"{path}: damaged: {error}; make the catalogue again") from None


def _checked(path: Path, expected: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read: {error.strerror}; make the catalogue again"
        ) from None
    if hashlib.sha256(content).hexdigest() != expected:
        raise BadInput(
            f"{path}: damaged (SHA-256 is not the one in {MANIFEST}); make the catalogue again"
        )
    return content


def _rows(path: Path, content: bytes, row_type: type[Row]) -> list[Row]:
    rows = []
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            values: dict[str, Any] = json.loads(line)
            if row_type is Product:
                values["photos"] = tuple(values["photos"])
            rows.append(row_type(**values))
        except (ValueError, TypeError, KeyError) as error:
            raise BadInput(
                f"{path}:{number}: not a {row_type.__name__}: {error}"
            ) from None
    return rows


def _check_references(
    folder: Path,
    products: list[Product],
    reviews: list[Review],
    photos: Mapping[str, bytes],
) -> None:
    known = {product.product_id for product in products}
    for review in reviews:
        if review.product_id not in known:
            raise BadInput(
                f"{folder}: review {review.review_id} is of unknown product {review.product_id}"
            )
        if review.photo is not None and review.photo not in photos:
            raise BadInput(
                f"{folder / 'photos' / review.photo}: photo of review {review.review_id} is not listed"
            )
    for product in products:
        for photo in product.photos:
            if photo not in photos:
                raise BadInput(
                    f"{folder / 'photos' / photo}: photo of product {product.product_id} is not listed"
                )
