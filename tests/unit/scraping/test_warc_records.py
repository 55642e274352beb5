"""Pages as WARC records: what goes in comes out, damage is told, other tools' files are read."""

import gzip
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from warcio.warcwriter import WARCWriter

from kindling.errors import DataError
from kindling.scraping import warc
from kindling.scraping.fetch import Fetched

AT = datetime(2026, 11, 25, 21, 50, 1, 250, tzinfo=UTC)
names = st.from_regex(r"x-[a-z]{1,8}", fullmatch=True)
values = st.from_regex(r"[a-zA-Z0-9=;, ]{1,20}", fullmatch=True).map(str.strip)


def answer(body, headers, url="https://shop.example/p/1?page=2"):
    return Fetched(url, 200, headers, body, AT)


@given(
    st.binary(min_size=1, max_size=3_000),
    st.dictionaries(names, values.filter(bool), max_size=4),
)
def test_a_page_comes_back_as_it_was_fetched(body, headers):
    kept = {"content-type": "text/html", **headers}
    found = warc.read_one(warc.record(answer(body, kept)), "here")
    assert (found.body, found.fetched_at, found.status) == (body, AT, 200)
    assert found.url == "https://shop.example/p/1?page=2" and not found.drawn
    assert {name: found.headers[name] for name in kept} == kept


def test_a_drawn_page_is_no_response_of_the_shop():
    data = warc.record(answer(b"<p>drawn</p>", {"content-type": "text/html"}), True)
    assert b"WARC-Type: resource" in gzip.decompress(data)
    found = warc.read_one(data, "here")
    assert found.drawn and found.fetched().content_type == "text/html"


def test_headers_of_the_transfer_are_not_kept_for_the_decoded_body():
    sent = {
        "content-encoding": "br",
        "content-length": "7",
        "content-type": "text/html",
    }
    found = warc.read_one(warc.record(answer(b"<p>decoded</p>", sent)), "here")
    assert "content-encoding" not in found.headers
    assert found.headers["content-length"] == "14"


def test_several_lines_of_one_header_stay_several():
    robots = {"x-robots-tag": "noindex\nnoai"}
    found = warc.read_one(warc.record(answer(b"x", robots)), "here")
    assert found.headers["x-robots-tag"] == "noindex\nnoai"


def test_a_file_of_another_tool_is_read_without_its_requests():
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=False)
    sent = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
    for kind in ("request", "metadata"):
        record = writer.create_warc_record("http://a.example/", kind, io.BytesIO(sent))
        writer.write_record(record)
    out.write(gzip.decompress(warc.record(answer(b"<p>page</p>", {}))))
    (found,) = warc.read(io.BytesIO(out.getvalue()), "other.warc")
    assert found.body == b"<p>page</p>"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"no archive at all",
        lambda data: gzip.decompress(data).replace(b"HTTP/1.1 200", b"HTTQ"),
        lambda data: gzip.compress(gzip.decompress(data).replace(b"page", b"pige")),
        lambda data: gzip.compress(gzip.decompress(data)[:-20]),
    ],
)
def test_a_damaged_file_is_told_with_its_name(damage):
    data = warc.record(answer(b"<p>a page of the shop</p>", {}))
    with pytest.raises(DataError, match=r"night\.warc"):
        list(warc.read(io.BytesIO(damage(data)), "night.warc"))


def test_pages_kept_before_there_were_warc_records_are_read():
    assert warc.body_of(gzip.compress(b"<p>old</p>"), "x/ab.html.gz") == b"<p>old</p>"
