"""What a site says of itself: who may crawl, how fast, for what use, and where its pages and pictures are."""

import asyncio
import gzip
import io
import zlib

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from selectolax.lexbor import LexborHTMLParser

from kindling.errors import DataError, TransientError
from kindling.scraping import opt_out
from kindling.scraping.decoding import BadEncoding, Body, TooLarge
from kindling.scraping.fetch import FetchError, Policy, open_fetcher
from kindling.scraping.photos import download
from kindling.scraping.robots import from_response
from kindling.scraping.sitemap import locations
from kindling.scraping.urls import absolute, page_key, same_site

SHOP = "http://shop.example"
PUBLIC = "93.184.216.34"


def with_fetcher(shop, use, **policy):
    async def go():
        async with open_fetcher(
            SHOP,
            Policy(**{"retries": 0, **policy}),
            0,
            httpx.MockTransport(shop.answer),
            shop.sleep,
            shop.resolve,
        ) as fetcher:
            return await use(fetcher)

    return asyncio.run(go())


# Who may crawl.


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        (b"\xef\xbb\xbfUser-agent: *\nDisallow: /p", False),
        (b"User-agent: kind\nDisallow: /", True),
        (b"User-agent: kindlingbot\nDisallow: /", True),
        (b"User-agent: KINDLING/2.0 (+http://x.example)\nDisallow: /", False),
        (b"User-Agent : kindling # us\nDisallow: /", False),
        (b"User-agent: a\nUser-agent: kindling\nDisallow: /p", False),
        (b"User-agent: *\nDisallow: /\n\nUser-agent: kindling\nAllow: /", True),
    ],
)
def test_rules_are_for_whole_names(text, allowed):
    assert from_response(200, text).allowed(f"{SHOP}/p/1") is allowed


def test_robots_txt_is_followed_to_another_host_at_a_public_address(shop):
    shop.addresses["www.other.example"] = [PUBLIC]
    asked = []

    def answer(request):
        asked.append((request.url.host, request.headers["host"]))
        if request.headers["host"] == "shop.example":
            if request.url.path != "/robots.txt":
                return httpx.Response(404)
            moved = {"location": "http://www.other.example/robots.txt"}
            return httpx.Response(301, headers=moved)
        return httpx.Response(200, text="User-agent: *\nDisallow: /p")

    shop.answer = answer
    robots = with_fetcher(shop, lambda fetcher: fetcher.robots())
    assert robots.available and not robots.allowed(f"{SHOP}/p/1")
    assert asked[-1] == (PUBLIC, "www.other.example")


def test_www_and_https_are_the_same_shop(shop):
    shop.page("/a", "", {"Location": "https://www.shop.example/b"}, 301)
    shop.page("/b", "there")
    got = with_fetcher(shop, lambda fetcher: fetcher.get(f"{SHOP}/a", None))
    assert (got.url, got.body) == ("https://www.shop.example/b", b"there")


def test_429_for_robots_txt_is_an_outage_and_no_permission(shop):
    shop.answers["/robots.txt"] = (429, {}, "slow down")
    with pytest.raises(TransientError, match="robots.txt"):
        shop.crawl()


# How fast.


def test_the_wait_for_a_turn_is_no_part_of_the_time_limit(shop):
    """Ten requests at once, a turn every 20 ms, and 60 ms for each answer: all ten are answered."""
    for number in range(10):
        shop.page(f"/{number}", "here")

    async def use(fetcher):
        fetcher.pace.delay_s = 0.02
        fetcher.pace._sleep = asyncio.sleep
        return await asyncio.gather(
            *(fetcher.get(f"{SHOP}/{one}", None) for one in range(10))
        )

    assert len(with_fetcher(shop, use, concurrency=10, total_s=0.06)) == 10


@given(st.integers(0, 10**9))
def test_no_crawl_delay_is_longer_than_five_minutes(asked):
    delay = from_response(200, f"User-agent: *\nCrawl-delay: {asked}".encode()).delay(1)
    assert 1 <= delay <= 300


