"""Near-duplicate pairs: MinHash-LSH proposes, exact Jaccard decides (Broder 1997; Indyk and Motwani 1998)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from datasketch import MinHash, MinHashLSH

from kindling.dedupe.shingles import jaccard, shingles

#: A pair at the threshold may be missed by the banding with this probability at most.
_MISS = 0.001
_PERMUTATION_SEED = 1


@dataclass(frozen=True)
class NearPairs:
    """Verified pairs (i, j, Jaccard) with i < j, in order, and how many candidates were looked at."""

    pairs: tuple[tuple[int, int, float], ...]
    verified: int


def banding(permutations: int, threshold: float) -> tuple[int, int]:
    """(bands, rows): the most selective banding that finds a pair at the threshold with P >= 0.999.

    P(candidate at similarity s) is 1 - (1 - s**rows)**bands.
    """
    # datasketch wants two bands at least.
    for rows in range(permutations // 2, 1, -1):
        bands = permutations // rows
        if (1 - threshold**rows) ** bands <= _MISS:
            return bands, rows
    return permutations, 1


def near_pairs(
    folded: Sequence[str], width: int, permutations: int, threshold: float
) -> NearPairs:
    """All pairs of distinct folded texts whose shingle sets have Jaccard >= `threshold`.

    Whether two texts are a pair depends on these two alone: order and company change nothing.
    """
    sets = [shingles(text, width) for text in folded]
    lsh = MinHashLSH(num_perm=permutations, params=banding(permutations, threshold))
    found: list[tuple[int, int, float]] = []
    verified = 0
    # The shingles are hashes already; datasketch mixes them again before it permutes.
    signatures = MinHash.generator(
        (_high_words(one) for one in sets),
        num_perm=permutations,
        seed=_PERMUTATION_SEED,
        hashfunc=_as_hash,
        scheme="affine32",
    )
    for i, signature in enumerate(signatures):
        for j in sorted(lsh.query(signature)):
            verified += 1
            similarity = jaccard(sets[i], sets[j])
            if similarity >= threshold:
                found.append((j, i, similarity))
        lsh.insert(i, signature)
    return NearPairs(tuple(sorted(found)), verified)


def _high_words(hashes: np.ndarray) -> list[int]:
    # A polynomial's high half depends on every character; its low half less so.
    return (hashes >> np.uint64(32)).tolist()


def _as_hash(value: int) -> int:
    return value
