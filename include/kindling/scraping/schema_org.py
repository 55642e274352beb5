"""Products and reviews in schema.org nodes, however a site nests, lists or cross-references them."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from kindling.scraping.findings import FoundProduct, FoundReview, Method
from kindling.scraping.schema_types import (
    OTHERS,
    has_type,
    is_product,
    listed,
    types,
)
from kindling.scraping.schema_values import (
    addresses,
    count,
    first_text,
    identifier,
    rating,
    text,
    worst,
)
from kindling.scraping.schema_walk import Families, Placed, reviews_of, walk
from kindling.scraping.structured import Node
from kindling.scraping.urls import absolute, last_segment

#: A group's id first: its variants share their reviews.
_IDENTIFIERS = (
    "productGroupID",
    "inProductGroupWithID",
    "sku",
    "productID",
    "identifier",
    "mpn",
    "gtin",
    "gtin14",
    "gtin13",
    "gtin12",
    "gtin8",
    "isbn",
    "asin",
)
_BODIES = ("reviewBody", "description", "text", "articleBody", "body")
_TITLES = ("name", "headline", "title")
_DATES = ("datePublished", "dateCreated", "uploadDate", "dateModified")
_WORD = re.compile(r"\w+")


def read(
    nodes: list[Node], url: str, method: Method
) -> tuple[FoundProduct | None, list[FoundReview]]:
    """The page's main product, and its reviews in document order; reviews of other things are left out."""
    placed = list(walk(nodes))
    families = Families(placed)
    main = _main_product(
        [one for one in placed if is_product(one.node) and not one.is_variant], url
    )
    concerning = [one for one in reviews_of(placed) if _concerns(one, main, families)]
    reviews = [_review(one.node, url, method) for one in _once_a_family(concerning)]
    return (_product(main, placed, families, url) if main else None), reviews


def _main_product(products: list[Placed], url: str) -> Node | None:
    """The product that the page is about: by its address, else the one with reviews, else with an offer."""
    if not products:
        return None

    def rank(one: Placed) -> tuple[bool, bool, bool, bool]:
        stated = [text(one.node.get(key)) for key in ("url", "@id", "mainEntityOfPage")]
        here = {absolute(url, one) for one in stated if not one.startswith("#")}
        return (
            url in here,
            "review" in one.node or "reviews" in one.node,
            one.owner is None,
            "offers" in one.node
            or "aggregateRating" in one.node
            or "hasVariant" in one.node,
        )

    # max() keeps the first of equals.
    return max(products, key=rank).node


def _concerns(review: Placed, main: Node | None, families: Families) -> bool:
    """Whether a review is of the main product.

    What it says of its subject counts first, then what it is nested in. A subject of another type counts
    for nothing where the review lies within the product, unless it is a shop, a person or the like.
    """
    if main is None:
        return not any(
            isinstance(subject, dict) and has_type(subject, OTHERS)
            for subject in map(
                families.resolved, listed(review.node.get("itemReviewed"))
            )
        )
    within = review.owner is not None and families.same(review.owner, main)
    for subject in map(families.resolved, listed(review.node.get("itemReviewed"))):
        if not isinstance(subject, dict) or not types(subject):
            continue
        if has_type(subject, OTHERS):
            return False
        if families.same(subject, main) or _similar(subject, main):
            return True
        if is_product(subject):
            return False
        return within or (review.owner is None and not text(subject.get("name")))
    return review.owner is None or within


def _similar(subject: Node, main: Node) -> bool:
    """Whether one name holds most words of the other: "Oak stool, red" and "Oak stool"."""
    one, other = (
        {word.lower() for word in _WORD.findall(text(node.get("name")))}
        for node in (subject, main)
    )
    shared = len(one & other)
    return shared > 0 and shared >= 0.8 * min(len(one), len(other)) and shared >= 2


