"""Which part of a repeated item is its text, rating, date, title and id: told by what all items have in common."""

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from selectolax.lexbor import LexborNode

from kindling.scraping.dates import iso_date
from kindling.scraping.mapping import ReviewRules, Rule
from kindling.scraping.rating import Rating
from kindling.scraping.rating_element import rating_of, verified_rating
from kindling.scraping.structure import keys_of
from kindling.scraping.text import shown_text

_TITLE = re.compile(r"title|headline|heading|summary|subject|^h[2-6]\b", re.IGNORECASE)
_RATING = re.compile(r"rating|star|score", re.IGNORECASE)
_ID_NAMES = re.compile(r"^(?:id|data-[\w-]*id)$")
_SHARE = 0.6
#: An inner element is the text where it holds nearly all of what the outer one says.
_WHOLE = 0.8
_MAX_TITLE = 160
_SAMPLE = 120


@dataclass(frozen=True)
class Fields:
    """Selectors within an item; empty where the items have no such field."""

    body: tuple[str, ...]
    rating: tuple[str, ...]
    date: str = ""
    date_attr: str = ""
    title: str = ""
    id_attr: str = ""

    def body_of(self, item: LexborNode) -> str:
        node = _first(item, self.body)
        return shown_text(node) if node is not None else ""

    def rating_of(self, item: LexborNode) -> Rating | None:
        node = _first(item, self.rating)
        return verified_rating(node, item) if node is not None else None

    def rules(self, item: str) -> ReviewRules:
        """The same as a layout of a mapping, which can be looked at and kept."""
        return ReviewRules(
            name="induced",
            item=item,
            body=Rule(css=self.body),
            rating=Rule(css=self.rating),
            review_id=Rule(attr=self.id_attr) if self.id_attr else None,
            title=Rule(css=(self.title,)) if self.title else None,
            published=Rule(css=(self.date,), attr=self.date_attr)
            if self.date
            else None,
        )


def fields_of(items: Sequence[LexborNode], languages: Sequence[str]) -> Fields | None:
    """The fields of these items; None where they have no rating or no text of their own."""
    items = items[:_SAMPLE]
    by_key = _by_key(items)
    rating = _rating_keys(by_key, len(items))
    if not rating:
        return None
    body = _body_keys(by_key, items, set(rating))
    if not body:
        return None
    language = Counter(languages).most_common(1)[0][0] if languages else ""
    date, attr = _date_key(by_key, len(items), language)
    title = _title_key(by_key, items, {*rating, *body, date}, body)
    return Fields(body, rating, date, attr, title, id_attribute(items))


def _by_key(items: Sequence[LexborNode]) -> dict[str, dict[int, LexborNode]]:
    """Key -> item number -> the first element of the item that has it."""
    found: dict[str, dict[int, LexborNode]] = defaultdict(dict)
    for number, item in enumerate(items):
        for node in item.css("*"):
            if node.mem_id != item.mem_id:
                for key in keys_of(node) or _plain(node, item):
                    found[key].setdefault(number, node)
    return found


def _plain(node: LexborNode, item: LexborNode) -> list[str]:
    """The tag of an element without marks, where it is the item's first of that tag."""
    if node.tag not in ("p", "blockquote", "time", "h3", "h4"):
        return []
    first = item.css_first(node.tag)
    return [node.tag] if first is not None and first.mem_id == node.mem_id else []


def _rating_keys(
    by_key: dict[str, dict[int, LexborNode]], count: int
) -> tuple[str, ...]:
    """Keys whose elements show a rating, the one with the most items first."""
    shares: dict[str, int] = {}
    for key, nodes in by_key.items():
        if len(nodes) < 2 or max(len(node.text()) for node in nodes.values()) > 200:
            continue
        read = sum(
            (found := rating_of(node)) is not None
            and 0 < found.value <= (found.best or 5)
            for node in nodes.values()
        )
        if read >= 0.95 * len(nodes):
            shares[key] = read
    # The outermost first: it holds all that bears witness to the rating.
    ordered = sorted(
        shares,
        key=lambda key: (
            -shares[key],
            not _RATING.search(key),
            _depth(by_key[key]),
            key,
        ),
    )
    kept: list[str] = []
    covered: set[int] = set()
    for key in ordered:
        if not set(by_key[key]) <= covered:
            kept.append(key)
            covered |= set(by_key[key])
    return tuple(kept[:4]) if len(covered) >= 0.9 * count else ()


