"""The bundled catalogue's products."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from shop.bundled.vocabulary import Category, categories, names
from shop.chance import pick, rng_for
from shop.photos.pen import Look
from shop.records import Product


@dataclass(frozen=True)
class Shelf:
    """How many products and reviews a category has."""

    products: int
    reviews: int


@dataclass(frozen=True)
class Size:
    shelves: Mapping[str, Shelf]
    niches: tuple[str, ...]


SIZES: Mapping[str, Size] = {
    "bundled-smoke": Size(
        {
            "Mugs": Shelf(12, 130),
            "Backpacks": Shelf(10, 115),
            "Tea towels": Shelf(10, 115),
            "Teapots": Shelf(9, 90),
        },
        ("Teapots",),
    ),
    "bundled-demo": Size(
        {
            "Mugs": Shelf(18, 500),
            "Backpacks": Shelf(18, 480),
            "Table lamps": Shelf(17, 450),
            "Tea towels": Shelf(18, 460),
            "Cushions & throws": Shelf(18, 460),
            "Vases": Shelf(17, 440),
            "Teapots": Shelf(7, 110),
            "Wall clocks": Shelf(7, 100),
        },
        ("Teapots", "Wall clocks"),
    ),
}


@dataclass(frozen=True)
class Item:
    """A product with what its page does not say: its looks, its quality, how much people write of it."""

    product: Product
    category: Category
    look: Look
    #: 0 for an average product; moves its stars up or down.
    quality: float
    reviews: int


def stock(kind: str, seed: int) -> list[Item]:
    """All items of a bundled kind."""
    return [
        item
        for name, shelf in SIZES[kind].shelves.items()
        for item in _shelf(categories()[name], shelf, seed)
    ]


def _shelf(category: Category, shelf: Shelf, seed: int) -> list[Item]:
    rng = rng_for(seed, "shelf", category.name)
    series, brands = names()
    titles = [f"{one} {noun}" for one in series for noun in category.nouns]
    chosen = rng.permutation(len(titles))[: shelf.products]
    counts = _shares(shelf.reviews, shelf.products, rng)
    items = []
    for number, (at, count) in enumerate(zip(chosen, counts, strict=True), start=1):
        product_id = f"{category.item.replace(' ', '-')}-{number:02d}"
        photos = tuple(
            f"{product_id}-{view}.jpg" for view in range(1, int(rng.integers(1, 3)) + 1)
        )
        name, brand = titles[int(at)], pick(rng, brands)
        price = round(float(rng.uniform(*category.price)), 1) + 0.09
        product = Product(
            product_id,
            name,
            category.name,
            brand,
            round(price, 2),
            f'The "{name}" by {brand}: a {category.item} from our {category.name} shelf.',
            photos,
        )
        look = Look.draw(category.shape, rng_for(seed, "look", product_id))
        items.append(Item(product, category, look, float(rng.normal(0, 0.25)), count))
    return items


def _shares(total: int, parts: int, rng: np.random.Generator) -> list[int]:
    """Positive whole numbers that sum to `total`: a few products have most, as in real shops."""
    weights = rng.lognormal(0, 0.6, parts)
    counts = 1 + np.floor((total - parts) * weights / weights.sum()).astype(int)
    counts[: total - int(counts.sum())] += 1
    return [int(count) for count in counts]