def _once_a_family(reviews: list[Placed]) -> list[Placed]:
    """The reviews without the copies that a product's variants repeat."""
    kept: list[Placed] = []
    counted: dict[int, Counter[tuple[str, ...]]] = {}
    most: Counter[tuple[str, ...]] = Counter()
    for one in reviews:
        key = (
            first_text(one.node, _BODIES),
            first_text(one.node, _TITLES),
            text(one.node.get("author")),
            first_text(one.node, _DATES),
        )
        within = counted.setdefault(one.variant, Counter())
        within[key] += 1
        # Two buyers may write the same words; one variant's copy of another's are not two buyers.
        if within[key] > most[key]:
            most[key] = within[key]
            kept.append(one)
    return kept


def _product(
    main: Node, placed: list[Placed], families: Families, url: str
) -> FoundProduct:
    twins = [
        main,
        *(
            one.node
            for one in placed
            if is_product(one.node)
            and one.node is not main
            and families.same(one.node, main)
        ),
    ]
    aggregate = next(
        (
            found
            for node in twins
            if isinstance(
                found := families.resolved(_first(node.get("aggregateRating"))), dict
            )
        ),
        {},
    )
    name = text(main.get("name"))
    photos = (
        absolute(url, address)
        for node in twins
        for address in addresses(node.get("image"))
    )
    mean = rating(aggregate)
    return FoundProduct(
        product_id=_product_id(main, families)
        or last_segment(text(main.get("@id")))
        or last_segment(url),
        name=name,
        category=_category(main) or _breadcrumb(placed, name),
        photo_urls=tuple(dict.fromkeys(photo for photo in photos if photo)),
        stated_reviews=count(aggregate.get("reviewCount")),
        stated_ratings=count(aggregate.get("ratingCount")),
        stated_rating=mean.value if mean else None,
    )


def _product_id(main: Node, families: Families) -> str:
    group = families.resolved(_first(main.get("isVariantOf")))
    if isinstance(group, dict) and (found := text(group.get("productGroupID"))):
        return found
    return identifier(main, _IDENTIFIERS)


def _first(value: Any) -> Any:
    return next(iter(listed(value)), None)


def _review(node: Node, url: str, method: Method) -> FoundReview:
    scale = node.get("reviewRating", node.get("rating"))
    found = rating(scale)
    photos = (
        absolute(url, one)
        for key in ("image", "associatedMedia", "photo")
        for one in addresses(node.get(key))
    )
    review_id, address = _review_id(node, url)
    return FoundReview(
        review_id=review_id,
        address=address,
        title=first_text(node, _TITLES),
        body=first_text(node, _BODIES),
        rating=found.value if found else None,
        best=found.best if found else None,
        worst=worst(scale),
        author=text(node.get("author")),
        published=first_text(node, _DATES),
        photo_url=next((photo for photo in photos if photo), ""),
        method=method,
        extractor=method,
    )


def _review_id(node: Node, url: str) -> tuple[str, str]:
    """The site's id for the review, and the address that it holds for where it is part of one."""
    if found := identifier(node, ("identifier",)):
        return found, ""
    stated = text(node.get("@id"))
    # Blank nodes (_:b0) are numbered anew on every rendering.
    if not stated or stated.startswith("_:"):
        return "", ""
    address, _, fragment = stated.partition("#")
    return fragment or stated, f"{absolute(url, address) or url}#{fragment}"


def _category(product: Node) -> str:
    """The last step of the product's category; a taxonomy's number is none."""
    steps = re.split(r"[>›»|]|\s/\s", text(product.get("category")))
    steps = [step.strip() for step in steps if step.strip()]
    return steps[-1] if steps and not steps[-1].isdigit() else ""


def _breadcrumb(placed: Iterable[Placed], product_name: str) -> str:
    """The last step of the breadcrumb before the product itself; home alone is no category."""
    for trail in (one.node for one in placed if has_type(one.node, {"breadcrumblist"})):
        steps = [
            step
            for step in listed(trail.get("itemListElement"))
            if isinstance(step, dict)
        ]
        steps.sort(key=lambda step: count(step.get("position")) or 0)
        names = [text(step.get("name")) or text(step.get("item")) for step in steps]
        names = [name for name in names[1:] if name and name != product_name]
        if names:
            return names[-1]
    return ""