def _body_keys(
    by_key: dict[str, dict[int, LexborNode]],
    items: Sequence[LexborNode],
    rating: set[str],
) -> tuple[str, ...]:
    """The key of the longest text, then the outer one for items that lack it."""
    ratings = {node.mem_id for key in rating for node in by_key[key].values()}
    texts: dict[str, dict[int, str]] = {}
    for key, nodes in by_key.items():
        if key in rating or len(nodes) < _SHARE * len(items):
            continue
        if any(
            one.mem_id in ratings for node in nodes.values() for one in node.css("*")
        ):
            continue
        own = {number: shown_text(node) for number, node in nodes.items()}
        # A text that links elsewhere is a name or a heading.
        if _linked(nodes) or len(set(own.values())) < _SHARE * len(own):
            continue
        texts[key] = own
    if not texts:
        return ()
    size = {key: statistics.mean(map(len, own.values())) for key, own in texts.items()}
    outer = max(size, key=lambda key: (size[key] * len(texts[key]), key))
    inner = [
        key
        for key in texts
        if _WHOLE * size[outer] <= size[key]
        and len(texts[key]) >= 0.9 * len(texts[outer])
        and _inside(by_key[key], by_key[outer])
    ]
    inner.sort(key=lambda key: (-_depth(by_key[key]), size[key], key))
    return tuple(dict.fromkeys([*inner[:1], outer]))


def _linked(nodes: dict[int, LexborNode]) -> bool:
    within = sum(
        node.tag == "a" or (node.parent is not None and node.parent.tag == "a")
        for node in nodes.values()
    )
    return 2 * within > len(nodes)


def _inside(inner: dict[int, LexborNode], outer: dict[int, LexborNode]) -> bool:
    both = inner.keys() & outer.keys()
    hits = sum(
        inner[number].mem_id in {one.mem_id for one in outer[number].css("*")}
        for number in both
    )
    return hits >= 0.9 * len(inner)


def _depth(nodes: dict[int, LexborNode]) -> int:
    node: LexborNode | None = next(iter(nodes.values()))
    depth = 0
    while node is not None:
        node, depth = node.parent, depth + 1
    return depth


def _date_key(
    by_key: dict[str, dict[int, LexborNode]], count: int, language: str
) -> tuple[str, str]:
    best = ("", "", 0)
    for key, nodes in by_key.items():
        for attr in ("datetime", ""):
            read = sum(
                bool(iso_date(_value(node, attr), language))
                for node in nodes.values()
                if len(_value(node, attr)) < 90
            )
            if read >= _SHARE * count and read > best[2]:
                best = (key, attr, read)
    return best[0], best[1]


def _value(node: LexborNode, attr: str) -> str:
    return (node.attributes.get(attr) or "") if attr else shown_text(node)


def _title_key(
    by_key: dict[str, dict[int, LexborNode]],
    items: Sequence[LexborNode],
    taken: set[str],
    body: tuple[str, ...],
) -> str:
    for key, nodes in sorted(by_key.items()):
        if key in taken or not _TITLE.search(key) or len(nodes) < _SHARE * len(items):
            continue
        texts = [shown_text(node) for node in nodes.values()]
        short = all(len(text) <= _MAX_TITLE for text in texts)
        if short and any(texts) and len(set(texts)) >= _SHARE * len(texts):
            if not any(rating_of(node) for node in list(nodes.values())[:5]):
                return key
    return ""


def id_attribute(items: Sequence[LexborNode]) -> str:
    """The attribute whose value no two items share."""
    counts: Counter[str] = Counter()
    values: dict[str, set[str]] = defaultdict(set)
    for item in items:
        for name, value in item.attributes.items():
            if value and _ID_NAMES.match(name):
                counts[name] += 1
                values[name].add(value)
    unique = [
        name
        for name, count in counts.items()
        if count == len(items) == len(values[name])
    ]
    return min(unique, key=lambda name: (name != "id", name), default="")


def _first(item: LexborNode, selectors: tuple[str, ...]) -> LexborNode | None:
    return next(
        (node for css in selectors if (node := item.css_first(css)) is not None), None
    )
