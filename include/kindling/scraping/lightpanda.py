"""Lightpanda as the browser: it runs a page's scripts and lays nothing out, at a fraction of Chromium's cost.

It is a program of its own that is spoken to over a socket, under the AGPL, and in an early state: it is used
where it is installed, and never alone trusted (see `rungs`).
"""

import asyncio
import contextlib
import ipaddress
import logging
import os
import re
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, Playwright, Route

from kindling.scraping.browser import Drawing
from kindling.scraping.public import is_address, is_public

log = logging.getLogger(__name__)

_ADDRESS = re.compile(rb"address=(127\.0\.0\.1:\d+)")
_START_S = 20.0
_END_S = 5.0


class Lightpanda(Drawing):
    """One process and one connection at a time: a connection has one browser context and no more."""

    name = "Lightpanda"

    _process: asyncio.subprocess.Process | None = None
    _drain: "asyncio.Task[None] | None" = None

    async def _launch(self, playwright: Playwright) -> Browser:
        address = await self._start()
        return await playwright.chromium.connect_over_cdp(
            f"ws://{address}", timeout=_START_S * 1000
        )

    async def _version_of(self, browser: Browser) -> str:
        """Its own: over the connection it gives the Chromium that it speaks like."""
        asked = await asyncio.create_subprocess_exec(
            self._options.executable,
            "version",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        said, _ = await asked.communicate()
        return said.decode("utf-8", "replace").strip()[:40] or browser.version

    async def _open(self, browser: Browser) -> Page:
        context = await browser.new_context()
        # Before any request: its command line can keep it from private addresses, not to one host.
        await context.route("**/*", self._only_the_shop)
        return await context.new_page()

    async def _only_the_shop(self, route: Route) -> None:
        host = urlsplit(route.request.url).hostname
        if host == urlsplit(self._origin).hostname:
            await route.continue_()
        else:
            await route.abort()

    async def _start(self) -> str:
        """Start the process; the address that it listens at. OSError where it does not come up."""
        self._process = await asyncio.create_subprocess_exec(
            self._options.executable,
            "serve",
            *("--host", "127.0.0.1", "--port", "0", "--log-level", "info"),
            *("--http-max-response-size", str(4 * self._options.max_bytes)),
            *("--watchdog-ms", str(int(self._options.page_s * 1000))),
            *self._guard(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            # It reports its use to its makers unless it is told not to.
            env={"LIGHTPANDA_DISABLE_TELEMETRY": "true", "PATH": os.defpath},
        )
        try:
            async with asyncio.timeout(_START_S):
                return await self._listening()
        except TimeoutError:
            await self._end()
            raise OSError(f"it did not come up within {_START_S:g} s") from None

    async def _listening(self) -> str:
        assert self._process is not None and self._process.stderr is not None
        while line := await self._process.stderr.readline():
            if match := _ADDRESS.search(line):
                self._drain = asyncio.create_task(_read_off(self._process.stderr))
                return match[1].decode()
        code = await self._process.wait()
        raise OSError(f"it ended with {code} before it listened")

    def _guard(self) -> list[str]:
        """No page may reach a private network, unless that is where the shop itself was said to be."""
        host = urlsplit(self._origin).hostname or ""
        named_private = host == "localhost" or (
            is_address(host) and not is_public(str(ipaddress.ip_address(host)))
        )
        return [] if named_private else ["--block-private-networks"]

    async def _close(self) -> None:
        await super()._close()
        await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(_END_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._drain is not None:
            await self._drain
            self._drain = None


async def _read_off(stream: asyncio.StreamReader) -> None:
    """Take what it says, so that it never waits for a reader."""
    while await stream.read(65_536):
        continue
