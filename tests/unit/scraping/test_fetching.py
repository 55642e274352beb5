"""The fetcher against scripted answers: what is retried, what is refused, what is waited for."""

import asyncio
import gzip
import itertools
import typing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.scraping.fetch import FetchError, Kind, Pace, Policy, open_fetcher
from kindling.scraping.robots import from_response

SHOP = "http://shop.example"
OPEN = from_response(404)


def get(shop, path="/a", types=(), robots=OPEN, **policy):
    async def go():
        async with open_fetcher(
            SHOP,
            Policy(**{"retries": 2, **policy}),
            0,
            httpx.MockTransport(shop.answer),
            shop.sleep,
            shop.resolve,
        ) as fetcher:
            return await fetcher.get(
                path if "//" in path else f"{SHOP}{path}", robots, types
            )

    return asyncio.run(go())


def failure(shop, path="/a", **kwargs) -> FetchError:
    with pytest.raises(FetchError) as caught:
        get(shop, path, **kwargs)
    return caught.value


def test_gets_body_headers_and_time(shop):
    shop.page("/a", "hello", {"X-Thing": "1"})
    got = get(shop)
    assert (got.body, got.status, got.headers["x-thing"], got.url) == (
        b"hello",
        200,
        "1",
        f"{SHOP}/a",
    )
    assert datetime.now(UTC) - got.fetched_at < timedelta(minutes=1)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_outages_are_retried(shop, status):
    shop.answers["/a"] = [(status, {}, "no"), (200, {}, "yes")]
    assert get(shop).body == b"yes"
    assert len(shop.slept) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "http_error"),
        (401, "blocked"),
        (403, "blocked"),
        (404, "not_found"),
        (410, "not_found"),
        (451, "blocked"),
        (501, "server_error"),
    ],
)
def test_refusals_are_not_retried(shop, status, kind):
    shop.page("/a", "no", status=status)
    error = failure(shop)
    assert (error.kind, error.reason, len(shop.asked), shop.slept) == (
        kind,
        f"http_error:{status}",
        1,
        [],
    )


def test_an_outage_that_stays_is_told_with_its_status(shop):
    shop.page("/a", "no", status=503)
    error = failure(shop)
    assert (error.kind, error.reason, error.outage, len(shop.asked)) == (
        "server_error",
        "http_error:503",
        True,
        3,
    )


def test_network_failures_are_retried_then_told(shop):
    shop.answers["/a"] = httpx.ConnectError("refused")
    error = failure(shop)
    assert (error.kind, error.reason, error.outage, len(shop.asked)) == (
        "network",
        "network_error",
        True,
        3,
    )


def test_a_slow_answer_is_a_network_failure(shop):
    shop.page("/a", "late")
    shop.latency = lambda _: 5.0
    assert "within 0.02 s" in failure(shop, total_s=0.02, retries=0).detail


def test_back_off_doubles_and_is_spread(shop):
    shop.page("/a", "no", status=500)
    failure(shop, retries=4, backoff_s=1.0, max_wait_s=12.0)
    for attempt, slept in enumerate(shop.slept):
        assert min(12.0, 2**attempt) <= slept <= min(12.0, 2 * 2**attempt)
    assert len(set(shop.slept)) > 2


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        (format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True), 30, 30),
        ("9999", 30, 30),
        ("nonsense", 0, 1),
        ("-5", 0, 1),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 0, 1),
    ],
)
def test_retry_after_is_obeyed_within_bounds(shop, header, low, high):
    shop.answers["/a"] = [(503, {"Retry-After": header}, ""), (200, {}, "ok")]
    get(shop, backoff_s=0.5)
    assert low <= shop.slept[0] <= high


def test_redirects_on_the_shop_are_followed(shop):
    shop.page("/a", "", {"Location": "/b"}, 302)
    shop.page("/b", "there")
    assert get(shop).url == f"{SHOP}/b"


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("http://evil.example/", "off_origin"),
        ("http://shop.example:81/", "off_origin"),
        ("http://127.0.0.1/", "off_origin"),
        ("file:///etc/passwd", "off_origin"),
        ("//evil.example/x", "off_origin"),
        ("http://u:p@shop.example/", "off_origin"),
        ("", "off_origin"),
        ("/a", "http_error"),
        ("/api/x", "robots"),
    ],
)
def test_redirects_elsewhere_are_not(shop, location, kind):
    shop.page("/a", "", {"Location": location} if location else {}, 302)
    robots = from_response(200, b"User-agent: *\nDisallow: /api/")
    error = failure(shop, robots=robots)
    assert error.kind == kind
    assert all(path == "/a" for path in shop.asked)


def test_off_origin_and_disallowed_addresses_are_not_asked(shop):
    assert failure(shop, "http://10.0.0.1/").kind == "off_origin"
    assert (
        failure(
            shop, "/api/x", robots=from_response(200, b"User-agent: *\nDisallow: /api/")
        ).reason
        == "robots_disallowed"
    )
    assert shop.asked == []


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"x" * 2000, {}),
        (gzip.compress(b"0" * 10_000_000), {"Content-Encoding": "gzip"}),
    ],
)
def test_too_large_counts_after_decompression(shop, body, headers):
    shop.page("/a", body, headers)
    assert failure(shop, max_bytes=1000).reason == "page_too_large"


@pytest.mark.parametrize("body", ["", " \n\t "])
def test_an_empty_page_is_no_page(shop, body):
    shop.page("/a", body)
    assert failure(shop).reason == "empty_page"


def test_damaged_compression_is_a_network_failure(shop):
    shop.page("/a", b"no gzip", {"Content-Encoding": "gzip"})
    assert failure(shop).kind == "network"


def test_other_media_types_are_refused(shop):
    shop.page("/a", "%PDF", {"content-type": "application/pdf"})
    assert failure(shop, types=("text/html",)).reason == "not_html"


@pytest.mark.parametrize("kind", typing.get_args(Kind))
def test_every_kind_has_a_reason(kind):
    assert FetchError("u", kind, "d").reason


@given(st.floats(0.01, 5), st.lists(st.floats(0, 10), min_size=1, max_size=8))
def test_turns_are_never_closer_than_the_delay(delay, gaps):
    now, turns = 0.0, []

    async def go():
        nonlocal now

        async def sleep(seconds):
            nonlocal now
            now += seconds

        pace = Pace(delay, sleep, lambda: now)
        for gap in gaps:
            now += gap
            await pace.turn()
            turns.append(now)

    asyncio.run(go())
    assert all(
        later - earlier >= delay - 1e-9 for earlier, later in itertools.pairwise(turns)
    )


@pytest.mark.parametrize(
    ("answer", "allowed", "available"),
    [
        ((200, {}, "User-agent: *\nDisallow: /p"), False, True),
        ((404, {}, "none"), True, True),
        ((200, {}, ""), True, True),
        ((503, {}, "no"), False, False),
        (httpx.ConnectError("refused"), False, False),
        ((302, {"Location": "http://evil.example/robots.txt"}, ""), False, False),
    ],
)
def test_robots_txt_as_the_rfc_has_it(shop, answer, allowed, available):
    shop.answers["/robots.txt"] = answer

    async def go():
        async with open_fetcher(
            SHOP,
            Policy(retries=1),
            0,
            httpx.MockTransport(shop.answer),
            shop.sleep,
            shop.resolve,
        ) as fetcher:
            return await fetcher.robots()

    robots = asyncio.run(go())
    assert (robots.allowed(f"{SHOP}/p"), robots.available) == (allowed, available)
    assert available or robots.why
