"""Where a picture on a page really is: lazy pages keep the address beside a placeholder."""

import re

from selectolax.lexbor import LexborNode

_LAZY = (
    "data-src",
    "data-original",
    "data-lazy-src",
    "data-lazy",
    "data-zoom-image",
    "data-large-image",
    "data-large_image",
    "data-old-hires",
    "data-image",
    "data-url",
)
_SETS = ("srcset", "data-srcset", "data-lazy-srcset")
_PLACEHOLDER = re.compile(
    r"^(?:data:|about:|#)|(?:placeholder|blank|spacer|transparent|loading|lazy|1x1|pixel)"
    r"[\w-]*\.(?:gif|png|svg|jpe?g|webp)",
    re.IGNORECASE,
)


def picture_address(image: LexborNode) -> str:
    """The picture's address as the page writes it, empty where only a placeholder is there."""
    attributes = image.attributes
    source = (attributes.get("src") or "").strip()
    if source and not _PLACEHOLDER.search(source):
        return source
    for name in _LAZY:
        value = (attributes.get(name) or "").strip()
        if value and not _PLACEHOLDER.search(value):
            return value
    for name in _SETS:
        if found := _largest(attributes.get(name) or ""):
            return found
    return "" if source.startswith(("data:", "about:", "#")) else source


def _largest(source_set: str) -> str:
    """The candidate of a srcset with the largest width or density."""
    best, size = "", -1.0
    for candidate in re.split(r",\s+", source_set):
        address, _, descriptor = candidate.strip().partition(" ")
        number = re.match(r"\d+(?:\.\d+)?", descriptor.strip())
        this = float(number[0]) if number else 1.0
        if address and not _PLACEHOLDER.search(address) and this > size:
            best, size = address, this
    return best
