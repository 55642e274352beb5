"""Gives every real garment photo to exactly one product of a class that it fits."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from shop.clothing.source import SourcePhoto

#: Class of the reviews -> classes of the photos that may stand for it.
FITS: Mapping[str, tuple[str, ...]] = {
    "Dresses": ("dress",),
    "Pants": ("pants",),
    "Jeans": ("pants",),
    "Skirts": ("skirt",),
    "Shorts": ("shorts",),
    "Blouses": ("shirt",),
    "Knits": ("t-shirt", "longsleeve"),
    "Sweaters": ("longsleeve",),
    "Fine gauge": ("longsleeve",),
    "Jackets": ("outwear",),
    "Outerwear": ("outwear",),
}


def pair(
    products: Mapping[str, tuple[str, int]],
    photos: tuple[SourcePhoto, ...],
    rng: np.random.Generator,
) -> tuple[dict[str, list[SourcePhoto]], list[SourcePhoto]]:
    """Product id -> its photos, and the photos that fit no product.

    `products` maps an id to its class and its number of reviews. A product without a photo comes first;
    then the one with most reviews per photo. Photos that fit few products choose before the others, so
    that nobody's only chance is taken.
    """
    given: defaultdict[str, list[SourcePhoto]] = defaultdict(list)
    rest: list[SourcePhoto] = []
    shuffled = [photos[int(at)] for at in rng.permutation(len(photos))]
    takers = {
        kind: _takers(kind, products) for kind in {photo.garment for photo in photos}
    }
    for photo in sorted(
        shuffled, key=lambda one: (len(takers[one.garment]), one.garment)
    ):
        if not takers[photo.garment]:
            rest.append(photo)
            continue
        neediest = max(
            takers[photo.garment],
            key=lambda taker: (
                not given[taker],
                products[taker][1] / (len(given[taker]) + 1),
                taker,
            ),
        )
        given[neediest].append(photo)
    return dict(given), rest


def _takers(kind: str, products: Mapping[str, tuple[str, int]]) -> list[str]:
    return [
        product_id
        for product_id, (garment, _) in products.items()
        if kind in FITS.get(garment, ())
    ]
