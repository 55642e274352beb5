"""Hashes of what a model is shown of a row, so that nobody needs the row to know whether it was seen."""

import hashlib
import re
import unicodedata

from kindling.observe.lineage import sha256_of
from kindling.records import Example

_WORD = re.compile(r"[^\W_]+")


def folded(text: str) -> str:
    """Lower-case words with one space between: what retyping and markup leave of a text."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(_WORD.findall(text.casefold()))


def text_sha256(text: str) -> str:
    """SHA-256 of the folded text."""
    return hashlib.sha256(folded(text).encode()).hexdigest()


def row_sha256(example: Example) -> str:
    """SHA-256 of all that training is shown of a row; its id and product are not part of it."""
    return sha256_of(
        [
            example.text,
            example.sentiment,
            example.weight,
            example.photo_id,
            example.condition,
        ]
    )
