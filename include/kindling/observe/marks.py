"""By what a review is known again without keeping it: hashes of its id, its words, its source."""

import hashlib
from collections.abc import Mapping
from urllib.parse import urlsplit

from kindling.observe.row_hashes import folded
from kindling.records import Review

#: Characters of a folded text from which on nobody writes the same by chance; shorter ones
#: ("love it") belong to many people, and one of them cannot ask for all.
OWN_WORDS = 40


def hashed(kind: str, value: str) -> str:
    """SHA-256 of one mark."""
    return hashlib.sha256(f"{kind}:{value}".encode()).hexdigest()


def marks_of(review: Review) -> dict[str, str]:
    """Hash -> kind of mark, for everything that a review can be asked for by."""
    found = {hashed("review", review.review_id): "review"}
    text = folded(review.text)
    if len(text) >= OWN_WORDS:
        found[hashed("text", text)] = "text"
    if review.author:
        found[hashed("author", review.author)] = "author"
    for source in sources_of(review):
        found[hashed("source", source)] = "source"
    return found


def sources_of(review: Review) -> tuple[str, ...]:
    """Names that the review's source goes by: host, file, address, and its ids' namespace."""
    address = review.source_url
    names = [review.review_id.rpartition("/")[0]]
    if address.startswith("file:"):
        names.append(address.removeprefix("file:").rpartition("#")[0])
    elif address:
        names += [urlsplit(address).hostname or "", address]
    return tuple(name for name in names if name)


def buried(
    marks: Mapping[str, Mapping[str, str]], tombstones: frozenset[str]
) -> set[str]:
    """Ids of the reviews (id -> its marks) that one of the tombstones keeps out."""
    return {one for one, own in marks.items() if not tombstones.isdisjoint(own)}
