"""Near-duplicate photos by perceptual hash, so that one picture does not stand on both sides of the holdout."""

from collections.abc import Iterable, Mapping

import imagehash
import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from kindling.errors import DataError
from kindling.pictures import PictureError, read_picture
from kindling.records import Photo

#: Rows of the distance matrix computed at once: 512 by 20,000 photos are 80 MB of uint64.
_BLOCK = 512


def perceptual_hash(photo_id: str, data: bytes) -> int:
    """The photo's 64-bit pHash (low DCT frequencies against their median); DataError if it is no image."""
    try:
        bits = imagehash.phash(read_picture(data)).hash
    except PictureError as error:
        raise DataError(
            f"photo {photo_id} cannot be read as an image: {error}; scrape it again"
        ) from error
    return int.from_bytes(np.packbits(bits.ravel()).tobytes(), "big")


def photo_clusters(
    hashes: Mapping[str, int], distance: int
) -> tuple[frozenset[str], ...]:
    """Photos linked by Hamming distances up to `distance` bits; single photos included, ordered by first id."""
    ids = sorted(hashes)
    values = np.array([hashes[one] for one in ids], dtype=np.uint64)
    linked = DisjointSet(ids)
    for start in range(0, len(ids), _BLOCK):
        block = values[start : start + _BLOCK]
        apart = np.bitwise_count(block[:, None] ^ values[None, start:])
        for row, column in zip(*np.nonzero(apart <= distance), strict=True):
            if column > row:
                linked.merge(ids[start + row], ids[start + column])
    return tuple(sorted((frozenset(subset) for subset in linked.subsets()), key=min))


def stock_photos(
    photos: Iterable[Photo], clusters: Iterable[frozenset[str]]
) -> frozenset[str]:
    """Ids of all photos that are a shop's own product photo, or a near-duplicate of one."""
    shown = {photo.photo_id for photo in photos if photo.kind == "product"}
    return frozenset(one for cluster in clusters if cluster & shown for one in cluster)
