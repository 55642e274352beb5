"""Fetches an image by URL without becoming a way into the network that the server stands in."""

import asyncio
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpcore
import httpx

from kindling.addresses import PORTS, is_public
from kindling.errors import KindlingError

TIMEOUT_S = 5.0
MAX_BYTES = 5_000_000
MAX_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Lookups of names have threads of their own: a resolver that hangs costs other requests none.
LOOKUPS = ThreadPoolExecutor(4, thread_name_prefix="lookup")


class NotFetched(KindlingError):
    """The image behind a URL was not had; the message may be shown to the client."""


class PublicOnly(httpcore.AsyncNetworkBackend):
    """Connects to public addresses only, and to the very address it has checked.

    A check before the request would be one too early: the name may answer otherwise when it is
    resolved again (DNS rebinding), and a redirect leads elsewhere. Here every connection passes.
    """

    def __init__(self, allowed_hosts: Iterable[str] = ()) -> None:
        #: `host` or `host:port`, lower case: reached though they are private.
        self._allowed = frozenset(host.lower() for host in allowed_hosts)
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, *arguments: Any, **options: Any
    ) -> httpcore.AsyncNetworkStream:
        addresses = await _addresses(host, port)
        named = f"{host.lower()}:{port}" in self._allowed
        if not named and host.lower() not in self._allowed:
            if not all(map(is_public, addresses)):
                addresses = []
        if not addresses:
            # The same words whether the name exists or not: the answer would map the
            # network that the server stands in.
            raise NotFetched(
                f"image_url could not be fetched: {host} is not a public address "
                "that has an answer"
            )
        if not named and port not in PORTS:
            raise NotFetched(
                f"image_url names port {port}; "
                f"allowed: {', '.join(map(str, sorted(PORTS)))}"
            )
        return await self._network.connect_tcp(
            addresses[0], port, *arguments, **options
        )

    async def connect_unix_socket(
        self, *arguments: Any, **options: Any
    ) -> httpcore.AsyncNetworkStream:
        raise NotFetched("image_url leads to a local socket")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


async def fetch_image(url: str, allowed_hosts: Iterable[str] = ()) -> bytes:
    """The bytes behind an http(s) URL: at most 5 MB, in 5 s in all, over at most three redirects.

    NotFetched says why not, in words fit for the client.
    """
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await _get(url, allowed_hosts)
    except TimeoutError:
        raise NotFetched(f"image_url did not answer within {TIMEOUT_S:g} s") from None
    # UnicodeError: names that the resolver cannot even ask for.
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        OSError,
        UnicodeError,
    ) as error:
        raise NotFetched(
            f"image_url could not be fetched ({type(error).__name__})"
        ) from error


async def _get(url: str, allowed_hosts: Iterable[str]) -> bytes:
    target = _parsed(url)
    # No proxies and no cookies: this pool reads nothing from the environment.
    async with httpcore.AsyncConnectionPool(
        network_backend=PublicOnly(allowed_hosts)
    ) as pool:
        for _ in range(MAX_REDIRECTS + 1):
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
                if response.status not in REDIRECTS:
                    return await _body(response)
                location = {
                    name.lower(): value for name, value in response.headers
                }.get(b"location", b"")
            target = _parsed(location.decode("latin-1"), target)
    raise NotFetched(f"image_url redirects more than {MAX_REDIRECTS} times")


async def _body(response: httpcore.Response) -> bytes:
    if response.status != 200:
        raise NotFetched(f"image_url answered with status {response.status}")
    content = bytearray()
    async for chunk in response.aiter_stream():
        content += chunk
        if len(content) > MAX_BYTES:
            raise NotFetched(f"image_url holds more than {MAX_BYTES // 1_000_000} MB")
    return bytes(content)


async def _addresses(host: str, port: int) -> list[str]:
    """Addresses of the host; none where the name cannot be asked for or has no answer."""
    try:
        return await _resolve(host, port)
    except (OSError, UnicodeError):
        return []


async def _resolve(host: str, port: int) -> list[str]:
    """Addresses of the host, IPv4 first: a machine without a route for IPv6 may still resolve it."""
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(LOOKUPS, look_up)
    return sorted(
        (str(entry[4][0]) for entry in found), key=lambda address: ":" in address
    )


def _parsed(url: str, relative_to: httpx.URL | None = None) -> httpx.URL:
    try:
        target = relative_to.join(url) if relative_to else httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise NotFetched("image_url is not a valid URL") from None
    if not 0 < (target.port or 80) < 65_536:
        raise NotFetched(f"image_url names port {target.port}")
    if target.scheme not in ("http", "https") or not target.host:
        raise NotFetched("image_url must begin with http:// or https://")
    return target
