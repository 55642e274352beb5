"""The rating that an element shows: in its words, its attributes, its class names, or its filled stars."""

import re
from collections.abc import Iterator
from dataclasses import replace

from selectolax.lexbor import LexborNode

from kindling.scraping.rating import (
    Rating,
    full_marks_after,
    full_marks_beside,
    parse_rating,
)

_LABELS = ("aria-label", "title", "alt", "content", "value")
_DATA = re.compile(r"^data-(?:[a-z]+-)*(?:rating|score|stars?|rate)(?:-value)?$")
_WIDTH = re.compile(r"(?:^|;)\s*width\s*:\s*(\d{1,3}(?:\.\d+)?)\s*%", re.IGNORECASE)
_STARRED = re.compile(r"star|rating|rate|score|bubble|note|bewert", re.IGNORECASE)
_ICON = re.compile(r"star|bubble|etoile|stern", re.IGNORECASE)
_FILLED = re.compile(
    r"(?:^|[\s_-])(?:full|filled|fill|active|on|solid|checked|selected|gold|"
    r"highlighted|fas|100-filled)(?=$|[\s_-])",
    re.IGNORECASE,
)
_EMPTY = re.compile(
    r"(?:^|[\s_-])(?:empty|o|off|outline|outlined|inactive|grey|gray|border|far|"
    r"blank|0-filled|unfilled)(?=$|[\s_-])",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d{1,6}(?:[.,]\d{1,3})?")
_HALF = re.compile(r"half", re.IGNORECASE)

#: Readings by an element's HTML and the classes around it.
_READ: dict[tuple[str, str], list[Rating]] = {}
_MOST_KNOWN = 2_000
_LONGEST_KNOWN = 2_000


def rating_of(node: LexborNode, around: LexborNode | None = None) -> Rating | None:
    """The element's rating; full marks that it leaves out are looked for in the element `around` it.

    Words come first, then attributes made for reading aloud, then class names, a filled width, and at last
    the number of filled icons; None where these say nothing or the icons cannot be told apart.
    """
    found = parse_rating(_words(node)) or _labelled(node) or _drawn(node)
    if found is None or found.best is not None or around is None:
        return found
    behind = _behind(node, around)
    if best := full_marks_after(behind, found.value):
        return replace(found, best=best)
    best = _best_property(around) or full_marks_beside(_words(around), found.value)
    if best is None or found.value > best:
        return found
    number = _NUMBER.search(behind)
    stated = number is not None and float(number[0].replace(",", ".")) == best
    return Rating(found.value, best, best_stated=stated)


def verified_rating(
    node: LexborNode, around: LexborNode | None = None
) -> Rating | None:
    """The element's rating where two witnesses agree and none objects; None otherwise.

    Witnesses are its words, its labels, what is drawn (class names, widths, icons), and the scale that one
    of them states: "4 out of 5" and five icons say themselves what they are on.
    """
    stated = _readings(node)
    if not stated or not _agree(stated):
        return None
    found = next((one for one in stated if one.best is not None), stated[0])
    if found.best is None and around is not None:
        found = rating_of(node, around) or found
    return found if len(stated) > 1 or found.best is not None else None


def contradicted(node: LexborNode, found: Rating) -> bool:
    """Whether the element shows, in its words, labels or drawing, another rating than the one found."""
    return not _agree([found, *_readings(node)])


def _readings(node: LexborNode) -> list[Rating]:
    """What words, labels and drawing say; a shop's stars are drawn in few ways, so each is read once."""
    html = node.html or ""
    if len(html) > _LONGEST_KNOWN:
        return _read(node)
    # The classes around the element have a say in what its widths mean.
    key = (html, _lineage(node))
    if key not in _READ:
        if len(_READ) >= _MOST_KNOWN:
            _READ.clear()
        _READ[key] = _read(node)
    return _READ[key]


def _read(node: LexborNode) -> list[Rating]:
    readings = (parse_rating(_words(node)), _labelled(node), _drawn(node))
    return [one for one in readings if one is not None]


def _agree(readings: list[Rating]) -> bool:
    """Whether all are within half a star of five: drawn stars are rounded."""
    shares = [one.value / (one.best or 5.0) for one in readings]
    return max(shares) - min(shares) <= 0.1


def _behind(node: LexborNode, around: LexborNode) -> str:
    """The words of `around` that follow the element; empty where the element is none of its own."""
    inside = {one.mem_id for one in node.traverse(include_text=True)}
    words, passed = [], False
    for one in around.traverse(include_text=True):
        if one.mem_id in inside:
            passed = True
        elif passed and one.is_text_node:
            words.append(one.text_content or "")
    return " ".join(" ".join(words).split())


def _words(node: LexborNode) -> str:
    return " ".join(node.text(separator=" ").split())


def _labelled(node: LexborNode) -> Rating | None:
    for one in _family(node):
        attributes = one.attributes
        for name in _LABELS:
            if found := parse_rating(attributes.get(name)):
                return found
        for name, value in attributes.items():
            if _DATA.match(name) and (found := parse_rating(value)):
                return found
    return None


def _drawn(node: LexborNode) -> Rating | None:
    named = [
        found for one in _family(node) if (found := parse_rating(_starred_class(one)))
    ]
    # Icons that are numbered one by one say nothing of the whole.
    if named and len({one.value for one in named}) == 1 and len(named) <= 2:
        return named[0]
    widths = {
        match[1]
        for one in _family(node)
        if (match := _WIDTH.search(one.attributes.get("style") or ""))
        and _STARRED.search(_lineage(one))
    }
    # A background of full width lies under many a filled one.
    narrow = widths - {"100"} or widths
    if len(narrow) == 1:
        return Rating(float(narrow.pop()), 100.0, best_stated=False)
    return _counted(node)


def _starred_class(node: LexborNode) -> str:
    name = node.attributes.get("class") or ""
    return name if _STARRED.search(name) else ""


def _lineage(node: LexborNode) -> str:
    parent = node.parent
    return " ".join(
        (one.attributes.get("class") or "")
        for one in (node, parent, parent.parent if parent else None)
        if one is not None
    )


def _counted(node: LexborNode) -> Rating | None:
    """Filled icons of five, where each says of itself whether it is filled."""
    icons = [
        name
        for one in _family(node)
        if _ICON.search(name := one.attributes.get("class") or "")
        and one.tag in ("i", "span", "svg", "img", "li", "use", "em", "b")
        and one.css_first("i, svg, img, use") in (None, one)
    ]
    full, half, empty = 0, 0, 0
    for name in icons:
        if _HALF.search(name):
            half += 1
        elif _EMPTY.search(name):
            empty += 1
        elif _FILLED.search(name):
            full += 1
    # Plain icons are the filled ones where the others say that they are not.
    plain = len(icons) - full - half - empty
    if empty and not full:
        full, plain = plain, 0
    elif full and not empty:
        empty, plain = plain, 0
    if plain or full + half + empty != 5:
        return None
    return Rating(full + half / 2, 5.0, best_stated=False)


def _best_property(around: LexborNode) -> float | None:
    for one in around.css('[itemprop~="bestRating"], [property~="bestRating"]'):
        found = parse_rating(one.attributes.get("content") or one.text())
        if found and found.value > 0:
            return found.value
    return None


def _family(node: LexborNode) -> Iterator[LexborNode]:
    """The element and what it holds, in document order, a hundred at most."""
    yield node
    for number, one in enumerate(node.css("*")):
        if number >= 100:
            return
        if one.mem_id != node.mem_id:
            yield one
