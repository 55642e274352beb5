"""A title or a date of a page's data is kept where people see it too: verified, or null with the reason.

Three things bear witness to a field: structured data, a rule found in the page's structure, and the text that
people see. What structured data alone states may belong to another product, to a template, or to nobody. A
text that it alone holds is kept, for many shops draw their reviews later, and the row says so.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

from selectolax.lexbor import LexborHTMLParser

from kindling.scraping.dates import dates_in, iso_date
from kindling.scraping.findings import FoundReview, Method
from kindling.scraping.text import shown_text

#: What these state has to be seen; a rule reads what is seen.
_DATA: frozenset[Method] = frozenset({"json-ld", "microdata", "rdfa", "embedded"})
_WORDS = re.compile(r"\w+")
#: Characters of a text's words that it is found again by.
_START = 80
#: Characters of words before a text and behind it that may be its title's.
_BEFORE, _BEHIND = 600, 300
_MAX_SHOWN = 2_000_000


class Shown:
    """What people see on a page; worked out only where something is asked of it."""

    def __init__(self, tree: LexborHTMLParser, language: str = "") -> None:
        self._tree, self._language = tree, language

    @cached_property
    def _text(self) -> str:
        return shown_text(self._tree.body)[:_MAX_SHOWN] if self._tree.body else ""

    @cached_property
    def _words(self) -> str:
        return _worded(self._text)

    @cached_property
    def dates(self) -> frozenset[str]:
        """Every date of the page, as YYYY-MM-DD."""
        attributes = (
            node.attributes.get("datetime") or "" for node in self._tree.css("time")
        )
        found = {
            iso_date(one, self._language)
            for one in (*dates_in(self._text), *attributes)
        }
        return frozenset(found - {""})

    def beside(self, body: str) -> list[str]:
        """The words around every place where the text is shown; empty where it is not."""
        start = _worded(body)[:_START].rstrip()
        if not start.strip():
            return []
        found: list[str] = []
        at = self._words.find(start)
        while at >= 0 and len(found) < 5:
            end = at + len(_worded(body)) + _BEHIND
            found.append(self._words[max(0, at - _BEFORE) : end])
            at = self._words.find(start, at + 1)
        return found

    def iso(self, stated: str) -> str:
        """The stated date as the page's language has it."""
        return iso_date(stated, self._language)


def witnessed(reviews: Iterable[FoundReview], shown: Shown) -> list[FoundReview]:
    """The reviews as stated, with a doubt about each field of data that nobody sees."""
    return [_witnessed(one, shown) if one.method in _DATA else one for one in reviews]


def doubted(review: FoundReview, field: str) -> bool:
    """Whether the field has no second witness."""
    return any(one.startswith(f"{field}, ") for one in review.doubts)


def _witnessed(review: FoundReview, shown: Shown) -> FoundReview:
    places = shown.beside(review.body or review.title)
    alone = f"{review.method} alone"
    doubts = list(review.doubts)
    if review.body and not places:
        doubts.append(f"body kept, {alone}")
    # A title that is all there is of a review is its text.
    if review.title and review.body:
        if not any(_worded(review.title) in one for one in places):
            doubts.append(f"title, {alone}")
    if review.published and shown.iso(review.published) not in shown.dates:
        doubts.append(f"published, {alone}")
    return replace(review, doubts=tuple(doubts))


def _worded(text: str) -> str:
    """The text's words in lower case, each between spaces."""
    return f" {' '.join(_WORDS.findall(text.casefold()))} "
