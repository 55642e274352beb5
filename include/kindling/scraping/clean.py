"""Text as it may be stored: no markup left over, no control characters, no address or number of a person.

The raw page keeps what was there; only what leaves it is cleaned.
"""

import html
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

#: Escaping is undone this often at most: text escaped deeper than that is an attack, not an accident.
_MAX_DEPTH = 6
_AMPERSANDS = re.compile(r"&(?:amp;|#38;|#x26;)+", re.IGNORECASE)
# With the semicolon only: "Q&not" is a reviewer's, not an entity.
_ENTITY = re.compile(
    r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE
)
_TAG = re.compile(
    r"</?(?:br|p|b|i|u|em|strong|span|div|ul|ol|li)(?:\s[^<>]*)?/?>", re.IGNORECASE
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

_EMAIL = re.compile(r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[a-z]{2,24}", re.IGNORECASE)
_CARD = re.compile(r"(?<![\d.,-])\d(?:[ -]?\d){12,18}(?![\d]|[.,]\d)")
_PHONE = re.compile(
    r"(?<![\w.,/-])(?:"
    r"\+\d{1,3}(?:[ .()/-]{0,2}\d){7,12}"  # international
    r"|\(\d{3}\)[ .-]?\d{3}[ .-]?\d{4}"  # (555) 010-1234
    r"|(?:1[ .-])?[2-9]\d{2}[ .-][2-9]\d{2}[ .-]\d{4}"  # 555-210-1234
    r"|[2-9]\d{2}[2-9]\d{6}"  # 5552101234
    r"|0\d{1,4}[ /-]\d{3,4}[ -]?\d{3,5}"  # 030 1234567
    r")(?![\w/-]|[.,]\d)"
)


@dataclass(frozen=True)
class Masked:
    """A text without personal data, and how many of each kind were masked."""

    text: str
    counts: Counter[str]


def normalise(text: str) -> str:
    """One line of visible text: entities and left-over tags undone, NFC, white space collapsed."""
    for _ in range(_MAX_DEPTH):
        before = text
        text = _ENTITY.sub(
            lambda match: html.unescape(match[0]), _AMPERSANDS.sub("&", text)
        )
        text = _PILED.sub(
            r"\1", _UNSTORABLE.sub("", _INVISIBLE.sub("", _TAG.sub(" ", text)))
        )
        # Inside the loop: composing can make an entity or a tag whole.
        text = unicodedata.normalize("NFC", text)
        if text == before:
            break
    return " ".join(text.split())


def mask_personal_data(text: str) -> Masked:
    """E-mail addresses, payment cards (13-19 digits that pass Luhn) and phone numbers, each as `[kind]`."""
    counts: Counter[str] = Counter()
    for kind, pattern in (("email", _EMAIL), ("card", _CARD), ("phone", _PHONE)):

        def replace(match: re.Match[str], kind: str = kind) -> str:
            if kind == "card" and not luhn(match[0]):
                return match[0]
            counts[kind] += 1
            return f"[{kind}]"

        text = pattern.sub(replace, text)
    return Masked(text, counts)


def luhn(number: str) -> bool:
    """Whether the digits pass the checksum of ISO/IEC 7812."""
    digits = [int(digit) for digit in number if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
