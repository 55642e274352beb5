"""Raw pages as WARC (ISO 28500), one gzip member a page, so that any tool of web archives can read them.

A file of such members one after the other is a WARC file, too: `python -m kindling archive` writes one.
"""

import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import IO

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.recordloader import ArcWarcRecord
from warcio.statusandheaders import StatusAndHeaders, StatusAndHeadersParserException
from warcio.warcwriter import BufferWARCWriter

from kindling.errors import DataError
from kindling.scraping.fetch import Fetched

SUFFIX = ".warc.gz"
#: Bodies are kept decoded, so these headers would say something false.
_OF_TRANSFER = frozenset({"content-encoding", "transfer-encoding", "content-length"})

_DAMAGE = (ArchiveLoadFailed, StatusAndHeadersParserException, EOFError, ValueError)


@dataclass(frozen=True)
class Archived:
    """One page of an archive; `url` is where redirects ended, header names are in lower case."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes
    fetched_at: datetime
    #: Drawn by a browser: the document as it was after scripts had run.
    drawn: bool = False

    def fetched(self) -> Fetched:
        """The answer as a fetcher would have given it."""
        return Fetched(self.url, self.status, self.headers, self.body, self.fetched_at)


def record(fetched: Fetched, drawn: bool = False) -> bytes:
    """The page as one compressed WARC record: a response, or a resource where a browser drew it."""
    writer = BufferWARCWriter(gzip=True, warc_version="1.1")
    dated = {"WARC-Date": _date(fetched.fetched_at)}
    if drawn:
        made = writer.create_warc_record(
            fetched.url,
            "resource",
            payload=io.BytesIO(fetched.body),
            warc_content_type=fetched.content_type or "text/html; charset=utf-8",
            warc_headers_dict=dated,
        )
    else:
        made = writer.create_warc_record(
            fetched.url,
            "response",
            payload=io.BytesIO(fetched.body),
            http_headers=_http(fetched),
            warc_headers_dict=dated,
        )
    writer.write_record(made)
    return bytes(writer.get_contents())


def information(software: str, name: str) -> bytes:
    """The record that a WARC file begins with."""
    writer = BufferWARCWriter(gzip=True, warc_version="1.1")
    writer.write_record(writer.create_warcinfo_record(name, {"software": software}))
    return bytes(writer.get_contents())


def read(stream: IO[bytes], where: str) -> Iterator[Archived]:
    """Pages of a WARC file, compressed or not; DataError, with the place, where it is damaged.

    Requests, revisits and other records without a page are passed over.
    """
    try:
        for one in ArchiveIterator(stream, check_digests="raise"):
            if one.rec_type in ("response", "resource"):
                yield _archived(one)
    except _DAMAGE as error:
        raise DataError(f"{where}: not a whole WARC file: {error}") from None


def read_one(data: bytes, where: str) -> Archived:
    """The one page of an object; DataError where it holds none."""
    for found in read(io.BytesIO(data), where):
        return found
    raise DataError(f"{where}: holds no page")


def body_of(data: bytes, where: str) -> bytes:
    """A stored page's bytes, as fetched; pages of before WARC are plain gzip."""
    if where.endswith(SUFFIX):
        return read_one(data, where).body
    return gzip.decompress(data)


def _archived(one: ArcWarcRecord) -> Archived:
    drawn = one.rec_type == "resource"
    headers: dict[str, str] = {}
    if drawn:
        headers["content-type"] = one.rec_headers.get_header("Content-Type") or ""
    for name, value in one.http_headers.headers if one.http_headers else ():
        name = name.lower()
        headers[name] = f"{headers[name]}\n{value}" if name in headers else value
    status = one.http_headers.get_statuscode() if one.http_headers else "200"
    body = one.content_stream().read()
    if one.raw_stream.limit > 0:
        raise EOFError(f"a record of {one.raw_stream.limit} bytes more is cut off")
    return Archived(
        url=one.rec_headers.get_header("WARC-Target-URI") or "",
        status=int(status) if status.isdigit() else 0,
        headers=headers,
        body=body,
        fetched_at=datetime.fromisoformat(one.rec_headers.get_header("WARC-Date")),
        drawn=drawn,
    )


def _http(fetched: Fetched) -> StatusAndHeaders:
    lines = [
        (name, one)
        for name, value in fetched.headers.items()
        if name not in _OF_TRANSFER
        for one in value.split("\n")
    ]
    lines.append(("content-length", str(len(fetched.body))))
    reason = _REASONS.get(fetched.status, "")
    return StatusAndHeaders(f"{fetched.status} {reason}", lines, "HTTP/1.1")


_REASONS = {one.value: one.phrase for one in HTTPStatus}


def _date(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
