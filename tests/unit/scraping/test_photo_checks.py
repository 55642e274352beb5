"""Photos: decoded before they are believed, asked of the shop alone."""

import asyncio
import hashlib
import io
import struct
import zlib

import httpx
import pytest
from PIL import Image

from kindling.scraping.fetch import Policy, open_fetcher
from kindling.scraping.photos import BrokenPhoto, download, inspect
from kindling.scraping.robots import from_response

SHOP = "http://shop.example"


def picture(kind: str = "JPEG", size: tuple[int, int] = (40, 30)) -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, 60).save(out, kind)
    return out.getvalue()


def bomb() -> bytes:
    """A PNG of 60,000 x 60,000 pixels in a few hundred bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data))
            + name
            + data
            + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 999))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("kind", "suffix"), [("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp")]
)
def test_whole_pictures_pass(kind, suffix):
    assert inspect(picture(kind)) == (suffix, 40, 30)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        picture()[:-300],
        picture("PNG")[:200],
        picture("WEBP")[:100],
        picture("GIF"),
        bomb(),
        picture("PNG")[:60] + b"\0" * 90 + picture("PNG")[150:],
    ],
    ids=[
        "nothing",
        "html",
        "half a jpeg",
        "half a png",
        "half a webp",
        "gif",
        "bomb",
        "damaged",
    ],
)
def test_anything_else_does_not(data):
    with pytest.raises(BrokenPhoto):
        inspect(data)


def fetch(shop, urls, robots=b""):
    kept = {}

    def store(data: bytes, suffix: str) -> str:
        kept[f"memory://{len(kept)}{suffix}"] = data
        return list(kept)[-1]

    async def go():
        transport = httpx.MockTransport(shop.answer)
        async with open_fetcher(
            SHOP,
            Policy(retries=0, max_bytes=50_000),
            0,
            transport,
            shop.sleep,
            shop.resolve,
        ) as fetcher:
            return await download(urls, fetcher, from_response(200, robots), store)

    stored, rejections = asyncio.run(go())
    return stored, {one.row_id: one.reason for one in rejections}, kept


def test_id_is_the_hash_of_the_bytes(shop):
    data = picture()
    shop.page("/a.jpg", data, {"content-type": "image/jpeg"})
    stored, rejected, kept = fetch(shop, [f"{SHOP}/a.jpg", f"{SHOP}/a.jpg"])
    photo = stored[f"{SHOP}/a.jpg"]
    assert photo.photo_id == hashlib.sha256(data).hexdigest()
    assert (kept[photo.uri], photo.width, photo.height, rejected) == (data, 40, 30, {})
    assert shop.asked == ["/a.jpg"]


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:5432/",
        "http://shop.example:8080/a.jpg",
        "file:///etc/passwd",
        "http://cdn.example/a.jpg",
        "http://u:p@shop.example/a.jpg",
    ],
)
def test_no_private_or_unknown_host_is_asked(shop, url):
    stored, rejected, _ = fetch(shop, [url])
    assert (stored, rejected, shop.asked) == ({}, {url: "photo_broken"}, [])


def test_broken_ones_are_rejected_and_the_others_kept(shop):
    image = {"content-type": "image/jpeg"}
    shop.page("/ok.jpg", picture(), image)
    shop.page("/html.jpg", "<html>", {"content-type": "text/html"})
    shop.page("/half.jpg", picture()[:-300], image)
    shop.page("/huge.jpg", b"\xff\xd8" + b"x" * 60_000, image)
    shop.page("/away.jpg", "", {"Location": "http://evil.example/a.jpg"}, 302)
    names = ["ok", "html", "half", "huge", "away", "missing", "private"]
    stored, rejected, _ = fetch(
        shop,
        [f"{SHOP}/{name}.jpg" for name in names],
        b"User-agent: *\nDisallow: /private",
    )
    assert list(stored) == [f"{SHOP}/ok.jpg"]
    assert rejected.pop(f"{SHOP}/private.jpg") == "robots_disallowed"
    assert rejected == {f"{SHOP}/{name}.jpg": "photo_broken" for name in names[1:-1]}
