"""Pages over HTTP: politely paced, retried where that can help, and never off the shop's origin."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import httpx

from kindling.scraping.robots import AGENT, Robots, from_response
from kindling.scraping.urls import absolute, same_origin

Kind = Literal[
    "blocked",
    "not_found",
    "http_error",
    "server_error",
    "network",
    "empty",
    "too_large",
    "off_origin",
    "robots",
    "wrong_type",
    "browser",
    "browser_needed",
]
Sleep = Callable[[float], Awaitable[None]]

_RETRIED = frozenset({429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_KINDS: Mapping[int, Kind] = {
    401: "blocked",
    403: "blocked",
    407: "blocked",
    429: "blocked",
    451: "blocked",
    404: "not_found",
    410: "not_found",
}
#: Where no HTTP status says it better.
_REASONS: Mapping[Kind, str] = {
    "blocked": "blocked",
    "not_found": "not_found",
    "http_error": "http_error",
    "server_error": "server_error",
    "network": "network_error",
    "empty": "empty_page",
    "too_large": "page_too_large",
    "robots": "robots_disallowed",
    "off_origin": "redirect_off_origin",
    "wrong_type": "not_html",
    "browser": "browser_failed",
    "browser_needed": "browser_needed",
}


class FetchError(Exception):
    """A page that was not got; `kind` says whose fault it is, `status` is the last HTTP status, if any."""

    def __init__(
        self, url: str, kind: Kind, detail: str, status: int | None = None
    ) -> None:
        super().__init__(f"{url}: {detail}")
        self.url, self.kind, self.detail, self.status = url, kind, detail, status

    @property
    def reason(self) -> str:
        """The rejection reason."""
        return f"http_error:{self.status}" if self.status else _REASONS[self.kind]

    @property
    def outage(self) -> bool:
        """Whether the same request may succeed later."""
        return self.kind in ("network", "server_error")


@dataclass(frozen=True)
class Policy:
    """How hard one host is asked; times in seconds, sizes in bytes."""

    concurrency: int = 8
    delay_s: float = 0.0
    #: Tries after the first.
    retries: int = 3
    backoff_s: float = 0.5
    #: Neither back-off nor Retry-After makes a request wait longer.
    max_wait_s: float = 30.0
    connect_s: float = 10.0
    total_s: float = 60.0
    max_bytes: int = 5 * 1024 * 1024


@dataclass(frozen=True)
class Fetched:
    """A 2xx answer; `url` is where the redirects ended."""

    url: str
    status: int
    #: Names in lower case.
    headers: Mapping[str, str]
    body: bytes
    fetched_at: datetime

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")


class Pace:
    """Turns for one host, `delay_s` apart, shared by everything that asks it."""

    def __init__(
        self,
        delay_s: float,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.delay_s = delay_s
        self._sleep, self._clock, self._next = sleep, clock, 0.0

    async def turn(self) -> None:
        """Wait until the host may be asked again."""
        if self.delay_s <= 0:
            return
        now = self._clock()
        mine = max(now, self._next)
        self._next = mine + self.delay_s
        if mine > now:
            await self._sleep(mine - now)


class Fetcher:
    """GETs on one origin over kept connections; made by `open_fetcher`."""

    def __init__(
        self,
        origin: str,
        policy: Policy,
        client: httpx.AsyncClient,
        pace: Pace,
        rng: random.Random,
        sleep: Sleep = asyncio.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.origin, self.policy, self.pace = origin, policy, pace
        self._client, self._rng, self._sleep, self._now = client, rng, sleep, now
        self._slots = asyncio.Semaphore(policy.concurrency)
        self.requests = 0

    async def get(
        self, url: str, robots: Robots | None, types: tuple[str, ...] = ()
    ) -> Fetched:
        """The answer after redirects and retries, or FetchError; `types` are prefixes of media types."""
        for attempt in range(self.policy.retries + 1):
            try:
                async with self._slots, asyncio.timeout(self.policy.total_s):
                    return await self._follow(url, robots, types)
            except _Again as again:
                error, wait = again.error, again.wait_s
            except TimeoutError:
                error, wait = (
                    FetchError(
                        url, "network", f"no answer within {self.policy.total_s:g} s"
                    ),
                    None,
                )
            except httpx.InvalidURL as failure:
                raise FetchError(
                    url, "http_error", f"not an address: {failure}"
                ) from None
            except httpx.HTTPError as failure:
                error, wait = (
                    FetchError(url, "network", f"{type(failure).__name__}: {failure}"),
                    None,
                )
            if attempt < self.policy.retries:
                await self._sleep(self._wait(attempt, wait))
        raise error

    async def robots(self) -> Robots:
        """The origin's robots.txt; whatever cannot be had counts as RFC 9309 says."""
        try:
            answer = await self.get(absolute(self.origin, "/robots.txt"), None)
        except FetchError as error:
            return from_response(
                200 if error.kind == "empty" else error.status, why=error.detail
            )
        return from_response(answer.status, answer.body)

    def _wait(self, attempt: int, asked_s: float | None) -> float:
        backoff = self.policy.backoff_s * 2**attempt * (1 + self._rng.random())
        return min(self.policy.max_wait_s, max(backoff, asked_s or 0.0))

    async def _follow(
        self, url: str, robots: Robots | None, types: tuple[str, ...]
    ) -> Fetched:
        at = url
        for _ in range(_MAX_REDIRECTS + 1):
            if not same_origin(at, self.origin):
                raise FetchError(
                    url, "off_origin", f"leads to {at[:200]}, off the shop's origin"
                )
            if robots is not None and not robots.allowed(at):
                raise FetchError(url, "robots", f"robots.txt disallows {at[:200]}")
            await self.pace.turn()
            self.requests += 1
            async with self._client.stream("GET", at) as response:
                if response.status_code not in _REDIRECTS:
                    return await self._read(url, at, response, types)
                target = absolute(at, response.headers.get("location", ""))
            if not target:
                raise FetchError(
                    url,
                    "off_origin",
                    "redirect without a usable Location",
                    response.status_code,
                )
            at = target
        raise FetchError(
            url,
            "http_error",
            f"more than {_MAX_REDIRECTS} redirects",
            response.status_code,
        )

    async def _read(
        self, url: str, at: str, response: httpx.Response, types: tuple[str, ...]
    ) -> Fetched:
        status = response.status_code
        if not 200 <= status < 300:
            kind: Kind = (
                "server_error" if status >= 500 else _KINDS.get(status, "http_error")
            )
            error = FetchError(url, kind, f"HTTP {status}", status)
            if status in _RETRIED:
                raise _Again(
                    error, self._retry_after(response.headers.get("retry-after", ""))
                )
            raise error
        content_type = response.headers.get("content-type", "")
        if types and not content_type.lower().startswith(types):
            raise FetchError(url, "wrong_type", f"media type {content_type[:80]!r}")
        body = bytearray()
        # Counted after decompression, so that a small bomb cannot become a large page.
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self.policy.max_bytes:
                raise FetchError(
                    url, "too_large", f"more than {self.policy.max_bytes} bytes"
                )
        if not body.strip():
            raise FetchError(url, "empty", f"HTTP {status} without content")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Fetched(at, status, headers, bytes(body), self._now())

    def _retry_after(self, value: str) -> float | None:
        """Seconds from a Retry-After header, which is a number or a date."""
        if value.isascii() and value.isdigit():
            return float(value)
        try:
            return (
                max(0.0, (parsedate_to_datetime(value) - self._now()).total_seconds())
                if value
                else None
            )
        except (ValueError, TypeError):
            return None


class _Again(Exception):
    """An answer that asks to come back later."""

    def __init__(self, error: FetchError, wait_s: float | None) -> None:
        super().__init__(str(error))
        self.error, self.wait_s = error, wait_s


@asynccontextmanager
async def open_fetcher(
    origin: str,
    policy: Policy,
    seed: int,
    transport: httpx.AsyncBaseTransport | None = None,
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[Fetcher]:
    """A fetcher with a connection pool of its own; `seed` spreads the retries."""
    limits = httpx.Limits(
        max_connections=policy.concurrency, max_keepalive_connections=policy.concurrency
    )
    async with httpx.AsyncClient(
        transport=transport,
        limits=limits,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(policy.total_s, connect=policy.connect_s),
        headers={
            "User-Agent": f"{AGENT}/0.1",
            "Accept-Language": "en",
            "Accept": "*/*",
        },
    ) as client:
        yield Fetcher(
            origin,
            policy,
            client,
            Pace(policy.delay_s, sleep),
            random.Random(seed),
            sleep,
        )
