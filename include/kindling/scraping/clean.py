"""Text as it may be stored: no markup left over, no control characters, one line.

The raw page keeps what was there; only what leaves it is cleaned. `personal_data` masks what is people's own.
"""

import html
import re
import unicodedata

from ftfy import fix_encoding

from kindling.scraping.personal_data import Masked, luhn, mask_personal_data

__all__ = ["Masked", "luhn", "mask_personal_data", "normalise"]

#: UTF-8 that was read as latin-1 or Windows-1252 has a lead byte's letter with the sign of a later byte behind it.
_DOUBLE_ENCODED = re.compile(
    "[\u00c2-\u00f4](?:[\u0080-\u00bf]|[\u0152\u0153\u0160\u0161\u0178\u017d\u017e"
    "\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122])|\u00c3 "
)
#: Most texts hold nothing that has to be undone.
_PLAIN = re.compile(r"[\t\n\r -%'-;=-~]*")
#: Escaping is undone this often at most: text escaped deeper than that is an attack, not an accident.
_MAX_DEPTH = 6
_AMPERSANDS = re.compile(r"&(?:amp;|#38;|#x26;)+", re.IGNORECASE)
# With the semicolon only: "Q&not" is a reviewer's, not an entity.
_ENTITY = re.compile(
    r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE
)
#: Elements of HTML; a name in angle brackets that is none of them is a reviewer's own.
_INLINE = (
    "a|abbr|acronym|b|bdi|bdo|big|cite|code|del|dfn|em|font|i|ins|kbd|mark|q|s|samp|small|"
    "span|strike|strong|sub|sup|tt|u|var|wbr|label|time|data"
)
_BLOCK = (
    "address|area|article|aside|audio|base|blockquote|body|br|button|canvas|caption|center|"
    "col|colgroup|dd|details|dialog|dir|div|dl|dt|embed|fieldset|figcaption|figure|footer|"
    "form|frame|frameset|h[1-6]|head|header|hr|html|iframe|img|image|input|legend|li|link|"
    "main|map|menu|meta|nav|noscript|object|ol|optgroup|option|p|param|picture|pre|script|"
    "section|select|source|style|summary|svg|path|table|tbody|td|template|textarea|tfoot|th|"
    "thead|title|tr|track|ul|video"
)
_ATTRIBUTES = r"(?:[\s/](?:[^<>\"']|\"[^\"]{0,500}\"|'[^']{0,500}'|[\"'])*)?"
_INLINE_TAG = re.compile(rf"</?(?:{_INLINE}){_ATTRIBUTES}>", re.IGNORECASE)
_BLOCK_TAG = re.compile(rf"</?(?:{_BLOCK}){_ATTRIBUTES}>|<!--[^<>]{{0,500}}-->", re.I)
#: Not the tags alone: what is between them is code.
_CODE = re.compile(
    r"<(script|style)\b[^<>]*>[^<]{0,5000}(?:<(?!/?\1)[^<]{0,5000}){0,50}</\1\s*>",
    re.IGNORECASE,
)
# Zero-width spaces, direction overrides, soft hyphens and byte-order marks; the joiners that emoji and
# Persian need stay.
_INVISIBLE = re.compile(
    "[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)
# Control characters but white space, and surrogates, which no database stores.
_UNSTORABLE = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
# Marks piled onto a letter; sorting them takes quadratic time.
_PILED = re.compile("([\u0300-\u036f]{4})[\u0300-\u036f]+")


def normalise(text: str) -> str:
    """One line of visible text: entities and left-over tags undone, NFC, white space collapsed."""
    if _PLAIN.fullmatch(text):
        return " ".join(text.split())
    for _ in range(_MAX_DEPTH):
        before = text
        text = _ENTITY.sub(
            lambda match: html.unescape(match[0]), _AMPERSANDS.sub("&", text)
        )
        # Before control characters go: half of a double-encoded letter may look like one.
        text = undamaged(text)
        text = _UNSTORABLE.sub("", _INVISIBLE.sub("", text))
        if "<" in text:
            text = _without_tags(text)
        text = _PILED.sub(r"\1", text)
        # Inside the loop: composing can make an entity or a tag whole.
        text = unicodedata.normalize("NFC", text)
        if text == before:
            break
    return " ".join(text.split())


def undamaged(text: str) -> str:
    """The text with UTF-8 that was read as another encoding ("fÃ¼r", "donâ€™t") read as what it is.

    ftfy changes nothing that could have been meant: it looks for letters that no language puts side by side.
    """
    return fix_encoding(text) if _DOUBLE_ENCODED.search(text) else text


def _without_tags(text: str) -> str:
    if "</" in text:
        text = _CODE.sub(" ", text)
    return _BLOCK_TAG.sub(" ", _INLINE_TAG.sub("", text))
