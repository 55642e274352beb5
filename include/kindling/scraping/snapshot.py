"""What one night read of a shop, for the nights after it: which pages, where they are kept, what failed."""

import gzip
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import msgspec

from kindling.errors import DataError
from kindling.scraping.photos import StoredPhoto

SUFFIX = ".snapshot.gz"


@dataclass(frozen=True)
class KeptPage:
    """A page of an earlier night; `uri` holds its WARC record, `sha256` is that of its body."""

    url: str
    uri: str
    sha256: str
    status: int
    fetcher: Literal["http", "browser"]
    fetched_at: datetime
    content_type: str = ""
    #: Digests of the reviews that were read on it; a snapshot holds nobody's words.
    texts: tuple[str, ...] = ()
    #: Where its redirects ended; empty where it had none.
    ended_at: str = ""


@dataclass(frozen=True)
class Snapshot:
    """A night's pages by address, its photos by address, and the addresses that gave no answer."""

    pages: Mapping[str, KeptPage] = field(default_factory=dict)
    photos: Mapping[str, StoredPhoto] = field(default_factory=dict)
    failed: frozenset[str] = frozenset()

    def encoded(self) -> bytes:
        """For the object store; equal snapshots are equal bytes."""
        pages = [self.pages[url] for url in sorted(self.pages)]
        photos = [self.photos[url] for url in sorted(self.photos)]
        packed = msgspec.msgpack.encode((pages, photos, sorted(self.failed)))
        return gzip.compress(packed, mtime=0)


def decoded(data: bytes, where: str) -> Snapshot:
    """The snapshot that `encoded` made; DataError where it is none."""
    try:
        pages, photos, failed = _DECODER.decode(gzip.decompress(data))
    except (msgspec.MsgspecError, EOFError, OSError) as error:
        raise DataError(f"{where}: not a snapshot of pages: {error}") from None
    return Snapshot(
        {one.url: one for one in pages},
        {one.source_url: one for one in photos},
        frozenset(failed),
    )


def digests(texts: Iterable[str]) -> tuple[str, ...]:
    """Texts without case, marks and white space, hashed: enough to tell whether they are the same."""
    return tuple(_digest(text) for text in texts)


def _digest(text: str) -> str:
    folded = "".join(char for char in text.lower() if char.isalnum())
    return hashlib.sha256(folded.encode()).hexdigest()[:16]


_DECODER = msgspec.msgpack.Decoder(tuple[list[KeptPage], list[StoredPhoto], list[str]])
