"""What repeats on the pages of a shop: elements by their stable marks, and places that show a rating."""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from kindling.scraping.rating import Rating
from kindling.scraping.rating_element import rating_of

#: Attributes whose values name what an element is; others (ids, styles, states) name one of many.
_NAMING = re.compile(
    r"^(?:itemprop|role|data-[\w-]*(?:hook|test|qa|name|type|role|component)[\w-]*)$"
)
_WORDLIKE = re.compile(r"[a-z][a-z_:-]{1,40}", re.IGNORECASE)
#: Class names that say how an element looks at the moment, or that a build makes up.
_PASSING = re.compile(
    r"^(?:is|has|js)-|^(?:even|odd|first|last|active|hidden|visible|open|clearfix|row|col|"
    r"container|wrapper|inner|left|right|depth|thread)\b|--|:|^[a-z]{1,2}$",
    re.IGNORECASE,
)
_SHOWS_RATING = (
    ", ".join(
        f'[class*="{word}" i]' for word in ("star", "rating", "rate", "score", "bubble")
    )
    + ", [aria-label], [title], [data-rating], [data-score], [data-stars]"
)
_GLYPHS = "★☆⭐●"
#: Characters; more text than this is not a rating alone.
_SHORT = 80
_MAX_SPOTS = 400
_CLIMB = 9


def keys_of(node: LexborNode) -> list[str]:
    """CSS selectors of one step that name the kind of this element: by its naming attributes and classes."""
    tag, attributes = node.tag or "", node.attributes
    keys = [
        f'{tag}[{name}="{value}"]'
        for name, value in attributes.items()
        if value and _NAMING.match(name) and _WORDLIKE.fullmatch(value)
    ]
    for word in (attributes.get("class") or "").split():
        if _WORDLIKE.fullmatch(word) and ":" not in word and not _PASSING.search(word):
            keys.append(f"{tag}.{word}")
    return keys


def rating_spots(tree: LexborHTMLParser) -> list[tuple[LexborNode, Rating]]:
    """The outermost elements that show a rating and nothing else, in document order."""
    found: dict[int, tuple[LexborNode, Rating]] = {}
    for node in (*tree.css(_SHOWS_RATING), *_with_glyphs(tree)):
        if len(found) >= _MAX_SPOTS:
            break
        if node.mem_id in found or len(node.text()) > 2 * _SHORT:
            continue
        if len(" ".join(node.text().split())) > _SHORT:
            continue
        rating = rating_of(node)
        if rating is not None and 0 < rating.value <= (rating.best or 5):
            found[node.mem_id] = (node, rating)
    return [
        (node, rating)
        for node, rating in found.values()
        if not any(one.mem_id in found for one in ancestors(node, 6))
    ]


def ancestors(node: LexborNode, most: int = _CLIMB) -> Iterator[LexborNode]:
    """The elements around this one, from inside out."""
    above = node.parent
    for _ in range(most):
        if above is None or above.tag in ("body", "html", None):
            return
        yield above
        above = above.parent


def _with_glyphs(tree: LexborHTMLParser) -> Iterator[LexborNode]:
    if tree.body is None or not any(glyph in tree.body.text() for glyph in _GLYPHS):
        return
    for node in tree.body.traverse(include_text=True):
        if node.is_text_node and node.parent is not None:
            text = node.text_content or ""
            if any(glyph in text for glyph in _GLYPHS):
                yield node.parent
