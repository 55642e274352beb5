"""Browsers tried in turn, the cheapest first: a page goes to the next one where it is not whole yet."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from kindling.scraping.browser import Drawing
from kindling.scraping.fetch import Fetched, FetchError
from kindling.scraping.reader import Reader
from kindling.scraping.site import Renderer

log = logging.getLogger(__name__)

#: Pages that a browser may fail in a row before it is asked no more.
_MAX_FAILED = 6
#: Failures that may be the browser's, not the page's.
_OF_BROWSER = frozenset({"browser", "browser_needed"})

Drawn = Fetched | FetchError
#: Whether all that a page says it has can be read from it as it was drawn.
Whole = Callable[[Fetched], Awaitable[bool]]


class Rung(Protocol):
    """One browser."""

    name: str
    version: str

    async def render(self, urls: Sequence[str]) -> dict[str, Drawn]: ...


class Ladder:
    """A renderer of several browsers; `whole` judges a drawn page."""

    def __init__(self, rungs: Sequence[Rung], whole: Whole) -> None:
        self._rungs, self._whole = tuple(rungs), whole
        self._failed = dict.fromkeys((rung.name for rung in rungs), 0)
        #: Browser -> pages whose result was its own.
        self.drawn = dict.fromkeys((rung.name for rung in rungs), 0)

    async def render(self, urls: Sequence[str]) -> dict[str, Drawn]:
        """Each address' page by the first browser that drew it whole, or the best that there is."""
        best: dict[str, Drawn] = {}
        left = list(urls)
        for rung in self._usable():
            if not left:
                break
            for url, drawn in (await rung.render(left)).items():
                if isinstance(drawn, Fetched) or url not in best:
                    best[url] = drawn
            left = [url for url in left if not await self._settled(best[url], rung)]
        return best

    def _usable(self) -> list[Rung]:
        """All but the first ones that failed too often; the last one is always asked."""
        *cheaper, last = self._rungs
        return [
            *(one for one in cheaper if self._failed[one.name] < _MAX_FAILED),
            last,
        ]

    async def _settled(self, drawn: Drawn, rung: Rung) -> bool:
        """Whether no other browser would do better."""
        if isinstance(drawn, FetchError):
            of_browser = drawn.kind in _OF_BROWSER
            self._failed[rung.name] += of_browser
            return not of_browser
        if await self._whole(drawn):
            self._failed[rung.name] = 0
            self.drawn[rung.name] += 1
            return True
        self._failed[rung.name] += 1
        return False


def renderer(browsers: Sequence[Drawing], reader: Reader) -> Renderer | None:
    """One browser, or several of which the next draws what the one before left."""

    async def whole(drawn: Fetched) -> bool:
        found = await reader.read(drawn.body, drawn.url, drawn.content_type)
        return not found.lossy

    if len(browsers) < 2:
        return browsers[0] if browsers else None
    return Ladder(browsers, whole)


def names(browsers: Sequence[Drawing]) -> str:
    """What drew the pages, as a person would name it."""
    started = [
        f"{one.name} {one.version} through Playwright"
        for one in browsers
        if one.version
    ]
    if started:
        return ", then ".join(started)
    paths = ", ".join(one.executable for one in browsers)
    return f"{paths}, not started" if paths else "none: no browser is set"
