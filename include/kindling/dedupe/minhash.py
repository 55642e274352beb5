"""MinHash signatures of many texts at once, in numpy (Broder 1997; Indyk and Motwani 1998)."""

from collections.abc import Iterator, Sequence

import numpy as np

from kindling.dedupe.shingles import Grams, grams

#: Part of every stored signature: changing it makes those of earlier nights useless.
_SEED = 1
#: Texts whose grams are permuted together: small enough for the processor's cache.
_BLOCK = 256
#: Signatures that are mixed into keys together, for the same reason.
_ROWS = 1_024
_HIGH = np.uint64(32)
#: 2**64 over the golden ratio, odd.
_MIXER = np.uint64(0x9E3779B97F4A7C15)
#: A pair at the threshold may be missed by the banding with this probability at most.
MISS = 0.001


def banding(permutations: int, threshold: float, miss: float = MISS) -> tuple[int, int]:
    """(bands, rows): the most selective banding that misses a pair at the threshold with P <= `miss`.

    P(candidate at similarity s) is 1 - (1 - s**rows)**bands.
    """
    for rows in range(permutations // 2, 1, -1):
        bands = permutations // rows
        if (1 - threshold**rows) ** bands <= miss:
            return bands, rows
    return permutations, 1


def signatures(folded: Sequence[str], width: int, permutations: int) -> np.ndarray:
    """uint16 [N, permutations]: the low halves of each text's minimum under each permutation.

    A permutation is a multiplication by an odd number modulo 2**32 of hashed grams. Two
    texts' rows agree in a share of places that estimates their Jaccard similarity, with a
    standard error of sqrt(J (1 - J) / permutations).
    """
    out = np.zeros((len(folded), permutations), np.uint16)
    factors, shifts = _permutations(permutations)
    for start, block in _blocks(folded, width):
        where = np.flatnonzero(block.counts)
        if not len(where):
            continue
        starts = block.starts[where]
        hashes = (block.hashes >> _HIGH).astype(np.uint32)
        permuted = np.empty_like(hashes)
        columns = np.empty((permutations, len(where)), np.uint32)
        for index in range(permutations):
            np.multiply(hashes, factors[index], out=permuted)
            np.add(permuted, shifts[index], out=permuted)
            np.minimum.reduceat(permuted, starts, out=columns[index])
        out[start + where] = columns.T
    return out


def band_keys(signature: np.ndarray, bands: int, rows: int) -> np.ndarray:
    """uint64 [bands, N]: equal where two texts agree in all `rows` places of the same band."""
    keys = np.empty((bands, len(signature)), np.uint64)
    for start in range(0, len(signature), _ROWS):
        some = signature[start : start + _ROWS].T.astype(np.uint64, order="C")
        some += np.uint64(1)
        for band in range(bands):
            keys[band, start : start + _ROWS] = _band_key(some, band, rows)
    return keys


def _band_key(columns: np.ndarray, band: int, rows: int) -> np.ndarray:
    keys = np.full(columns.shape[1], band, np.uint64)
    for column in columns[band * rows : (band + 1) * rows]:
        keys ^= column
        keys *= _MIXER
        keys ^= keys >> np.uint64(29)
    return keys


def _permutations(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.Generator(np.random.PCG64(_SEED))
    factors = rng.integers(0, 2**31, count, dtype=np.uint32) * np.uint32(2)
    shifts = rng.integers(0, 2**32, count, dtype=np.uint32)
    return factors + np.uint32(1), shifts


def _blocks(folded: Sequence[str], width: int) -> Iterator[tuple[int, Grams]]:
    for start in range(0, len(folded), _BLOCK):
        yield start, grams(folded[start : start + _BLOCK], width)
