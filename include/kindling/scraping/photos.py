"""Photos of products and reviews: asked of the shop alone, decoded before believed, kept by content."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from kindling.pictures import PictureError, inspect_picture
from kindling.records import Rejection
from kindling.scraping.fetch import Fetcher, FetchError
from kindling.scraping.opt_out import in_headers
from kindling.scraping.robots import Robots
from kindling.scraping.sharing import Alone, Sharing, Work

_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}


class BrokenPhoto(Exception):
    """Bytes that are no usable photo, and why."""


@dataclass(frozen=True)
class StoredPhoto:
    """A photo in the object store; `photo_id` is the SHA-256 of its bytes, width and height in pixels."""

    photo_id: str
    uri: str
    width: int
    height: int
    source_url: str


def inspect(data: bytes) -> tuple[str, int, int]:
    """(suffix, width, height) of an image that decodes to its last row; BrokenPhoto otherwise."""
    try:
        facts = inspect_picture(data, tuple(_SUFFIXES))
    except PictureError as error:
        raise BrokenPhoto(f"does not decode: {error}") from None
    return _SUFFIXES[facts.format], facts.width, facts.height


@dataclass(frozen=True)
class PhotoAnswer:
    """A photo, or why there is none; an outage is worth another try."""

    photo: StoredPhoto | None = None
    rejection: Rejection | None = None
    outage: bool = False


async def download(
    urls: Iterable[str],
    fetcher: Fetcher,
    robots: Robots,
    store: Callable[[bytes, str], str],
    sharing: Sharing | None = None,
) -> tuple[dict[str, StoredPhoto], list[Rejection]]:
    """The photos by address, many at once, and a rejection for each that cannot be used."""

    async def all_of(some: Sequence[str]) -> dict[str, PhotoAnswer]:
        answers = (_one(url, fetcher, robots, store) for url in some)
        return dict(zip(some, await asyncio.gather(*answers), strict=True))

    work = Work("photo", PhotoAnswer, all_of, lambda answer: answer.outage)
    answers = await (sharing or Alone()).answers(sorted(set(urls)), work)
    stored = {url: one.photo for url, one in answers.items() if one.photo is not None}
    rejected = [one.rejection for one in answers.values() if one.rejection is not None]
    return stored, rejected


async def _one(
    url: str, fetcher: Fetcher, robots: Robots, store: Callable[[bytes, str], str]
) -> PhotoAnswer:
    try:
        # Shops keep photos on hosts of their own. The page names the address, so only public ones count.
        fetched = await fetcher.get(url, robots, ("image/",), elsewhere=True)
        if refusal := in_headers(fetched.headers):
            return PhotoAnswer(rejection=Rejection(url, "ai_opt_out", refusal))
        return PhotoAnswer(await asyncio.to_thread(_store, fetched.body, url, store))
    except FetchError as error:
        reason = "robots_disallowed" if error.kind == "robots" else "photo_broken"
        failed = Rejection(url, reason, error.detail[:500])
        return PhotoAnswer(rejection=failed, outage=error.outage)
    except BrokenPhoto as error:
        return PhotoAnswer(rejection=Rejection(url, "photo_broken", str(error)))


def _store(data: bytes, url: str, store: Callable[[bytes, str], str]) -> StoredPhoto:
    suffix, width, height = inspect(data)
    return StoredPhoto(
        hashlib.sha256(data).hexdigest(), store(data, suffix), width, height, url
    )
