"""Pages over HTTP: politely paced, retried where that can help, and never off the shop's own site."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from kindling.scraping import walls
from kindling.scraping.decoding import ACCEPTED, BadEncoding, Body, TooLarge
from kindling.scraping.fetch_error import KINDS, FetchError, Kind
from kindling.scraping.pace import Pace, Sleep
from kindling.scraping.public import Resolve, is_address, is_public, resolve
from kindling.scraping.robots import AGENT, Robots, from_response
from kindling.scraping.transport import AiohttpTransport
from kindling.scraping.urls import absolute, origin_of, same_site

__all__ = [
    "FetchError",
    "Fetched",
    "Fetcher",
    "Kind",
    "Pace",
    "Policy",
    "Sleep",
    "open_fetcher",
]

_RETRIED = frozenset({429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_WELL_KNOWN = "/.well-known/tdmrep.json"


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
    #: One request from its start to the last byte; the wait for a turn is not in it.
    total_s: float = 60.0
    max_bytes: int = 5 * 1024 * 1024


@dataclass(frozen=True)
class Fetched:
    """A 2xx answer, or 304 to a conditional request; `url` is where the redirects ended."""

    url: str
    status: int
    #: Names in lower case; several headers of one name are lines of one value.
    headers: Mapping[str, str]
    body: bytes
    fetched_at: datetime

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")


class Fetcher:
    """GETs on one site over kept connections; made by `open_fetcher`.

    Other hosts are asked only where the caller says `elsewhere`, for what the shop itself points to, and
    only at public addresses.
    """

    def __init__(
        self,
        origin: str,
        policy: Policy,
        client: httpx.AsyncClient,
        rng: random.Random,
        sleep: Sleep = asyncio.sleep,
        resolver: Resolve = resolve,
    ) -> None:
        self.origin, self.policy = origin, policy
        self.pace = Pace(policy.delay_s, sleep)
        self._client, self._rng, self._sleep = client, rng, sleep
        self._slots = asyncio.Semaphore(policy.concurrency)
        self._resolve = resolver
        self._hosts: dict[str, asyncio.Task[Robots]] = {}
        self._paces: dict[str, Pace] = {}
        self.requests = 0

    async def get(
        self,
        url: str,
        robots: Robots | None,
        types: tuple[str, ...] = (),
        elsewhere: bool = False,
        max_bytes: int | None = None,
        conditions: Mapping[str, str] | None = None,
    ) -> Fetched:
        """The answer after redirects and retries, or FetchError; `types` are prefixes of media types.

        `elsewhere` allows public hosts besides the shop's; `max_bytes` is the policy's by default.
        `conditions` are headers that may be answered with 304, which is then an answer too.
        """
        most = max_bytes or self.policy.max_bytes
        want = _Want(url, robots, types, elsewhere, most, conditions or {})
        for attempt in range(self.policy.retries + 1):
            try:
                async with self._slots:
                    return await self._follow(want)
            except _Again as again:
                error, wait = again.error, again.wait_s
            except httpx.InvalidURL as failure:
                raise FetchError(
                    url, "http_error", f"not an address: {failure}"
                ) from None
            except httpx.HTTPError as failure:
                detail = f"{type(failure).__name__}: {failure}"
                error, wait = FetchError(url, "network", detail), None
            if attempt < self.policy.retries:
                await self._sleep(self._wait(attempt, wait))
        raise error

    async def robots(self) -> Robots:
        """The site's rules for crawling and for AI use; what does not answer counts as RFC 9309 says."""
        try:
            well_known = await self.get(absolute(self.origin, _WELL_KNOWN), None)
            tdmrep = well_known.body
        except FetchError:
            tdmrep = b""
        return await self._robots_at(self.origin, tdmrep)

    async def robots_elsewhere(self, url: str) -> Robots:
        """The rules of another host, asked once."""
        parts = urlsplit(url)
        host = f"{parts.scheme}://{parts.netloc}"
        if host not in self._hosts:
            self._hosts[host] = asyncio.ensure_future(self._robots_at(host, b""))
        return await asyncio.shield(self._hosts[host])

    async def _robots_at(self, origin: str, tdmrep: bytes) -> Robots:
        try:
            # RFC 9309, 2.3.1.2: redirects are followed, to other authorities too.
            address = absolute(origin, "/robots.txt")
            answer = await self.get(address, None, elsewhere=True)
        except FetchError as error:
            status = 200 if error.kind == "empty" else error.status
            return from_response(status, why=error.detail, tdmrep=tdmrep)
        return from_response(answer.status, answer.body, tdmrep=tdmrep)

    def _wait(self, attempt: int, asked_s: float | None) -> float:
        backoff: float = self.policy.backoff_s * 2**attempt * (1 + self._rng.random())
        return min(self.policy.max_wait_s, max(backoff, asked_s or 0.0))

    async def _follow(self, want: "_Want") -> Fetched:
        at = want.url
        for _ in range(_MAX_REDIRECTS + 1):
            address, headers, extensions = await self._target(at, want)
            # Outside the time limit: a slow shop's turns are no fault of its answers.
            await self._pace_of(at).turn()
            self.requests += 1
            try:
                async with asyncio.timeout(self.policy.total_s):
                    request = self._client.build_request(
                        "GET",
                        address,
                        headers={**want.conditions, **headers},
                        extensions=extensions,
                    )
                    response = await self._client.send(request, stream=True)
                    try:
                        if response.status_code not in _REDIRECTS:
                            return await self._read(want, at, response)
                        location = response.headers.get("location", "")
                    finally:
                        await response.aclose()
            except TimeoutError:
                detail = f"no answer within {self.policy.total_s:g} s"
                raise _Again(FetchError(want.url, "network", detail), None) from None
            target = absolute(at, location)
            if not target:
                raise FetchError(
                    want.url,
                    "off_origin",
                    "redirect without a usable Location",
                    response.status_code,
                )
            at = target
        raise FetchError(
            want.url,
            "http_error",
            f"more than {_MAX_REDIRECTS} redirects",
            response.status_code,
        )

    async def _target(
        self, at: str, want: "_Want"
    ) -> tuple[str, dict[str, str], dict[str, str]]:
        """Where to send the request for an address: as it is on the shop's site, pinned to an IP elsewhere."""
        if same_site(at, self.origin):
            if want.robots is not None and not want.robots.allowed(at):
                raise FetchError(want.url, "robots", f"robots.txt disallows {at[:200]}")
            return at, {}, {}
        origin = origin_of(at)
        if not want.elsewhere or origin is None:
            raise FetchError(
                want.url, "off_origin", f"leads to {at[:200]}, off the shop's site"
            )
        _, host, port = origin
        address = await self._public_address(want.url, host, port)
        if want.robots is not None:
            rules = await self._rules_elsewhere(at)
            if not rules.allowed(at):
                raise FetchError(want.url, "robots", f"robots.txt disallows {at[:200]}")
        netloc = f"[{address}]" if ":" in address else address
        pinned = urlsplit(at)._replace(netloc=f"{netloc}:{port}").geturl()
        return pinned, {"Host": urlsplit(at).netloc}, {"sni_hostname": host}

    async def _rules_elsewhere(self, at: str) -> Robots:
        # The slot is given back meanwhile: asking for the rules needs one itself.
        self._slots.release()
        try:
            return await self.robots_elsewhere(at)
        finally:
            await self._slots.acquire()

    async def _public_address(self, url: str, host: str, port: int) -> str:
        """The host's first address, where all of them are public; checked here, and the one connected to."""
        try:
            addresses = [host] if is_address(host) else await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise FetchError(url, "network", f"{host}: {error}") from None
        private = [one for one in addresses if not is_public(one)]
        if private or not addresses:
            raise FetchError(
                url, "off_origin", f"leads to {host}, which is no public address"
            )
        return addresses[0]

    def _pace_of(self, at: str) -> Pace:
        if same_site(at, self.origin):
            return self.pace
        host = urlsplit(at).netloc
        return self._paces.setdefault(host, Pace(self.policy.delay_s, self._sleep))

    async def _read(self, want: "_Want", at: str, response: httpx.Response) -> Fetched:
        status, url = response.status_code, want.url
        if status == 304 and want.conditions:
            return Fetched(at, status, _headers(response), b"", datetime.now(UTC))
        if not 200 <= status < 300:
            raise self._refusal(url, response)
        headers = _headers(response)
        content_type = headers.get("content-type", "").strip()
        # An answer that names no type may be any; the reader finds out.
        if want.types and content_type:
            if not content_type.lower().startswith(want.types):
                raise FetchError(url, "wrong_type", f"media type {content_type[:80]!r}")
        try:
            encoding = headers.get("content-encoding", "").replace("\n", ",")
            body = Body(encoding, want.max_bytes)
        except BadEncoding as error:
            raise FetchError(url, "encoding", str(error)) from None
        try:
            async for chunk in response.stream:  # type: ignore[union-attr]
                body.add(chunk)
        except TooLarge:
            raise FetchError(
                url, "too_large", f"more than {want.max_bytes} bytes"
            ) from None
        except BadEncoding as error:
            raise _Again(
                FetchError(url, "network", f"damaged: {error}"), None
            ) from None
        if not body.content.strip():
            raise FetchError(url, "empty", f"HTTP {status} without content")
        return Fetched(at, status, headers, bytes(body.content), datetime.now(UTC))

    def _refusal(self, url: str, response: httpx.Response) -> Exception:
        status = response.status_code
        kind = "server_error" if status >= 500 else KINDS.get(status, "http_error")
        wall = walls.in_headers(response.headers)
        said = f"HTTP {status}, by {wall}, which keeps readers like this one out"
        error = FetchError(url, kind, said if wall else f"HTTP {status}", status)
        if status not in _RETRIED:
            return error
        return _Again(error, self._retry_after(response.headers.get("retry-after", "")))

    def _retry_after(self, value: str) -> float | None:
        """Seconds from a Retry-After header, which is a number or a date."""
        if value.isascii() and value.isdigit():
            return float(value)
        try:
            return (
                max(
                    0.0,
                    (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds(),
                )
                if value
                else None
            )
        except (ValueError, TypeError):
            return None


@dataclass(frozen=True)
class _Want:
    """What a caller asked for, the same over all redirects and tries."""

    url: str
    robots: Robots | None
    types: tuple[str, ...]
    elsewhere: bool
    max_bytes: int
    conditions: Mapping[str, str]


class _Again(Exception):
    """An answer that asks to come back later."""

    def __init__(self, error: FetchError, wait_s: float | None) -> None:
        super().__init__(str(error))
        self.error, self.wait_s = error, wait_s


def _headers(response: httpx.Response) -> dict[str, str]:
    headers: dict[str, str] = {}
    # httpx's own view looks for the headers' encoding at every access.
    for raw_name, raw_value in response.headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}\n{value}" if name in headers else value
    return headers


@asynccontextmanager
async def open_fetcher(
    origin: str,
    policy: Policy,
    seed: int,
    transport: httpx.AsyncBaseTransport | None = None,
    sleep: Sleep = asyncio.sleep,
    resolver: Resolve = resolve,
) -> AsyncIterator[Fetcher]:
    """A fetcher with a connection pool of its own; `seed` spreads the retries."""
    async with httpx.AsyncClient(
        transport=transport
        or AiohttpTransport(policy.concurrency, policy.connect_s, policy.total_s),
        trust_env=False,
        follow_redirects=False,
        timeout=None,
        headers={
            "User-Agent": f"{AGENT}/0.1",
            "Accept-Language": "en",
            "Accept": "*/*",
            "Accept-Encoding": ACCEPTED,
        },
    ) as client:
        yield Fetcher(
            origin,
            policy,
            client,
            random.Random(seed),
            sleep,
            resolver,
        )
