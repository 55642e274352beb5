"""Keeps what was forgotten from coming back with a crawl: the review, its photo, and the pages that show it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kindling.observe.marks import buried, hashed, marks_of
from kindling.observe.traces import Traces, needles_of
from kindling.ports.forgetting import Tombstones
from kindling.ports.objects import ErasableObjects
from kindling.records import Page, Photo, Rejection, Review
from kindling.scraping import memory

REASON = "forgotten"
#: Marks that are asked about at once.
_BATCH = 10_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """A crawl's rows that forgetting concerns."""

    pages: Sequence[Page]
    photos: Sequence[Photo]
    reviews: Sequence[Review]
    rejections: Sequence[Rejection]


def without_buried(
    found: Found, tombstones: Tombstones, objects: ErasableObjects
) -> Found:
    """The rows without the buried reviews, whose bytes leave the object store; each is a rejection.

    A rejection names the hash of the review's id. Nothing is read where nothing is buried.
    """
    gone = _gone(found.reviews, tombstones)
    if not gone:
        return found
    log.info("%d reviews came back that are to stay forgotten", len(gone))
    staying = [one for one in found.reviews if one.review_id not in gone]
    shown = {one.photo_id for one in staying}
    photos: list[Photo] = []
    lost: list[Photo] = []
    of_gone = {one.photo_id for one in gone.values() if one.photo_id}
    for photo in found.photos:
        mine = photo.kind == "review" and photo.photo_id in of_gone - shown
        (lost if mine else photos).append(photo)
    pages, withheld = _split(found.pages, gone, objects)
    _clear_memories(objects, withheld, lost)
    for uri in [*(one.uri for one in lost), *(one.uri for one in withheld)]:
        objects.replace(uri, None)
    return Found(
        pages,
        photos,
        staying,
        [
            *(_quiet(one, gone) for one in found.rejections),
            *(Rejection(hashed("review", one)[:16], REASON) for one in sorted(gone)),
        ],
    )


def _gone(reviews: Sequence[Review], tombstones: Tombstones) -> dict[str, Review]:
    marks = {one.review_id: marks_of(one) for one in reviews}
    asked = sorted({mark for own in marks.values() for mark in own})
    hits: set[str] = set()
    for at in range(0, len(asked), _BATCH):
        hits |= tombstones.among(asked[at : at + _BATCH])
    ids = buried(marks, frozenset(hits))
    return {one.review_id: one for one in reviews if one.review_id in ids}


def _split(
    pages: Sequence[Page], gone: dict[str, Review], objects: ErasableObjects
) -> tuple[list[Page], list[Page]]:
    """Pages that may be kept, and those that show a review that may not."""
    traces = Traces(tuple(needles_of(one.text for one in gone.values())))
    own = {one.page_sha256 for one in gone.values()}
    kept: list[Page] = []
    withheld: list[Page] = []
    for page in pages:
        shows = page.sha256 in own or traces.in_bytes(objects.get(page.uri))
        (withheld if shows else kept).append(page)
    return kept, withheld


def _clear_memories(
    objects: ErasableObjects, pages: Sequence[Page], photos: Sequence[Photo]
) -> None:
    """What crawls remember loses these pages and photos: the next crawl asks for them again."""
    hashes, uris = {one.sha256 for one in pages}, {one.uri for one in photos}
    for uri in [one for one in objects.walk() if f"/{memory.FOLDER}/" in one]:
        whole = objects.get(uri)
        left = memory.without(whole, hashes, uris)
        if left != whole:
            objects.replace(uri, left)


def _quiet(rejection: Rejection, gone: dict[str, Review]) -> Rejection:
    """A rejection that names none of them: a page shows one twice, and the second is refused."""
    words = {rejection.row_id.rpartition("#")[2], *rejection.detail.split()}
    named = [one for one in words if one.strip("'") in gone]
    if not named:
        return rejection
    return replace(
        rejection,
        row_id=hashed("review", rejection.row_id)[:16],
        detail="a review that is to stay forgotten",
    )
