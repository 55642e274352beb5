"""Evidence that a page has more to show than its HTML holds, and which template it comes from.

Whether to pay for a browser is decided by what was found missing, never by the address.
"""

import hashlib
import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from kindling.scraping.findings import FoundProduct
from kindling.scraping.mapping import Mapping

_WAITING = '[aria-busy="true"][id*="review" i], [aria-busy="true"][class*="review" i]'
_REVIEW_WORD = re.compile(
    r"review|avis|bewertung|rezension|opinion|recension|reseñ", re.IGNORECASE
)
_SHELL_CHARACTERS = 200
_BLOCKS = {
    "main",
    "div",
    "section",
    "nav",
    "article",
    "aside",
    "header",
    "footer",
    "ol",
    "ul",
    "form",
    "noscript",
}
_DEPTH = 3


def signs_of_reviews(
    tree: LexborHTMLParser,
    product: FoundProduct | None,
    stated: int | None,
    mapping: Mapping,
) -> tuple[str, ...]:
    """Why there should be reviews here: a stated count, a container still waiting, a word about scripts."""
    if stated == 0:
        return ()
    waiting = f"{_WAITING}, {mapping.script.busy}" if mapping.script else _WAITING
    evidence = {
        "stated_count": bool(stated),
        "waiting_container": tree.css_first(waiting) is not None,
        "noscript": any(
            _REVIEW_WORD.search(node.text()) for node in tree.css("noscript")
        ),
        "app_shell": product is None and _is_shell(tree),
    }
    return tuple(name for name, present in evidence.items() if present)


def layout_of(tree: LexborHTMLParser) -> str:
    """A fingerprint of the upper block elements with their classes, the same for pages of one template."""
    parts: set[str] = set()
    if tree.body is not None:
        _outline(tree.body, "", 0, parts)
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:12]


def _outline(node: LexborNode, path: str, depth: int, parts: set[str]) -> None:
    for child in node.iter():
        if child.tag not in _BLOCKS:
            continue
        classes = ".".join(sorted((child.attributes.get("class") or "").split()))
        # Ids and classes that count things ("review-17") would make a layout of every page.
        here = re.sub(r"\d+", "", f"{path}/{child.tag}.{classes}")
        parts.add(here)
        if depth + 1 < _DEPTH:
            _outline(child, here, depth + 1, parts)


def _is_shell(tree: LexborHTMLParser) -> bool:
    """Next to no words and no link, but a script: an application that draws itself."""
    if (
        tree.body is None
        or tree.css_first("script") is None
        or tree.css_first("a[href]") is not None
    ):
        return False
    copy = LexborHTMLParser(tree.body.html or "")
    for node in copy.css("script, style, template, noscript"):
        node.decompose()
    return len(copy.body.text().strip() if copy.body else "") < _SHELL_CHARACTERS
