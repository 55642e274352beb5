"""Pages drawn by a browser, for what scripts put there.

Only addresses that HTTP may fetch come here; what the page's own scripts then ask for is the page's business,
and stays on the shop's host.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    Error,
    Page,
    Playwright,
    async_playwright,
)

from kindling.scraping.fetch import Fetched, FetchError
from kindling.scraping.mapping import ScriptRules
from kindling.scraping.urls import same_site

log = logging.getLogger(__name__)

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    # Cheaper than intercepting the requests: nothing of what is read depends on pictures or fonts.
    "--blink-settings=imagesEnabled=false",
    "--disable-remote-fonts",
)
#: Chromium's memory grows with every page it has drawn.
_RECYCLE_AFTER = 200
_START_S = 30.0


@dataclass(frozen=True)
class BrowserOptions:
    """`executable` is the browser's path; `page_s` is the budget of one page, all waiting included."""

    executable: str
    tabs: int = 2
    page_s: float = 20.0
    max_bytes: int = 5 * 1024 * 1024


class Drawing(ABC):
    """Draws pages of one shop; started with the first page, and anew after every 200.

    Which browser it is, and how that is kept to the shop's host, is its subclasses' business.
    """

    name = ""

    def __init__(
        self,
        origin: str,
        options: BrowserOptions,
        script: ScriptRules | None,
        turn: Callable[[], Awaitable[None]],
    ) -> None:
        self._origin, self._options, self._script, self._turn = (
            origin,
            options,
            script,
            turn,
        )
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._drawn = 0
        self.version = ""

    @property
    def executable(self) -> str:
        """Path of the browser."""
        return self._options.executable

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()
        if self._playwright is not None:
            await self._playwright.stop()

    async def render(self, urls: Sequence[str]) -> dict[str, Fetched | FetchError]:
        """Each address' page as drawn, or why not; kind `browser_needed` where it does not start."""
        results: dict[str, Fetched | FetchError] = {}
        await self._draw_all(deque(urls), results)
        # A page may fail because another one brought the browser down: once more, in a new one.
        again = deque(url for url in urls if _may_succeed(results.get(url)))
        if again:
            await self._close()
            await self._draw_all(again, results)
        return {
            url: results.get(url) or FetchError(url, "browser", "the browser died")
            for url in urls
        }

    async def _draw_all(
        self, waiting: deque[str], results: dict[str, Fetched | FetchError]
    ) -> None:
        while waiting:
            try:
                browser = await self._ready()
            except (Error, OSError) as error:
                why = f"{self._options.executable} does not start: {_first_line(error)}"
                log.warning("%s", why)
                results.update(
                    (url, FetchError(url, "browser_needed", why)) for url in waiting
                )
                return
            batch = deque(
                waiting.popleft()
                for _ in range(min(len(waiting), _RECYCLE_AFTER - self._drawn))
            )
            self._drawn += len(batch)
            size = len(batch)
            await asyncio.gather(
                *(self._tab(browser, batch, results) for _ in range(self._options.tabs))
            )
            if len(batch) == size:
                # It was gone before one page was begun: `render` tries once more in a new one.
                return
            # A page that brought the browser down is no reason to leave out those behind it.
            waiting.extendleft(reversed(batch))
            log.info("drew %d pages, %d to go", len(results), len(waiting))

    async def _ready(self) -> Browser:
        """The running browser, or a new one where it died or has drawn its share."""
        if (
            self._browser is not None
            and self._browser.is_connected()
            and self._drawn < _RECYCLE_AFTER
        ):
            return self._browser
        await self._close()
        if self._playwright is None:
            self._playwright = await async_playwright().start()
        self._browser = await self._launch(self._playwright)
        self.version, self._drawn = await self._version_of(self._browser), 0
        return self._browser

    @abstractmethod
    async def _launch(self, playwright: Playwright) -> Browser:
        """A new browser that reaches the shop's host alone; Error or OSError where it does not start."""

    async def _version_of(self, browser: Browser) -> str:
        return browser.version

    async def _close(self) -> None:
        if self._browser is not None:
            await _quietly(self._browser.close())
        self._browser = None

    async def _tab(
        self,
        browser: Browser,
        waiting: deque[str],
        results: dict[str, Fetched | FetchError],
    ) -> None:
        """One tab's work: the next address, until none is left or the browser is gone."""
        page: Page | None = None
        while waiting and browser.is_connected():
            url = waiting.popleft()
            await self._turn()
            try:
                async with asyncio.timeout(self._options.page_s):
                    page = page or await self._open(browser)
                    results[url] = await self._draw(page, url)
                continue
            except FetchError as error:
                results[url] = error
            except TimeoutError:
                results[url] = FetchError(
                    url, "browser", f"not drawn within {self._options.page_s:g} s"
                )
            except Error as error:
                results[url] = FetchError(url, "browser", _first_line(error))
            if page is not None:
                await _quietly(page.context.close())
                page = None
        if page is not None:
            await _quietly(page.context.close())

    async def _open(self, browser: Browser) -> Page:
        context: BrowserContext = await browser.new_context(
            service_workers="block",
            accept_downloads=False,
            locale="en-US",
            viewport={"width": 1280, "height": 1024},
        )
        return await context.new_page()

    async def _draw(self, page: Page, url: str) -> Fetched:
        response = await page.goto(
            url, wait_until="domcontentloaded", timeout=self._options.page_s * 1000
        )
        if response is None or response.status >= 400:
            status = response.status if response else None
            raise FetchError(
                url,
                "server_error" if (status or 500) >= 500 else "http_error",
                f"HTTP {status}",
                status,
            )
        headers = dict(response.headers)
        await self._settle(page, url)
        if not same_site(page.url, self._origin):
            raise FetchError(url, "off_origin", f"its script leads to {page.url[:200]}")
        body = (await page.content()).encode("utf-8", "replace")
        if len(body) > self._options.max_bytes:
            raise FetchError(
                url,
                "too_large",
                f"more than {self._options.max_bytes} bytes when drawn",
            )
        # Whatever the server sent, this is the browser's serialisation.
        headers["content-type"] = "text/html; charset=utf-8"
        return Fetched(url, response.status, headers, body, datetime.now(UTC))

    async def _settle(self, page: Page, url: str) -> None:
        """Until the mapping's container says that it is filled, or else until the network is quiet."""
        script, budget = self._script, self._options.page_s * 1000
        if script is None or await page.query_selector(script.container) is None:
            await page.wait_for_load_state("networkidle", timeout=budget)
            return
        await page.wait_for_selector(script.ready, state="attached", timeout=budget)
        if script.failed and await page.query_selector(script.failed) is not None:
            raise FetchError(
                url, "browser", "the page's own request for its reviews failed"
            )


class Chromium(Drawing):
    """Chromium, started by Playwright."""

    name = "Chromium"

    async def _launch(self, playwright: Playwright) -> Browser:
        return await playwright.chromium.launch(
            executable_path=self._options.executable,
            headless=True,
            timeout=_START_S * 1000,
            args=[
                *_FLAGS,
                f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {urlsplit(self._origin).hostname}",
            ],
        )


def _may_succeed(result: Fetched | FetchError | None) -> bool:
    return (
        result is None
        or isinstance(result, FetchError)
        and result.kind in ("browser", "server_error")
    )


async def _quietly(closing: Awaitable[None]) -> None:
    """Close what may be dead already: a crashed tab or browser has nothing left to close."""
    try:
        async with asyncio.timeout(10):
            await closing
    except (Error, TimeoutError) as error:
        log.warning(
            "closing a tab or browser that did not answer: %s", _first_line(error)
        )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
