"""Products and reviews in schema.org nodes, however a site nests, lists or cross-references them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kindling.scraping.findings import FoundProduct, FoundReview, Method
from kindling.scraping.rating import Rating, parse_rating
from kindling.scraping.structured import Node
from kindling.scraping.urls import absolute, last_segment

_PRODUCT_TYPES = {
    "Product",
    "ProductGroup",
    "ProductModel",
    "IndividualProduct",
    "SomeProducts",
}
_REVIEW_TYPES = {"Review", "UserReview"}
_IDENTIFIERS = ("sku", "productID", "mpn", "gtin", "gtin13", "gtin12", "gtin8")
_BODIES = ("reviewBody", "description", "text")
_TITLES = ("name", "headline")
_DATES = ("datePublished", "dateCreated")


@dataclass(frozen=True)
class _Placed:
    """A node, and the innermost product node around it."""

    node: Node
    owner: Node | None


def read(
    nodes: list[Node], url: str, method: Method
) -> tuple[FoundProduct | None, list[FoundReview]]:
    """The page's main product, and its reviews in document order; reviews of other things are left out."""
    placed = list(_walk(nodes))
    known = {
        node["@id"]: node
        for node in (one.node for one in placed)
        if isinstance(node.get("@id"), str) and len(node) > 1
    }
    main = _main_product([one for one in placed if _is(one.node, _PRODUCT_TYPES)], url)
    reviews = [
        _review(one.node, url, method)
        for one in placed
        if _is(one.node, _REVIEW_TYPES)
        and len(one.node) > 2
        and _concerns(one, main, known)
    ]
    return (_product(main, placed, known, url) if main else None), reviews


def _walk(roots: list[Node]) -> Iterator[_Placed]:
    """Every node once, in document order. No recursion: pages nest as deep as they like."""
    stack: list[tuple[Any, Node | None, str]] = [
        (root, None, "") for root in reversed(roots)
    ]
    seen: set[int] = set()
    while stack:
        value, owner, key = stack.pop()
        if isinstance(value, list):
            stack.extend((one, owner, key) for one in reversed(value))
        elif isinstance(value, dict) and id(value) not in seen:
            seen.add(id(value))
            # Some sites leave the type of what stands under `review` out.
            if (
                key in ("review", "reviews")
                and not _types(value)
                and "@id" not in value
            ):
                value = {**value, "@type": "Review"}
            yield _Placed(value, owner)
            # Variants' reviews are the product's own.
            inner = (
                value
                if _is(value, _PRODUCT_TYPES) and key not in ("hasVariant", "model")
                else owner
            )
            stack.extend((one, inner, name) for name, one in reversed(value.items()))


def _types(node: Node) -> set[str]:
    return {str(one).rsplit("/", 1)[-1] for one in _listed(node.get("@type"))}


def _is(node: Node, types: set[str]) -> bool:
    return bool(_types(node) & types)


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _main_product(products: list[_Placed], url: str) -> Node | None:
    """The product that the page is about: by its address, else the one with reviews, else with an offer."""
    if not products:
        return None

    def rank(one: _Placed) -> tuple[bool, bool, bool, bool]:
        stated = [
            _text(one.node.get(key)) for key in ("url", "@id", "mainEntityOfPage")
        ]
        addresses = {
            absolute(url, address) for address in stated if not address.startswith("#")
        }
        return (
            url in addresses,
            "review" in one.node or "reviews" in one.node,
            one.owner is None,
            "offers" in one.node or "aggregateRating" in one.node,
        )

    # max() keeps the first of equals.
    return max(products, key=rank).node


def _concerns(review: _Placed, main: Node | None, known: dict[str, Node]) -> bool:
    subjects = [
        known.get(one["@id"], one)
        if isinstance(one, dict) and isinstance(one.get("@id"), str)
        else one
        for one in _listed(review.node.get("itemReviewed"))
    ]
    for subject in subjects:
        if isinstance(subject, dict) and _types(subject):
            return _is(subject, _PRODUCT_TYPES) and (
                main is None or _same(subject, main)
            )
    return review.owner is None or main is None or _same(review.owner, main)


def _same(product: Node, other: Node) -> bool:
    """One product may be described in several nodes."""
    if product is other:
        return True
    return any(
        _text(product.get(key)) and _text(product.get(key)) == _text(other.get(key))
        for key in ("@id", "sku", "name")
    )


