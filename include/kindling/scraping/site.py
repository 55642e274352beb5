"""What a crawl works with, and what it brings back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from kindling.records import Rejection
from kindling.scraping.fetch import Fetched, Fetcher, FetchError
from kindling.scraping.findings import Extraction
from kindling.scraping.robots import Robots


class Reads(Protocol):
    """What makes findings of a page: `reader.Reader`, or the bare function in tests."""

    async def read(
        self, body: bytes, url: str, content_type: str = ""
    ) -> Extraction: ...


class Renderer(Protocol):
    """A browser, or what stands in for one in tests."""

    async def render(self, urls: Sequence[str]) -> dict[str, Fetched | FetchError]: ...


@dataclass(frozen=True)
class CrawledPage:
    """A page that was got: what it holds, and where its raw bytes are."""

    url: str
    status: int
    sha256: str
    uri: str
    fetcher: Literal["http", "browser"]
    fetched_at: datetime
    extraction: Extraction


@dataclass(frozen=True)
class LayoutVerdict:
    """What drawing a layout's pages brought: `gained` reviews from `drawn` of `lossy` pages."""

    layout: str
    lossy: int
    drawn: int
    gained: int


@dataclass(frozen=True)
class Crawl:
    """The pages by address, and what could not be had."""

    pages: tuple[CrawledPage, ...]
    rejections: tuple[Rejection, ...]
    #: Ids (addresses where no id is known) of products with review pages that were not read.
    unreached: tuple[str, ...]
    layouts: tuple[LayoutVerdict, ...]
    #: Addresses asked for, and those of them that an outage kept back.
    attempted: int
    outages: int
    #: Addresses known but not asked for, since `max_pages` was reached.
    left: int


@dataclass(frozen=True)
class Site:
    """What a crawl works with. `store` keeps raw bytes and returns their URI."""

    start_url: str
    reader: Reads
    fetcher: Fetcher
    robots: Robots
    store: Callable[[bytes], str]
    #: None where there is no browser.
    renderer: Renderer | None
    max_pages: int
