"""Words, numbers, ratings and addresses in schema.org nodes, whichever of the allowed shapes a site chose."""

import re
from collections.abc import Iterable
from typing import Any

from kindling.scraping.rating import Rating, parse_rating
from kindling.scraping.schema_types import listed
from kindling.scraping.structured import Node


def text(value: Any) -> str:
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
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if number else ""


def first_text(node: Node, keys: Iterable[str]) -> str:
    """The first of the keys' values that has words."""
    return next((found for key in keys if (found := text(node.get(key)))), "")


def identifier(node: Node, keys: Iterable[str]) -> str:
    """The first identifier: a text, or a PropertyValue's value."""
    for key in keys:
        value = next(iter(listed(node.get(key))), None)
        if isinstance(value, dict):
            value = value.get("value", value.get("@value"))
        if found := text(value):
            return found
    return ""


def count(value: Any) -> int | None:
    # "1.204" and "1,204" are grouped thousands; 31.0 is a number that a site wrote as a float.
    digits = re.sub(r"\.0$|[^0-9]", "", text(value))
    return int(digits) if 0 < len(digits) < 10 else None


def rating(value: Any) -> Rating | None:
    """The rating in a Rating node, a number or a text."""
    node = next(iter(listed(value)), None)
    if not isinstance(node, dict):
        return parse_rating(node)
    found = parse_rating(scalar(node.get("ratingValue", node.get("@value"))))
    best = parse_rating(scalar(node.get("bestRating")))
    return Rating(found.value, best.value if best else found.best) if found else None


def worst(value: Any) -> float | None:
    """The scale's lowest rating, where it is stated."""
    node = next(iter(listed(value)), None)
    if not isinstance(node, dict):
        return None
    found = parse_rating(scalar(node.get("worstRating")))
    return found.value if found else None


def scalar(value: Any) -> Any:
    """The first of a list; the value of a value node; None for other nodes."""
    value = next(iter(listed(value)), None)
    if isinstance(value, dict):
        value = value.get("@value")
    return None if isinstance(value, dict | list) else value


def addresses(value: Any) -> list[str]:
    """Addresses in strings and in ImageObject nodes."""
    found: list[str] = []
    for one in listed(value):
        if isinstance(one, dict):
            one = next(
                (
                    one[key]
                    for key in ("contentUrl", "url", "@id", "thumbnailUrl")
                    if isinstance(one.get(key), str)
                ),
                "",
            )
        if isinstance(one, str) and one and not one.startswith("data:"):
            found.append(one)
    return found
