"""What was forgotten does not come back with a crawl: neither the review nor its bytes."""

import gzip
from datetime import UTC, datetime

import pytest

from kindling.observe.marks import hashed
from kindling.observe.row_hashes import folded
from kindling.records import Page, Photo, Rejection, Review
from kindling.scraping import memory
from kindling.scraping.findings import Extraction, Links
from kindling.scraping.photos import StoredPhoto
from kindling.scraping.site import CrawledPage
from kindling.stages.burial import Found, without_buried
from kindling.stores.memory import MemoryObjects, MemoryTombstones

SAID = "The spout of my pot broke off when my cousin from Leeds poured the tea."
OTHER = "A plain blue kettle that boils quickly and pours without a drip anywhere."


def review(review_id: str, body: str, photo: str | None, page: str) -> Review:
    return Review(
        review_id, "p1", "Teapots", "", body, 2, "scraped", photo,
        source_url="https://shop.example/p/1", page_sha256=page, author="mark-7",
    )  # fmt: skip


def made() -> tuple[Found, MemoryObjects]:
    objects = MemoryObjects()
    pages = []
    for name, text in (
        ("first", SAID),
        ("list", f"<p>{SAID}</p><p>more</p>"),
        ("other", OTHER),
    ):
        uri = objects.put(gzip.compress(text.encode(), mtime=0), ".html.gz")
        pages.append(
            Page(f"u/{name}", f"sha-{name}", uri, 200, "http", datetime.now(UTC))
        )
    photos = [
        Photo(
            name,
            "p1",
            "review",
            "scraped",
            objects.put(name.encode(), ".jpg"),
            1,
            1,
        )
        for name in ("own", "shared")
    ]
    reviews = [
        review("r1", SAID, "own", "sha-first"),
        review("r2", OTHER, "shared", "sha-other"),
        review("r3", "Love it", "shared", "sha-other"),
    ]
    twice = Rejection("u/list#0", "duplicate_id", "review r1 is there already")
    return Found(pages, photos, reviews, [twice]), objects


def test_nothing_is_read_where_nothing_is_buried() -> None:
    found, objects = made()
    assert without_buried(found, MemoryTombstones(), objects) is found


@pytest.mark.parametrize(
    "mark",
    [hashed("review", "r1"), hashed("text", folded(SAID))],
    ids=["by its id", "by its words under another id"],
)
def test_a_buried_review_stays_out_with_photo_and_pages(mark: str) -> None:
    found, objects = made()
    left = without_buried(found, MemoryTombstones([mark]), objects)
    assert [one.review_id for one in left.reviews] == ["r2", "r3"]
    assert [one.photo_id for one in left.photos] == ["shared"]
    assert [one.url for one in left.pages] == ["u/other"]
    kept = [objects.get(uri) for uri in objects.walk()]
    assert len(kept) == 2, "the other page and the shared photo"
    assert [one.reason for one in left.rejections] == ["duplicate_id", "forgotten"]
    assert not any("r1" in f"{one.row_id} {one.detail}" for one in left.rejections)


@pytest.mark.parametrize("kind, name", [("author", "mark-7"), ("source", "shop.example")])  # fmt: skip
def test_a_buried_author_or_source_stays_out_whole(kind: str, name: str) -> None:
    found, objects = made()
    left = without_buried(found, MemoryTombstones([hashed(kind, name)]), objects)
    assert not left.reviews
    assert not [uri for uri in objects.walk() if uri.endswith(".jpg")]


def test_what_crawls_remember_loses_the_page_and_the_photo() -> None:
    found, objects = made()
    pages = {
        one.url: memory.RememberedPage(
            CrawledPage(
                one.url,
                200,
                one.sha256,
                one.uri,
                "http",
                one.fetched_at,
                Extraction(None, (), Links()),
            ),
            one.fetched_at,
        )
        for one in found.pages
    }
    photos = {
        f"u/{one.photo_id}.jpg": StoredPhoto(one.photo_id, one.uri, 1, 1, "u")
        for one in found.photos
    }
    packed = memory.packed(memory.Remembered("v1", pages, photos))
    uri = objects.put_named(f"{memory.FOLDER}/shop.msgpack.gz", packed)
    without_buried(found, MemoryTombstones([hashed("review", "r1")]), objects)
    left = memory.unpacked(objects.get(uri))
    assert set(left.pages) == {"u/other"}
    assert set(left.photos) == {"u/shared.jpg"}