# How large.


def bomb(levels: int) -> bytes:
    data = b"0" * 50_000_000
    for _ in range(levels):
        data = gzip.compress(data)
    return data


def test_a_bomb_of_two_levels_ends_at_the_bound():
    body = Body("gzip, gzip", 1_000_000)
    with pytest.raises(TooLarge):
        body.add(bomb(2))
    assert len(body.content) < 1_200_000


@pytest.mark.parametrize("encoding", ["gzip, gzip, gzip", "br", "nonsense, gzip"])
def test_other_encodings_are_refused(encoding):
    with pytest.raises(BadEncoding):
        Body(encoding, 1000)


@given(
    st.binary(max_size=5000),
    st.lists(st.sampled_from(["gzip", "deflate", "identity"]), max_size=2),
    st.integers(1, 700),
)
def test_what_was_packed_comes_out_whatever_the_pieces(data, encodings, size):
    packed = data
    for name in encodings:
        if name != "identity":
            packed = {"gzip": gzip.compress, "deflate": zlib.compress}[name](packed)
    body = Body(", ".join(encodings), 100_000)
    for at in range(0, len(packed), size):
        body.add(packed[at : at + size])
    assert bytes(body.content) == data


# For what use.


@pytest.mark.parametrize(
    "headers",
    [
        {"x-robots-tag": "kindling: max-snippet:-1, noml"},
        {"x-robots-tag": "otherbot: noindex\nnoai"},
        {"x-robots-tag": "unavailable_after: 25 Jun 2030 15:00:00 PST, noai"},
        {"x-robots-tag": "noai noimageai"},
        {"content-signal": "search=yes, ai-train=no"},
        {"content-usage": "train-ai=n"},
        {"content-usage": "search = y , train-ai = n"},
    ],
)
def test_header_opt_outs_in_every_spelling(headers):
    assert opt_out.in_headers(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-robots-tag": "max-image-preview:large"},
        {"x-robots-tag": "otherbot: noai, noimageai"},
        {"content-signal": "search=yes, ai-train=yes"},
        {"content-usage": "train-ai=y"},
        {"x-robots-tag": "noindex, nofollow"},
    ],
)
def test_headers_that_do_not_opt_out(headers):
    assert not opt_out.in_headers(headers)


@pytest.mark.parametrize(
    "meta",
    [
        '<meta name="robots" content="max-snippet:-1, max-image-preview:large, noai">',
        '<meta content="noml" name="robots">',
        '<meta http-equiv="X-Robots-Tag" content="noai">',
        '<meta property="tdm-reservation" content="1">',
    ],
)
def test_meta_opt_outs_in_every_spelling(meta):
    assert opt_out.in_page(LexborHTMLParser(meta))


@pytest.mark.parametrize(
    ("robots", "tdmrep", "url", "refused"),
    [
        (b"User-agent: *\nContent-Signal: ai-train=no\nAllow: /", b"", "/p", True),
        (b"User-agent: *\nContent-Signal: ai-train=yes\nAllow: /", b"", "/p", False),
        (b"User-agent: other\nContent-Signal: ai-train=no", b"", "/p", False),
        (b"User-agent: *\nContent-Usage: train-ai=n", b"", "/p", True),
        (b"User-agent: *\nContent-Usage: /r/ train-ai=n", b"", "/p", False),
        (b"User-agent: *\nContent-Usage: /r/ train-ai=n", b"", "/r/1", True),
        (
            b"Content-Usage: train-ai=n\nContent-Usage: /r/ train-ai=y",
            b"",
            "/r/1",
            False,
        ),
        (b"", b'[{"location": "/", "tdm-reservation": 1}]', "/p", True),
        (b"", b'[{"location": "/r/*", "tdm-reservation": 1}]', "/p", False),
        (b"", b'[{"location": "/r/*", "tdm-reservation": 1}]', "/r/2", True),
        (b"", b'[{"location": "/", "tdm-reservation": 0}]', "/p", False),
        (b"", b"<html>not json", "/p", False),
    ],
)
def test_a_sites_word_for_all_its_pages(robots, tdmrep, url, refused):
    rules = from_response(200, robots, tdmrep=tdmrep)
    assert bool(rules.ai_opt_out(f"{SHOP}{url}")) is refused


