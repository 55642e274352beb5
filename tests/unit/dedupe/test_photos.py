"""Photos that were only saved anew are one picture; others are not."""

from collections.abc import Callable

import pytest

from kindling.dedupe.photos import perceptual_hash, photo_clusters, stock_photos
from kindling.errors import DataError
from kindling.records import Photo


def test_resaved_photos_cluster(jpeg: Callable[..., bytes]) -> None:
    files = {f"{n}": jpeg(n) for n in range(6)} | {
        "0-small": jpeg(0, size=64),
        "1-poor": jpeg(1, quality=30),
    }
    hashes = {name: perceptual_hash(name, data) for name, data in files.items()}
    clusters = photo_clusters(hashes, 4)
    assert {tuple(sorted(one)) for one in clusters if len(one) > 1} == {
        ("0", "0-small"),
        ("1", "1-poor"),
    }
    assert photo_clusters(dict(reversed(hashes.items())), 4) == clusters


@pytest.mark.parametrize(("distance", "expected"), [(1, 3), (2, 1)])
def test_distance_counts_bits_and_links_in_chains(distance: int, expected: int) -> None:
    assert (
        len(photo_clusters({"a": 0b0000, "b": 0b0011, "c": 0b1111}, distance))
        == expected
    )


def test_a_broken_file_is_named() -> None:
    with pytest.raises(DataError, match="photo abc cannot be read"):
        perceptual_hash("abc", b"not an image")


def test_stock_photos_reach_through_their_cluster(photo: Callable[..., Photo]) -> None:
    shown, reviewer = photo(b"shop", "p1", "product"), photo(b"shop again", "p2")
    other = photo(b"own", "p2")
    clusters = [
        frozenset({shown.photo_id, reviewer.photo_id}),
        frozenset({other.photo_id}),
    ]
    assert stock_photos([shown, reviewer, other], clusters) == {
        shown.photo_id,
        reviewer.photo_id,
    }
