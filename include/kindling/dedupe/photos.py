"""Near-duplicate photos by perceptual hash, so that one picture does not stand on both sides of the holdout."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import imagehash
import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from kindling.errors import DataError
from kindling.pictures import PictureError, read_picture
from kindling.records import Photo

_BITS = 64
#: Hashes compared at once within one bucket: 2,048 of them are a matrix of 32 MB.
_BLOCK = 2_048
#: A picture whose grey levels vary by less than this (standard deviation, of 255) has no shape
#: to be hashed: all such would have one pHash. Their colour, in steps, takes its place.
_PLAIN = 2.0
_COLOUR_STEP = 16


def perceptual_hash(photo_id: str, data: bytes) -> int:
    """The photo's 64-bit pHash (low DCT frequencies against their median); DataError if it is no image.

    A plain picture is known by its colour instead.
    """
    try:
        colours = read_picture(data)
    except PictureError as error:
        raise DataError(
            f"photo {photo_id} cannot be read as an image: {error}; scrape it again"
        ) from error
    small = np.asarray(colours.resize((32, 32)), float)
    if small.mean(axis=2).std() < _PLAIN:
        mean = np.round(small.mean(axis=(0, 1)) / _COLOUR_STEP).astype(np.uint8)
        digest = hashlib.sha256(b"plain " + mean.tobytes()).digest()
        return int.from_bytes(digest[:8], "big")
    bits = imagehash.phash(colours).hash
    return int.from_bytes(np.packbits(bits.ravel()).tobytes(), "big")


def photo_clusters(
    hashes: Mapping[str, int], distance: int
) -> tuple[frozenset[str], ...]:
    """Photos linked by Hamming distances up to `distance` bits; single photos included, ordered by first id."""
    ids = sorted(hashes)
    linked = DisjointSet(ids)
    first: dict[int, str] = {}
    for one in ids:
        linked.merge(first.setdefault(hashes[one], one), one)
    values = np.array(sorted(first), dtype=np.uint64)
    for a, b in _near(values, distance):
        linked.merge(first[int(a)], first[int(b)])
    return tuple(sorted((frozenset(subset) for subset in linked.subsets()), key=min))


def _near(values: np.ndarray, distance: int) -> Iterator[tuple[int, int]]:
    """Pairs of distinct hashes up to `distance` bits apart, some of them more than once.

    Multi-index hashing (Norouzi, Punjani and Fleet 2012): of `distance` + 1 parts of the bits
    such a pair has one in common at least, so only hashes with a common part are compared.
    """
    edges = np.linspace(0, _BITS, distance + 2).astype(int)
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        mask = np.uint64((1 << int(high - low)) - 1)
        parts = (values >> np.uint64(low)) & mask
        order = np.argsort(parts, kind="stable")
        borders = np.flatnonzero(np.diff(parts[order])) + 1
        for bucket in np.split(values[order], borders):
            if len(bucket) > 1:
                yield from _within(bucket, distance)


def _within(bucket: np.ndarray, distance: int) -> Iterator[tuple[int, int]]:
    for start in range(0, len(bucket), _BLOCK):
        block = bucket[start : start + _BLOCK]
        apart = np.bitwise_count(block[:, None] ^ bucket[None, start:])
        for row, column in zip(*np.nonzero(apart <= distance), strict=True):
            if column > row:
                yield int(block[row]), int(bucket[start + column])


def stock_photos(
    photos: Iterable[Photo], clusters: Iterable[frozenset[str]]
) -> frozenset[str]:
    """Ids of all photos that are a shop's own product photo, or a near-duplicate of one."""
    shown = {photo.photo_id for photo in photos if photo.kind == "product"}
    return frozenset(one for cluster in clusters if cluster & shown for one in cluster)
