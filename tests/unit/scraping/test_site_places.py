"""Where a shop's pages and pictures are: sitemaps in every form, addresses in one spelling, photos on other hosts."""

import asyncio
import gzip
import io

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

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
