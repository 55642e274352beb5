"""schema.org descriptions of a product page."""

from typing import Any

from shop.records import Product, Review
from shop.slug import slug


def breadcrumb(product: Product) -> dict[str, Any]:
    """Home, category, product."""
    steps = (
        ("Home", "/"),
        (product.category, f"/c/{slug(product.category)}"),
        (product.name, f"/p/{product.product_id}"),
    )
    return {
        "@context": "https://schema.org",
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": position, "name": name, "item": item}
            for position, (name, item) in enumerate(steps, start=1)
        ],
    }


def product_ld(
    product: Product, mean: float | None, count: int, shown: list[Review]
) -> dict[str, Any]:
    """The product with the reviews of one page; `mean` and `count` are of all its pages."""
    content: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Product",
        "@id": f"/p/{product.product_id}",
        "sku": product.product_id,
        "name": product.name,
        "category": product.category,
        "description": product.description,
        "brand": {"@type": "Brand", "name": product.brand},
        "image": [f"/photos/{photo}" for photo in product.photos],
        "offers": {
            "@type": "Offer",
            "price": f"{product.price:.2f}",
            "priceCurrency": "EUR",
        },
    }
    if mean is not None:
        content["aggregateRating"] = {
            "@type": "AggregateRating",
            "ratingValue": mean,
            "reviewCount": count,
            "bestRating": 5,
            "worstRating": 1,
        }
    content["review"] = [_review_ld(review) for review in shown]
    return content


def _review_ld(review: Review) -> dict[str, Any]:
    content: dict[str, Any] = {
        "@type": "Review",
        "@id": f"/p/{review.product_id}#{review.review_id}",
        "identifier": review.review_id,
        "reviewBody": review.body,
        "reviewRating": {
            "@type": "Rating",
            "ratingValue": review.rating,
            "bestRating": 5,
            "worstRating": 1,
        },
        "author": {"@type": "Person", "name": review.author},
        "datePublished": review.date,
    }
    if review.title:
        content["name"] = review.title
    if review.photo is not None:
        content["image"] = f"/photos/{review.photo}"
    return content
