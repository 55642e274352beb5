"""RFC 9309: what each answer to /robots.txt allows; and the opt-outs from AI use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from kindling.scraping import opt_out
from kindling.scraping.robots import from_response

URL = "http://shop.example/p/1"
RULES = b"User-agent: *\nDisallow: /api/\nAllow: /api/open\nCrawl-delay: 2\nSitemap: http://shop.example/s.xml\n"


@given(st.integers(400, 499).filter(lambda status: status != 429))
def test_4xx_allows_everything(status):
    assert from_response(status).allowed(URL)


@given(st.integers(500, 599) | st.none())
def test_5xx_or_no_answer_disallows_everything(status):
    robots = from_response(status, b"User-agent: *\nAllow: /")
    assert not robots.allowed(URL)
    assert not robots.available


def test_429_asks_to_wait_and_allows_nothing():
    robots = from_response(429, why="HTTP 429")
    assert (robots.allowed(URL), robots.available) == (False, False)


def test_rules_are_obeyed_longest_first():
    robots = from_response(200, RULES)
    assert robots.allowed(URL) and robots.allowed("http://shop.example/api/open")
    assert not robots.allowed("http://shop.example/api/products")
    assert robots.sitemaps == ("http://shop.example/s.xml",)


def test_a_group_for_this_crawler_goes_before_the_one_for_all():
    robots = from_response(
        200, b"User-agent: *\nAllow: /\n\nUser-agent: kindling\nDisallow: /\n"
    )
    assert not robots.allowed(URL)


@given(st.floats(0, 10), st.integers(0, 10))
def test_the_larger_delay_is_kept(own, asked):
    assert from_response(200, f"User-agent: *\nCrawl-delay: {asked}".encode()).delay(
        own
    ) == max(own, asked)


@given(st.binary(max_size=300))
def test_nothing_in_robots_txt_raises(body):
    from_response(200, body).allowed(URL)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-robots-tag": "noai"},
        {"x-robots-tag": "noindex, NoImageAI"},
        {"x-robots-tag": "kindling: noai"},
        {"tdm-reservation": "1"},
    ],
)
def test_header_opt_outs(headers):
    assert opt_out.in_headers(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-robots-tag": "noindex"},
        {"x-robots-tag": "otherbot: noai"},
        {"tdm-reservation": "0"},
    ],
)
def test_other_headers_are_none(headers):
    assert not opt_out.in_headers(headers)


@pytest.mark.parametrize(
    ("meta", "refused"),
    [
        ('<meta name="robots" content="noindex, noai">', True),
        ('<meta name="tdm-reservation" content="1">', True),
        ('<meta name="ROBOTS" content="noimageai">', True),
        ('<meta name="robots" content="index">', False),
        ('<meta name="description" content="noai">', False),
    ],
)
def test_meta_opt_outs(meta, refused):
    assert bool(opt_out.in_page(LexborHTMLParser(meta))) is refused