def _product(
    main: Node, placed: list[_Placed], known: dict[str, Node], url: str
) -> FoundProduct:
    twins = [
        main,
        *(
            one.node
            for one in placed
            if _is(one.node, _PRODUCT_TYPES)
            and one.node is not main
            and _same(one.node, main)
        ),
    ]
    identifier = next(
        (found for key in _IDENTIFIERS if (found := _text(main.get(key)))), ""
    )
    aggregate = next(
        (
            node["aggregateRating"]
            for node in twins
            if isinstance(node.get("aggregateRating"), dict)
        ),
        {},
    )
    aggregate = known.get(_text(aggregate.get("@id")), aggregate)
    name = _text(main.get("name"))
    photos = (
        absolute(url, address)
        for node in twins
        for address in _addresses(node.get("image"))
    )
    rating = _rating(aggregate)
    return FoundProduct(
        product_id=identifier
        or last_segment(_text(main.get("@id")))
        or last_segment(url),
        name=name,
        category=_category(main) or _breadcrumb(placed, name),
        photo_urls=tuple(dict.fromkeys(photo for photo in photos if photo)),
        stated_reviews=_count(aggregate.get("reviewCount")),
        stated_rating=rating.value if rating else None,
    )


def _review(node: Node, url: str, method: Method) -> FoundReview:
    rating = _rating(node.get("reviewRating"))
    scale = (
        node.get("reviewRating") if isinstance(node.get("reviewRating"), dict) else {}
    )
    photos = (
        absolute(url, one)
        for key in ("image", "associatedMedia")
        for one in _addresses(node.get(key))
    )
    worst = parse_rating(scale.get("worstRating"))
    return FoundReview(
        review_id=_review_id(node),
        title=_first(node, _TITLES),
        body=_first(node, _BODIES),
        rating=rating.value if rating else None,
        best=rating.best if rating else None,
        worst=worst.value if worst else None,
        author=_text(node.get("author")),
        published=_first(node, _DATES),
        photo_url=next((photo for photo in photos if photo), ""),
        method=method,
        extractor=method,
    )


def _review_id(node: Node) -> str:
    identifier = node.get("identifier")
    if isinstance(identifier, dict):
        identifier = identifier.get("value")
    address = _text(node.get("@id"))
    if found := _text(identifier):
        return found
    # Blank nodes (_:b0) are numbered anew on every rendering.
    return "" if address.startswith("_:") else address.partition("#")[2] or address


def _rating(node: Any) -> Rating | None:
    node = next(iter(_listed(node)), None)
    if not isinstance(node, dict):
        return parse_rating(node)
    found = parse_rating(_scalar(node.get("ratingValue", node.get("@value"))))
    best = parse_rating(_scalar(node.get("bestRating")))
    return Rating(found.value, best.value if best else found.best) if found else None


def _scalar(value: Any) -> Any:
    value = next(iter(_listed(value)), None)
    return None if isinstance(value, dict) else value


def _count(value: Any) -> int | None:
    # "1.204" and "1,204" are grouped thousands; 31.0 is a number that a site wrote as a float.
    digits = re.sub(r"\.0$|[^0-9]", "", _text(value))
    return int(digits) if 0 < len(digits) < 10 else None


def _category(product: Node) -> str:
    return _text(product.get("category")).rsplit(">", 1)[-1].strip()


def _breadcrumb(placed: Iterable[_Placed], product_name: str) -> str:
    """The last step of the breadcrumb before the product itself; home alone is no category."""
    for trail in (one.node for one in placed if _is(one.node, {"BreadcrumbList"})):
        steps = [
            step
            for step in _listed(trail.get("itemListElement"))
            if isinstance(step, dict)
        ]
        steps.sort(key=lambda step: _count(step.get("position")) or 0)
        names = [_text(step.get("name")) or _text(step.get("item")) for step in steps]
        names = [name for name in names[1:] if name and name != product_name]
        if names:
            return names[-1]
    return ""


def _first(node: Node, keys: Iterable[str]) -> str:
    return next((found for key in keys if (found := _text(node.get(key)))), "")


def _text(value: Any) -> str:
    """The words in a string, number, node with a name or value, or the first of a list of such."""
    for _ in range(8):
        if isinstance(value, list):
            value = next(iter(value), None)
        elif isinstance(value, dict):
            value = next(
                (
                    value[key]
                    for key in ("@value", "name", "value", "text", "@id")
                    if key in value
                ),
                None,
            )
        else:
            break
    if isinstance(value, str):
        return value.strip()
    return (
        str(value)
        if isinstance(value, int | float) and not isinstance(value, bool)
        else ""
    )


def _addresses(value: Any) -> list[str]:
    found: list[str] = []
    for one in _listed(value):
        if isinstance(one, dict):
            one = next(
                (
                    one[key]
                    for key in ("contentUrl", "url", "@id")
                    if isinstance(one.get(key), str)
                ),
                "",
            )
        if isinstance(one, str) and one:
            found.append(one)
    return found
