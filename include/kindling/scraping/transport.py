"""httpx's requests over aiohttp's connections, whose parser is native: a third of the CPU time a page.

httpx stays the interface, so that answers can be scripted in tests; its own connection pool looks through
all connections and waiting requests for every one of them (measured: 3.1 ms of CPU time a page with 32
connections, .9 ms here).
"""

import ssl
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import aiohttp
import httpx
from yarl import URL


class AiohttpTransport(httpx.AsyncBaseTransport):
    """One session with at most `connections` connections; bodies come as they are sent, still encoded."""

    def __init__(self, connections: int, connect_s: float, total_s: float) -> None:
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(total=total_s, connect=connect_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=self._timeout,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._session is None:
            raise RuntimeError("the transport is used outside of its context")
        try:
            answer = await self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=[
                    (name, value)
                    for name, value in request.headers.multi_items()
                    if name != "connection"
                ],
                allow_redirects=False,
                server_hostname=request.extensions.get("sni_hostname"),
            )
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError) as error:
            raise _failure(error, request) from error
        return httpx.Response(
            answer.status, headers=answer.raw_headers, stream=_Stream(answer, request)
        )


class _Stream(httpx.AsyncByteStream):
    """An answer's body, piece by piece."""

    def __init__(self, answer: aiohttp.ClientResponse, request: httpx.Request) -> None:
        self._answer, self._request = answer, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._answer.content.iter_any():
                yield piece
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _failure(error, self._request) from error

    async def aclose(self) -> None:
        # Of an answer that was not read to its end the connection is closed, not kept.
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()


def _failure(error: BaseException, request: httpx.Request) -> httpx.TransportError:
    kind: type[httpx.TransportError] = httpx.ReadError
    if isinstance(error, TimeoutError):
        kind = httpx.ReadTimeout
    elif isinstance(error, aiohttp.ClientConnectorError):
        kind = httpx.ConnectError
    return kind(str(error) or type(error).__name__, request=request)
