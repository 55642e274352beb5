"""What a crawl works with, and what it brings back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from kindling.records import Rejection
from kindling.scraping.allowance import Allowance
from kindling.scraping.fetch import Fetched, Fetcher, FetchError
from kindling.scraping.findings import Extraction
from kindling.scraping.induction import Verdict
from kindling.scraping.reading import SavedPage
from kindling.scraping.robots import Robots
from kindling.scraping.sharing import Alone, Sharing


class Reads(Protocol):
    """What makes findings of a page: `reader.Reader`, or the bare function in tests."""

    async def read(
        self, body: bytes, url: str, content_type: str = ""
    ) -> Extraction: ...

    async def learn(self, pages: Sequence[SavedPage]) -> Verdict:
        """Rules that the pages' structure gives; where there are some, `read` uses them from now on."""
        ...

    def unlearn(self) -> None:
        """Read without what `learn` found."""
        ...


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
    content_type: str = ""
    #: What it was asked for, an action of the policy; "kept" where it is an earlier night's.
    action: str = "new"
    #: Where its redirects ended, for what its relative links mean; empty where it had none.
    ended_at: str = ""


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
    #: Addresses known but not asked for, since `max_pages` or tonight's allowance was reached.
    left: int
    #: What came of looking for rules in the structure of pages that nothing else could read.
    learnt: Verdict | None = None
    #: Addresses that gave no answer, for another try on another night.
    failed: tuple[str, ...] = ()
    #: Addresses asked for, by action.
    requests: Mapping[str, int] = field(default_factory=dict)
    #: Why rules that were found are not used; empty where they are, or where none were found.
    quarantined: str = ""


@dataclass(frozen=True)
class Site:
    """What a crawl works with.

    `store` keeps an answer (and whether a browser drew it) and returns its URI; `load` gives the body back.
    """

    start_url: str
    reader: Reads
    fetcher: Fetcher
    robots: Robots
    store: Callable[[Fetched, bool], str]
    #: None where there is no browser.
    renderer: Renderer | None
    max_pages: int
    #: None where stored pages are not read again: then no rules are looked for in their structure.
    load: Callable[[str], bytes] | None = None
    #: What may be asked for tonight, and what earlier nights kept.
    allowance: Allowance = field(default_factory=Allowance)
    #: Other workers of this crawl.
    sharing: Sharing = field(default_factory=Alone)
