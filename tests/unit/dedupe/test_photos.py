"""Photos that were only saved anew are one picture; others are not."""

import io
from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.cluster.hierarchy import DisjointSet

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


def plain(colour: tuple[int, int, int], size: int = 96) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(out, "JPEG", quality=80)
    return out.getvalue()


def test_plain_pictures_are_told_by_their_colour() -> None:
    colours = [(250, 250, 250), (20, 20, 20), (200, 30, 30), (30, 30, 200)]
    hashes = {str(one): perceptual_hash(str(one), plain(one)) for one in colours}
    hashes["white, smaller"] = perceptual_hash("w", plain((250, 250, 250), 40))
    clusters = photo_clusters(hashes, 4)
    assert {one for one in clusters if len(one) > 1} == {
        frozenset({str(colours[0]), "white, smaller"})
    }


@given(
    st.lists(st.integers(0, 2**64 - 1), max_size=12),
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 63)), max_size=20),
    st.integers(0, 16),
)
def test_clusters_are_those_of_all_pairs(
    hashes: list[int], flips: list[tuple[int, int]], distance: int
) -> None:
    for source, bit in flips:
        if hashes:
            hashes.append(hashes[source % len(hashes)] ^ (1 << bit))
    named = {f"{n:02d}": value for n, value in enumerate(hashes)}
    linked = DisjointSet(named)
    for a, b in combinations(named, 2):
        if (named[a] ^ named[b]).bit_count() <= distance:
            linked.merge(a, b)
    expected = {frozenset(one) for one in linked.subsets()}
    assert set(photo_clusters(named, distance)) == expected
