"""Photos that a file names by address: asked of public addresses only, bounded in size and time."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import httpcore
import httpx

from kindling.scraping import public

TIMEOUT_S = 20.0
MAX_BYTES = 10_000_000
MAX_REDIRECTS = 4
CONCURRENCY = 8
#: Failures of one host in a row after which it is not asked again.
GIVE_UP_AFTER = 20
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class NotFetched(Exception):
    """The address gave no picture, and why."""


class PublicOnly(httpcore.AsyncNetworkBackend):
    """Connects to the very address that it has checked: a name may answer otherwise the next time."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        #: `host:port` that are asked though they are private, for tests on loopback.
        self._allowed = frozenset(allowed)
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, *arguments: Any, **options: Any
    ) -> httpcore.AsyncNetworkStream:
        addresses = await public.resolve(host, port)
        inside = [one for one in addresses if not public.is_public(one)]
        if f"{host}:{port}" not in self._allowed and (inside or not addresses):
            raise NotFetched(f"{host} is not a public address")
        return await self._network.connect_tcp(
            addresses[0], port, *arguments, **options
        )

    async def connect_unix_socket(
        self, *arguments: Any, **options: Any
    ) -> httpcore.AsyncNetworkStream:
        raise NotFetched("a local socket")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


async def fetch_all(
    urls: Sequence[str], allowed: Iterable[str] = ()
) -> dict[str, bytes | NotFetched]:
    """The bytes behind every address, or why there are none; a host that never answers is left."""
    turns = asyncio.Semaphore(CONCURRENCY)
    failures: dict[str, int] = {}
    async with httpcore.AsyncConnectionPool(
        network_backend=PublicOnly(allowed), max_connections=CONCURRENCY
    ) as pool:

        async def one(url: str) -> bytes | NotFetched:
            host = httpx.URL(url).host if _parsed(url) else ""
            async with turns:
                if failures.get(host, 0) >= GIVE_UP_AFTER:
                    return NotFetched(f"{host} failed {GIVE_UP_AFTER} times in a row")
                try:
                    async with asyncio.timeout(TIMEOUT_S):
                        content = await _get(pool, url)
                except NotFetched as error:
                    failures[host] = failures.get(host, 0) + 1
                    return error
                except (httpcore.TimeoutException, TimeoutError):
                    failures[host] = failures.get(host, 0) + 1
                    return NotFetched(f"no answer within {TIMEOUT_S:g} s")
                except (
                    httpcore.NetworkError,
                    httpcore.ProtocolError,
                    OSError,
                    UnicodeError,
                ) as error:
                    failures[host] = failures.get(host, 0) + 1
                    return NotFetched(type(error).__name__)
                failures[host] = 0
                return content

        found = await asyncio.gather(*(one(url) for url in urls))
    return dict(zip(urls, found, strict=True))


async def _get(pool: httpcore.AsyncConnectionPool, url: str) -> bytes:
    target = _parsed(url)
    for _ in range(MAX_REDIRECTS + 1):
        if target is None or not target.host:
            raise NotFetched("not an http(s) address")
        request = httpcore.URL(
            scheme=target.raw_scheme,
            host=target.raw_host,
            port=target.port,
            target=target.raw_path,
        )
        headers = [
            (b"Host", target.netloc),
            (b"Accept", b"image/*"),
            (b"Accept-Encoding", b"identity"),
            (b"User-Agent", b"kindling"),
        ]
        async with pool.stream("GET", request, headers=headers) as response:
            if response.status not in _REDIRECTS:
                return await _body(response)
            location = _header(response, b"location")
        try:
            target = _parsed(str(target.join(location)))
        except httpx.InvalidURL:
            raise NotFetched("redirects to what is no address") from None
    raise NotFetched(f"redirects more than {MAX_REDIRECTS} times")


async def _body(response: httpcore.Response) -> bytes:
    if response.status != 200:
        raise NotFetched(f"status {response.status}")
    tag = _header(response, b"x-robots-tag").casefold()
    if any(word in tag for word in ("noai", "noimageai", "noml")):
        raise NotFetched(f"opts out of use by AI: {tag[:100]}")
    content = bytearray()
    async for chunk in response.aiter_stream():
        content += chunk
        if len(content) > MAX_BYTES:
            raise NotFetched(f"more than {MAX_BYTES // 1_000_000} MB")
    return bytes(content)


def _header(response: httpcore.Response, name: bytes) -> str:
    values = [value for key, value in response.headers if key.lower() == name]
    return b", ".join(values).decode("latin-1")


def _parsed(url: str) -> httpx.URL | None:
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return None
    known = target.scheme in ("http", "https") and 0 < (target.port or 80) < 65_536
    return target if known else None
