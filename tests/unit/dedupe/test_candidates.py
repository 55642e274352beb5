"""Bands miss no pair that brute force finds, at any threshold's own banding."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.dedupe.minhash import MISS, banding, signatures
from kindling.dedupe.near import NearTexts, jaccards
from kindling.dedupe.shingles import jaccard, shingles


def near_pairs(texts: list[str]) -> tuple[dict[tuple[int, int], float], int]:
    """All pairs at 0.8 and above, each text being added after it was looked up."""
    near = NearTexts(texts, signatures(texts, 5, 128), 5, 0.8, MISS)
    found = {}
    for number in range(len(texts)):
        found |= {(other, number): s for other, s in near.near(number)}
        near.add(number)
    return found, near.verified


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
    found, verified = near_pairs(texts)
    assert len(brute) > 40
    assert found == brute
    assert len(brute) <= verified < len(texts) ** 2 / 4


def test_no_texts_no_pairs() -> None:
    assert near_pairs([]) == ({}, 0)


def test_signatures_estimate_the_similarity(sentence: Callable[[int], str]) -> None:
    misses = []
    for number in range(150):
        words = sentence(number).split()
        other = [*words[: len(words) - number % 12], "quite", "another", "end"]
        a, b = " ".join(words), " ".join(other)
        ours, theirs = signatures([a, b], 5, 128)
        exact = jaccard(shingles(a, 5), shingles(b, 5))
        misses.append(float((ours == theirs).mean()) - exact)
    assert abs(np.mean(misses)) < 0.012
    assert np.std(misses) < 0.055


#: What is stored must be read by later versions: a change of these moves every band.
def test_signatures_are_the_same_for_good() -> None:
    (row,) = signatures(["the teapot pours without a drip"], 5, 128)
    assert row[:4].tolist() == ROW


ROW = [52423, 25269, 58317, 8049]


@given(st.lists(st.text(alphabet="ab 好用éx", max_size=30), max_size=12))
def test_many_texts_are_signed_as_each_alone(texts: list[str]) -> None:
    together = signatures(texts, 5, 16)
    for text, row in zip(texts, together, strict=True):
        assert (signatures([text], 5, 16)[0] == row).all()


@given(
    st.lists(
        st.tuples(
            st.text(alphabet="abc 好", max_size=30),
            st.text(alphabet="abc 好", max_size=30),
        ),
        max_size=8,
    )
)
def test_many_similarities_are_those_of_each_pair(pairs: list[tuple[str, str]]) -> None:
    together = jaccards([a for a, _ in pairs], [b for _, b in pairs], 4)
    assert together.tolist() == [
        jaccard(shingles(a, 4), shingles(b, 4)) for a, b in pairs
    ]
