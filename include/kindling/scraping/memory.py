"""What the last crawl of a shop brought, so that the next one asks only for what has changed.

A page is taken from memory without a request where the shop's sitemap gives the same date of last
change for it (or for the page that leads to it as "next"), or where it leads to products that the
sitemap names, and with a conditional request where it
has a validator (RFC 9110, 13.1). Of a product that changed, pages are asked for until one brings
nothing new and the count that the shop states is reached. Whatever its validators say, a page is
asked for again after `recheck` days.
"""

import gzip
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from kindling.scraping.findings import Extraction, FoundReview
from kindling.scraping.photos import StoredPhoto
from kindling.scraping.site import CrawledPage


@dataclass(frozen=True)
class RememberedPage:
    """A page as it was got, and how to ask whether it has changed."""

    page: CrawledPage
    #: When the shop was last asked for it.
    asked_at: datetime
    etag: str = ""
    last_modified: str = ""
    #: What the sitemap gave as its last change; that of the first page, for one that follows it.
    changed: str = ""
    #: The page that a chain of next pages begins with; the page itself where it is in none.
    first: str = ""


@dataclass(frozen=True)
class Remembered:
    """All that is kept of a crawl. `reader` names the rules and the code that read the pages."""

    reader: str = ""
    pages: dict[str, RememberedPage] = field(default_factory=dict)
    photos: dict[str, StoredPhoto] = field(default_factory=dict)


#: Folder of the object store in which the last crawl of every shop is kept. Removing it costs
#: the next night a request a page, and nothing else.
FOLDER = "crawl-memory"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Remembered)


def packed(remembered: Remembered) -> bytes:
    """The memory as bytes."""
    return gzip.compress(_ENCODER.encode(remembered), compresslevel=1, mtime=0)


def unpacked(content: bytes | None) -> Remembered:
    """The memory from bytes; an empty one where there are none, or those of another version."""
    if content is None:
        return Remembered()
    try:
        return _DECODER.decode(gzip.decompress(content))
    except (msgspec.ValidationError, msgspec.DecodeError, OSError, EOFError):
        return Remembered()


def without(content: bytes, pages: Collection[str], photos: Collection[str]) -> bytes:
    """The memory's bytes without the pages of these hashes and the photos kept at these URIs."""
    whole = unpacked(content)
    left = replace(
        whole,
        pages={
            url: one for url, one in whole.pages.items() if one.page.sha256 not in pages
        },
        photos={url: one for url, one in whole.photos.items() if one.uri not in photos},
    )
    return content if left == whole else packed(left)