def test_a_shop_that_opts_out_as_a_whole_is_not_crawled(shop):
    shop.answers["/.well-known/tdmrep.json"] = (
        200,
        {},
        '[{"location": "/", "tdm-reservation": 1}]',
    )
    shop.page("/", "welcome")
    with pytest.raises(DataError, match="AI training"):
        shop.crawl()
    assert "/" not in shop.asked


def test_a_part_that_opts_out_is_left_out(shop):
    shop.answers["/robots.txt"] = (
        200,
        {},
        "User-agent: *\nContent-Usage: /p/2 train-ai=n",
    )
    shop.page(
        "/",
        '<a class="product-link" href="/p/1">x</a><a class="product-link" href="/p/2">y</a>',
    )
    shop.page("/p/1", "one")
    found = shop.crawl()
    assert [(one.row_id, one.reason) for one in found.rejections] == [
        (f"{SHOP}/p/2", "ai_opt_out")
    ]
    assert "/p/2" not in shop.asked


# Where its pages and pictures are.

URLSET = f"<urlset><url><loc>{SHOP}/p/9</loc></url></urlset>"


@pytest.mark.parametrize(
    "content",
    [
        URLSET.encode(),
        b"\xef\xbb\xbf" + URLSET.encode(),
        b"\n\n" + URLSET.encode(),
        URLSET.encode("utf-16"),
        gzip.compress(URLSET.encode()),
        f"{SHOP}/p/9\n".encode(),
        b"\xef\xbb\xbf" + f"{SHOP}/p/9\r\n".encode(),
        gzip.compress(f"{SHOP}/p/9\n".encode()),
        f"<rss><channel><item><link>{SHOP}/p/9</link></item></channel></rss>".encode(),
        f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="{SHOP}/p/9"/></entry></feed>'.encode(),
        f'<urlset xmlns:image="http://x"><url><loc>\n {SHOP}/p/9 </loc>'
        f"<image:image><image:loc>{SHOP}/1.jpg</image:loc></image:image></url></urlset>".encode(),
    ],
)
def test_every_form_of_sitemap(content):
    assert locations(content, f"{SHOP}/sitemap.xml") == ([f"{SHOP}/p/9"], [])


def test_the_usual_place_is_tried_where_none_is_named(shop, product_page):
    shop.answers["/sitemap.xml"] = (200, {}, gzip.compress(URLSET.encode()))
    shop.page("/", "nothing")
    shop.page("/p/9", product_page("9", ["a"]))
    assert [page.url for page in shop.crawl().pages] == [f"{SHOP}/", f"{SHOP}/p/9"]


def test_a_sitemap_on_another_host_counts_where_robots_txt_names_it(shop, product_page):
    shop.addresses["cdn.example"] = [PUBLIC]
    shop.answers["/robots.txt"] = (200, {}, "Sitemap: http://cdn.example/map.xml")
    places = (
        f"<url><loc>{SHOP}/p/9</loc></url><url><loc>http://evil.example/p</loc></url>"
    )
    shop.answers["/map.xml"] = (200, {}, f"<urlset>{places}</urlset>")
    shop.page("/", "nothing")
    shop.page("/p/9", product_page("9", ["a"]))
    assert [page.url for page in shop.crawl().pages] == [f"{SHOP}/", f"{SHOP}/p/9"]


