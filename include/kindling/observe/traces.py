"""Finds a text again however a store spells it: as HTML, as JSON, in capitals, zipped."""

import gzip
import html
import json
import re
import zlib
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from kindling.observe.marks import OWN_WORDS
from kindling.observe.row_hashes import folded

#: What stands where a text was.
GONE = "(forgotten)"
#: So many words in a row are nobody's by chance, or others in the record say them too.
WINDOW = 8
_TAG = re.compile(r"<[^<>]*>")
_BETWEEN_TAGS = re.compile(r">([^<>]+)<")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})|\\[nrtbf]|\\([\"'\\/])")
_ZIPPED = b"\x1f\x8b"


class Traces:
    """Pieces of texts, and names, that are looked for."""

    def __init__(
        self, needles: Collection[str], names: frozenset[str] = frozenset()
    ) -> None:
        self.names = names
        self._windows = {one for one in needles if one.count(" ") == WINDOW - 1}
        #: Whole texts of fewer words than a window has.
        self._short = [one for one in needles if one not in self._windows]

    def in_text(self, text: str) -> bool:
        """Whether a text of a store says one of the needles, in whatever spelling."""
        if not self._windows and not self._short:
            return False
        plain = folded(_plain(text))
        return not self._windows.isdisjoint(_windows(plain)) or any(
            needle in plain for needle in self._short
        )

    def in_bytes(self, data: bytes) -> bool:
        """The same for an object, unzipped where it is zipped."""
        return self.in_text(_readable(data))

    def in_value(self, value: Any) -> bool:
        """The same for a JSON value; also where a key or a string is one of the names."""
        return any(
            one in self.names or self.in_text(one) for one in _strings(value) if one
        )

    def scrubbed(self, value: Any) -> Any:
        """The JSON value without the entries that hold a trace; None where it is one itself.

        The smallest entry goes: one key of a map, one item of a list.
        """
        if isinstance(value, dict):
            return {
                key: kept
                for key, one in value.items()
                if not self._hit(key) and (kept := self._kept(one)) is not _NOTHING
            }
        if isinstance(value, list):
            kept = [self._kept(one) for one in value]
            return [one for one in kept if one is not _NOTHING]
        return None if isinstance(value, str) and self._hit(value) else value

    def redacted(self, page: str) -> str:
        """An HTML page with every piece between two tags replaced that says a needle."""
        return _BETWEEN_TAGS.sub(self._piece, page)

    def _piece(self, match: "re.Match[str]") -> str:
        return f">{GONE}<" if self.in_text(match[1]) else match[0]

    def _kept(self, value: Any) -> Any:
        if isinstance(value, str):
            return _NOTHING if self._hit(value) else value
        if isinstance(value, list) and any(map(self._said, value)):
            # A packed record: what is left of it would be another record.
            if not any(isinstance(one, list | dict) for one in value):
                return _NOTHING
        return self.scrubbed(value)

    def _said(self, value: Any) -> bool:
        return isinstance(value, str) and self.in_text(value)

    def _hit(self, text: str) -> bool:
        return text in self.names or self.in_text(text)


_NOTHING = object()


def needles_of(texts: Iterable[str]) -> set[str]:
    """Folded pieces of `WINDOW` words; of a shorter text itself, where it is long enough to be one's own."""
    found: set[str] = set()
    for text in texts:
        plain = folded(text)
        found |= _windows(plain) or ({plain} if len(plain) >= OWN_WORDS else set())
    return found


def own_needles(wanted: Collection[str], others: Iterable[str]) -> tuple[str, ...]:
    """The needles that none of the other texts says."""
    left = set(wanted)
    short = {one for one in left if one.count(" ") < WINDOW - 1}
    for text in others:
        plain = folded(text)
        left -= _windows(plain)
        left -= {one for one in short if one in plain}
    return tuple(sorted(left))


def _windows(plain: str) -> set[str]:
    words = plain.split()
    return {" ".join(words[at : at + WINDOW]) for at in range(len(words) - WINDOW + 1)}


def _plain(text: str) -> str:
    """The text without HTML's and JSON's spelling of characters."""
    if "&" in text:
        text = html.unescape(text)
    if "\\" in text:
        text = _ESCAPED.sub(
            lambda match: chr(int(match[1], 16)) if match[1] else match[2] or " ", text
        )
    return _TAG.sub(" ", text) if "<" in text else text


def _readable(data: bytes) -> str:
    if data.startswith(_ZIPPED):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            # Damaged: what can be read of it is read as it lies there.
            return data.decode("utf-8", errors="replace")
    return data.decode("utf-8", errors="replace")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from _strings(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _strings(one)


def parsed(data: bytes) -> Any:
    """An object's JSON; None where it is none."""
    try:
        return json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError):
        return None