class Memory:
    """The last crawl's pages for this one, and this one's for the next."""

    def __init__(
        self, before: Remembered, reader: str, now: datetime, recheck_days: int = 30
    ) -> None:
        self._before, self._reader = before, reader
        self._oldest = now - timedelta(days=recheck_days)
        #: Address -> what tonight's sitemap gives as its last change.
        self.changes: dict[str, str] = {}
        self._validators: dict[str, tuple[str, str]] = {}
        self._first: dict[str, str] = {}
        self._asked: set[str] = set()
        self._confirmed: set[str] = set()
        self._chains: dict[str, list[str]] = defaultdict(list)
        for url, one in sorted(before.pages.items()):
            self._chains[one.first].append(url)
        self._now = now
        #: Pages and photos taken instead of a request, pages that nobody had to come to because all
        #: before them was known, and pages that a 304 confirmed.
        self.taken = self.photos_taken = self.passed_over = self.confirmed = 0

    def same_reader(self) -> bool:
        """Whether the remembered findings are what tonight's reader would find."""
        return self._before.reader == self._reader

    def follows(self, url: str, before: str) -> None:
        """Note that a page is the next one of another."""
        self._first.setdefault(url, self._first.get(before, before))

    def unchanged(self, url: str) -> CrawledPage | None:
        """The page, where the sitemap says that it has not changed since."""
        one = self._recent(url)
        if one is None or not self._stands(url, one):
            return None
        self.taken += 1
        return one.page

    def to_be_drawn(self, url: str) -> bool:
        """Whether a request would bring what had to be drawn when the page was last got."""
        one = self._recent(url)
        if one is None or one.page.fetcher != "browser":
            return False
        return not self._stands(url, one)

    def _stands(self, url: str, one: RememberedPage) -> bool:
        changed = self.changes.get(self._first.get(url, url))
        if changed is None:
            return self._is_covered(one.page)
        return one.changed == changed

    def _is_covered(self, page: CrawledPage) -> bool:
        """Whether a page leads to products alone, and to none that the sitemap does not name."""
        found = page.extraction
        if found.product or found.reviews or found.lossy or not self.changes:
            return False
        return all(one in self.changes for one in found.links.products)

    def conditions(self, url: str) -> dict[str, str]:
        """Headers of a request that is answered with 304 where the page has not changed."""
        one = self._recent(url)
        # What a browser drew is not what the validator is of.
        if one is None or one.page.fetcher != "http":
            return {}
        headers = {"If-None-Match": one.etag, "If-Modified-Since": one.last_modified}
        return {name: value for name, value in headers.items() if value}

    def confirmed_page(self, url: str) -> CrawledPage:
        """The page that a 304 is about."""
        self.confirmed += 1
        self._asked.add(url)
        self._confirmed.add(url)
        one = self._before.pages[url]
        self._validators[url] = one.etag, one.last_modified
        return one.page

    def asked(self, url: str, headers: Mapping[str, str]) -> None:
        """Note that the shop sent the page, and its validators."""
        self._asked.add(url)
        self._validators[url] = (
            headers.get("etag", ""),
            headers.get("last-modified", ""),
        )

    def read_before(self, url: str, sha256: str) -> CrawledPage | None:
        """The page as it was read, where it has come again byte by byte."""
        one = self._before.pages.get(url)
        if one is None or one.page.sha256 != sha256 or not self.same_reader():
            return None
        return one.page

    def rest_of(self, page: CrawledPage, brought: set[str]) -> "Rest | None":
        """What follows a page of reviews that are known from here on; None where that is not sure.

        It is where reviews stand newest first, the page holds one that was known and none that has
        changed, and all that the shop states to be there are known or have been `brought` by this
        chain's pages.
        """
        stated = page.extraction.product and page.extraction.product.stated_reviews
        first = self._first.get(page.url, page.url)
        chain = [one for url in self._chains[first] if (one := self._recent(url))]
        if not stated or len(chain) < 2 or not self.same_reader():
            return None
        # Pages are read again once rules are found or a browser has drawn them: then the rest is here.
        if page.extraction.links.next in self._asked:
            return None
        # Where the shop confirms page by page, it is asked; in another order new reviews hide.
        if page.url in self._confirmed or not _newest_first(page):
            return None
        known = {
            review.review_id: review
            for one in chain
            for review in one.page.extraction.reviews
            if review.review_id
        }
        here = {one.review_id: one for one in page.extraction.reviews if one.review_id}
        again = here.keys() & known.keys()
        if not again or any(not _same(here[one], known[one]) for one in again):
            return None
        if len(known.keys() | here.keys() | brought) != stated:
            return None
        later = [
            _without(one.page, here.keys() | brought)
            for one in chain
            if one.page.url not in self._asked and one.page.url != first
        ]
        shown = {r.review_id for one in later for r in one.extraction.reviews}
        kept = [
            review
            for key, review in known.items()
            if key not in shown and key not in here and key not in brought
        ]
        self.passed_over += len(later)
        return Rest(tuple(later), tuple(kept))

    def photo(self, url: str) -> StoredPhoto | None:
        """A photo that was stored for this address."""
        found = self._before.photos.get(url)
        self.photos_taken += found is not None
        return found

    def remembered(
        self, pages: Iterable[CrawledPage], photos: Mapping[str, StoredPhoto]
    ) -> Remembered:
        """Tonight's pages and photos for the next crawl."""
        return Remembered(
            self._reader,
            {page.url: self._kept(page) for page in pages},
            dict(photos),
        )

    def _kept(self, page: CrawledPage) -> RememberedPage:
        before = self._before.pages.get(page.url)
        # A page that was passed over is still in the chain that it was in.
        first = self._first.get(page.url, before.first if before else page.url)
        asked = page.url in self._asked or before is None
        same = before is not None and before.page.sha256 == page.sha256
        # Another worker's answer comes without its validators.
        held = (before.etag, before.last_modified) if before and same else ("", "")
        etag, modified = self._validators.get(page.url, held)
        return RememberedPage(
            page,
            self._now if asked or before is None else before.asked_at,
            etag,
            modified,
            self.changes.get(first, ""),
            first,
        )

    def _recent(self, url: str) -> RememberedPage | None:
        one = self._before.pages.get(url)
        return one if one and one.asked_at >= self._oldest else None


@dataclass(frozen=True)
class Rest:
    """Later pages of a chain as they were, and reviews that have moved between pages."""

    pages: tuple[CrawledPage, ...]
    reviews: tuple[FoundReview, ...]

    def joined_to(self, page: CrawledPage) -> CrawledPage:
        """The page with the reviews that are on none of the others."""
        found: Extraction = page.extraction
        reviews = (*found.reviews, *self.reviews)
        return replace(page, extraction=replace(found, reviews=reviews))


def _newest_first(page: CrawledPage) -> bool:
    dates = [one.published[:10] for one in page.extraction.reviews]
    return all(map(_DAY.fullmatch, dates)) and dates == sorted(dates, reverse=True)


def _without(page: CrawledPage, elsewhere: set[str]) -> CrawledPage:
    """The page without reviews that have moved to another."""
    found = page.extraction
    reviews = tuple(one for one in found.reviews if one.review_id not in elsewhere)
    return replace(page, extraction=replace(found, reviews=reviews))


def _same(left: FoundReview, right: FoundReview) -> bool:
    """Whether two states of a review are alike, wherever they were shown."""

    def content(one: FoundReview) -> Any:
        return replace(one, address="", extractor="")

    return bool(content(left) == content(right))
