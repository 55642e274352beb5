"""LSH misses no pair that brute force finds, at any threshold's own banding."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest

from kindling.dedupe.candidates import banding, near_pairs
from kindling.dedupe.shingles import jaccard, shingles


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 1.0])
def test_banding_finds_a_pair_at_the_threshold_and_wastes_nothing(
    threshold: float,
) -> None:
    bands, rows = banding(128, threshold)
    assert bands * rows <= 128
    assert (1 - threshold**rows) ** bands <= 0.001
    if bands > 2:
        assert (1 - threshold ** (rows + 1)) ** (128 // (rows + 1)) > 0.001


def test_same_pairs_as_brute_force(sentence: Callable[[int], str]) -> None:
    rng = np.random.default_rng(3)
    texts = []
    for number in range(60):
        words = sentence(number).split()
        for changed in range(
            4
        ):  # 0 to 3 words exchanged: similarities around the threshold.
            copy = list(words)
            for place in rng.choice(len(words), changed, replace=False):
                copy[place] = f"other{rng.integers(10_000)}"
            texts.append(" ".join(copy))
    texts = sorted(set(texts))
    sets = [shingles(text, 5) for text in texts]
    brute = {
        (i, j): s
        for i, j in combinations(range(len(texts)), 2)
        if (s := jaccard(sets[i], sets[j])) >= 0.8
    }
    found = near_pairs(texts, 5, 128, 0.8)
    assert len(brute) > 40
    assert {(i, j): s for i, j, s in found.pairs} == brute
    assert len(brute) <= found.verified < len(texts) ** 2 / 4


def test_no_texts_no_pairs() -> None:
    assert near_pairs([], 5, 128, 0.8).pairs == ()
