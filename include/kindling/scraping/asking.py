"""Pages asked for, kept and read: one answer an address, whichever worker got it."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kindling.errors import DataError
from kindling.records import Rejection
from kindling.scraping import opt_out
from kindling.scraping.fetch import Fetched, FetchError
from kindling.scraping.findings import Extraction
from kindling.scraping.sharing import Work
from kindling.scraping.site import CrawledPage, Site
from kindling.scraping.snapshot import KeptPage

_NOT_MODIFIED = 304
_HTML = ("text/html", "application/xhtml+xml")


@dataclass(frozen=True)
class Answer:
    """What came of asking for a page: the page, or in `rejections` why there is none."""

    page: CrawledPage | None = None
    rejections: tuple[Rejection, ...] = ()
    #: Nobody answered, or the server failed: worth another try later.
    outage: bool = False
    #: The browser does not start on this machine.
    no_browser: bool = False


class Asking:
    """The two ways to get a page of a site, and a third to read one that an earlier night got."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.fetching = Work("http", Answer, self._fetch_all, _outage)
        self.drawing = Work("browser", Answer, self._draw_all, _outage)

    async def kept(self, page: KeptPage) -> Answer:
        """A page of an earlier night, read with tonight's rules; no request is made."""
        site = self._site
        if site.load is None:
            raise ValueError(
                f"{page.url}: kept pages are read, and the site has no load"
            )
        body = await asyncio.to_thread(site.load, page.uri)
        at = page.ended_at or page.url
        found = await site.reader.read(body, at, page.content_type)
        refusal = site.robots.ai_opt_out(page.url) or found.opt_out
        if refusal:
            return _refused(page.url, "ai_opt_out", refusal)
        if found.wall:
            return _refused(page.url, "challenge_page", _asks(found))
        return _with_problems(
            CrawledPage(
                page.url,
                page.status,
                page.sha256,
                page.uri,
                page.fetcher,
                page.fetched_at,
                found,
                page.content_type,
                "kept",
                page.ended_at,
            )
        )

    async def _fetch_all(self, urls: Sequence[str]) -> dict[str, Answer]:
        answers = await asyncio.gather(*(self._fetch(url) for url in urls))
        return dict(zip(urls, answers, strict=True))

    async def _fetch(self, url: str) -> Answer:
        site = self._site
        if refusal := site.robots.ai_opt_out(url):
            return _refused(url, "ai_opt_out", refusal)
        memory = site.memory
        if memory and (before := await self._as_it_was(memory.unchanged(url))):
            return _with_problems(before)
        try:
            fetched = await site.fetcher.get(
                url,
                site.robots,
                _HTML,
                conditions=memory.conditions(url) if memory else None,
            )
            if memory and fetched.status == _NOT_MODIFIED:
                if refusal := opt_out.in_headers(fetched.headers):
                    return _refused(url, "ai_opt_out", refusal)
                if before := await self._as_it_was(memory.confirmed_page(url)):
                    return _with_problems(before)
                fetched = await site.fetcher.get(url, site.robots, _HTML)
        except FetchError as error:
            failed = _refused(url, error.reason, error.detail)
            return replace(failed, outage=error.outage)
        return await self._read(url, fetched, "http")

    async def _as_it_was(self, page: CrawledPage | None) -> CrawledPage | None:
        """A page as the last crawl left it; None where there is none, or its bytes are gone."""
        memory, load = self._site.memory, self._site.load
        if page is None or memory is None:
            return None
        if memory.same_reader():
            return page
        if load is None:
            return None
        try:
            body = await asyncio.to_thread(load, page.uri)
        except DataError:
            return None
        at = page.ended_at or page.url
        found = await self._site.reader.read(body, at, page.content_type)
        return replace(page, extraction=found)

    async def _draw_all(self, urls: Sequence[str]) -> dict[str, Answer]:
        renderer = self._site.renderer
        if renderer is None:
            raise ValueError("pages are to be drawn, and the site has no renderer")
        robots = self._site.robots
        refused = {url: why for url in urls if (why := robots.ai_opt_out(url))}
        answers = {
            url: _refused(url, "ai_opt_out", why) for url, why in refused.items()
        }
        asked = [url for url in urls if url not in refused]
        for url, result in sorted((await renderer.render(asked)).items()):
            if isinstance(result, FetchError):
                failed = _refused(url, result.reason, result.detail)
                missing = result.kind == "browser_needed"
                answers[url] = replace(failed, no_browser=missing, outage=missing)
            else:
                answers[url] = await self._read(url, result, "browser")
        return answers

    async def _read(
        self, url: str, fetched: Fetched, fetcher: Literal["http", "browser"]
    ) -> Answer:
        """Keep the page and read it; of a page that opts out of AI use neither stays."""
        digest = hashlib.sha256(fetched.body).hexdigest()
        memory = self._site.memory
        if memory:
            memory.asked(url, fetched.headers)
            before = memory.read_before(url, digest)
            if before and not opt_out.in_headers(fetched.headers):
                return _with_problems(before)
        found = await self._site.reader.read(
            fetched.body, fetched.url, fetched.content_type
        )
        refusal = opt_out.in_headers(fetched.headers) or found.opt_out
        if refusal:
            return _refused(url, "ai_opt_out", refusal)
        if found.wall:
            return _refused(url, "challenge_page", _asks(found))
        page = CrawledPage(
            url,
            fetched.status,
            digest,
            await self._stored(url, fetched, fetcher, digest),
            fetcher,
            fetched.fetched_at,
            found,
            fetched.content_type,
            ended_at=fetched.url if fetched.url != url else "",
        )
        return _with_problems(page)

    async def _is_there(self, uri: str) -> bool:
        """Whether a page of an earlier night is kept still: a review that it shows can be forgotten."""
        if self._site.load is None:
            return True
        try:
            await asyncio.to_thread(self._site.load, uri)
        except DataError:
            return False
        return True

    async def _stored(
        self, url: str, fetched: Fetched, fetcher: str, digest: str
    ) -> str:
        """Where the page is kept; one that is as it was stays where it was, if it is there still."""
        earlier = self._site.allowance.earlier.pages.get(url)
        same = earlier and (earlier.sha256, earlier.fetcher) == (digest, fetcher)
        if earlier and same and await self._is_there(earlier.uri):
            return earlier.uri
        drawn = fetcher == "browser"
        return await asyncio.to_thread(self._site.store, fetched, drawn)


def reviews_of(found: Extraction) -> tuple[str, ...]:
    """Texts of a page's reviews, titles where there is no body."""
    return tuple(review.body or review.title for review in found.reviews)


def _asks(found: Extraction) -> str:
    return f"{found.wall} asks whether a person reads this page"


def _outage(answer: Answer) -> bool:
    return answer.outage


def _refused(url: str, reason: str, detail: str) -> Answer:
    return Answer(rejections=(Rejection(url, reason, detail[:500]),))


def _with_problems(page: CrawledPage) -> Answer:
    problems = enumerate(page.extraction.problems)
    return Answer(
        page,
        tuple(
            Rejection(f"{page.url}#{number}", "parse_error", problem[:500])
            for number, problem in problems
        ),
    )