def test_a_large_sitemap_is_read_whole(shop, product_page):
    filler = f"<url><loc>{SHOP}/x/{'y' * 500}</loc></url>" * 12_000
    shop.answers["/sitemap.xml"] = (
        200,
        {},
        f"<urlset>{filler}<url><loc>{SHOP}/p/9</loc></url></urlset>",
    )
    shop.page("/", "nothing")
    shop.page("/p/9", product_page("9", ["a"]))
    assert f"{SHOP}/p/9" in [page.url for page in shop.crawl().pages]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("/p/red shoe", f"{SHOP}/p/red%20shoe"),
        ("HTTP://Shop.Example:80/P/1", f"{SHOP}/P/1"),
        ("/p/1;jsessionid=AB12CD34?x=1", f"{SHOP}/p/1?x=1"),
        ("/p/1?utm_source=mail&x=1&gclid=abc", f"{SHOP}/p/1?x=1"),
        ("/p/1?PHPSESSID=0123456789abcdef", f"{SHOP}/p/1"),
        ("/p/1?sid=4&size=l", f"{SHOP}/p/1?sid=4&size=l"),
        ("/a/../p/./1", f"{SHOP}/p/1"),
        ("/caf%C3%A9?q=%20x", f"{SHOP}/caf%C3%A9?q=%20x"),
        ("/café", f"{SHOP}/caf%C3%A9"),
        ("\\p\\1", f"{SHOP}/p/1"),
        ("//shop.example/p/1#top", f"{SHOP}/p/1"),
        ("/p/\n1\t", f"{SHOP}/p/1"),
        ("mailto:a@b.example", ""),
        ("", ""),
        ("http://u:p@shop.example/", ""),
    ],
)
def test_addresses_have_one_spelling(reference, expected):
    assert absolute(f"{SHOP}/c/", reference) == expected


@given(st.text(max_size=60))
def test_an_address_stays_as_it_is_the_second_time(reference):
    once = absolute(f"{SHOP}/c/", reference)
    assert not once or absolute(f"{SHOP}/c/", once) == once


def test_one_page_has_one_key():
    keys = {
        page_key(url)
        for url in (
            "http://shop.example/p/1",
            "https://www.shop.example/p/1/",
            "https://shop.example/p/1",
        )
    }
    assert len(keys) == 1
    assert not same_site("http://shop.example:81/", SHOP)
    assert not same_site("http://evil-shop.example/", SHOP)


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(out, "PNG")
    return out.getvalue()


def photos(shop, *urls):
    async def use(fetcher):
        return await download(
            urls,
            fetcher,
            from_response(404),
            lambda data, suffix: f"memory://x{suffix}",
        )

    stored, rejections = with_fetcher(shop, use)
    return list(stored), {one.row_id: one.reason for one in rejections}


def test_photos_on_the_shops_cdn_are_fetched_at_public_addresses_only(shop):
    shop.addresses["cdn.example"] = [PUBLIC]
    shop.addresses["inside.example"] = ["10.0.0.7"]
    shop.addresses["torn.example"] = [PUBLIC, "127.0.0.1"]
    shop.page("/a.png", picture(), {"content-type": "image/png"})
    stored, rejected = photos(
        shop,
        "https://cdn.example/a.png",
        "https://inside.example/a.png",
        "https://torn.example/a.png",
    )
    assert stored == ["https://cdn.example/a.png"]
    assert set(rejected) == {
        "https://inside.example/a.png",
        "https://torn.example/a.png",
    }


def test_a_photo_may_opt_out_by_itself(shop):
    headers = {"content-type": "image/png", "x-robots-tag": "noimageai"}
    shop.page("/a.png", picture(), headers)
    assert photos(shop, f"{SHOP}/a.png") == ([], {f"{SHOP}/a.png": "ai_opt_out"})


def test_a_page_without_a_media_type_is_read(shop):
    shop.answers["/a"] = (200, {}, "<p>here</p>")
    got = with_fetcher(
        shop, lambda fetcher: fetcher.get(f"{SHOP}/a", None, ("text/html",))
    )
    assert got.body == b"<p>here</p>"


def test_an_encoding_that_nobody_asked_for_is_refused(shop):
    shop.page("/a", "x", {"content-encoding": "compress"})
    with pytest.raises(FetchError) as caught:
        with_fetcher(shop, lambda fetcher: fetcher.get(f"{SHOP}/a", None))
    assert caught.value.reason == "content_encoding"
