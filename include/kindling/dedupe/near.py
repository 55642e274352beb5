"""Which of many texts are near one another: bands propose, exact Jaccard decides."""

from collections.abc import Sequence

import numpy as np

from kindling.dedupe.minhash import band_keys, banding
from kindling.dedupe.shingles import grams, jaccard, shingles

#: Candidates whose signatures disagree by more than so many standard errors are not verified.
_DOUBT = 4.0
#: Texts that one bucket proposes at most. A bucket of more is a phrase that everybody writes;
#: two texts that are near for another reason share other buckets.
_BUCKET = 50
#: Pairs verified in one piece, which fits the processor's cache: 11 bits of a key are theirs.
_PAIRS = 256
_PAIR_SHIFT = np.uint64(53)
#: Gram sets that are held at a time: those that stand for many copies are asked for again and again.
_GRAM_SETS = 10_000
#: Half of a pair's number.
_HALF = 32


class NearTexts:
    """Texts by number, of which some are added; `near` finds the added ones near any text.

    Whether two texts are near depends on these two alone (and on crowded buckets, which
    propose their first texts only). Texts are folded and distinct.
    """

    def __init__(
        self,
        folded: Sequence[str],
        signature: np.ndarray,
        width: int,
        threshold: float,
        miss: float,
    ) -> None:
        self._folded, self._signature, self._width = folded, signature, width
        self._threshold = threshold
        permutations = signature.shape[1]
        error = np.sqrt(threshold * (1 - threshold) / permutations)
        #: Places in which the signatures of a pair that is verified agree at least.
        self._floor = (threshold - _DOUBT * error) * permutations
        bands, rows = banding(permutations, threshold, miss)
        begin, self._buckets, self._first = _shared_buckets(signature, bands, rows)
        self._sizes = np.diff(begin)
        self._rows: list[int] = begin.tolist()
        #: Bucket -> number of the list of those that it holds. Buckets that hold the same share
        #: a list: a template's reviews meet in all buckets, and ask one list.
        self._held: dict[int, int] = {}
        self._lists: list[tuple[int, ...]] = [()]
        self._longer: dict[tuple[int, int], int] = {}
        #: Similarity of a pair that was verified first, by its number; 0 where the signatures disagree.
        self._known: dict[int, float] = {}
        self._grams: dict[int, np.ndarray] = {}
        self.verified = 0
        self._verify_first()

    @property
    def meeting(self) -> np.ndarray:
        """Whether each text shares a bucket with another, bool [N]: no other is near any."""
        shared: np.ndarray = self._sizes > 0
        return shared

    def add(self, number: int) -> None:
        """Let the text be found from now on."""
        for bucket in self._of(number):
            before = self._held.get(bucket, 0)
            if len(self._lists[before]) >= _BUCKET:
                continue
            longer = self._longer.get((before, number))
            if longer is None:
                longer = self._longer[before, number] = len(self._lists)
                self._lists.append((*self._lists[before], number))
            self._held[bucket] = longer

    def near(self, number: int) -> list[tuple[int, float]]:
        """(text, Jaccard similarity) of the added texts at the threshold or above."""
        found, asked = [], []
        known = self._known
        for other in self._proposed(number):
            similarity = known.get(_pair(number, other))
            if similarity is None:
                asked.append(other)
            elif similarity >= self._threshold:
                found.append((other, similarity))
        if asked:
            found += self._look_at(number, asked)
            found.sort()
        return found

    def _proposed(self, number: int) -> list[int]:
        held = set(map(self._held.get, self._of(number)))
        found: set[int] = set()
        for one in held:
            if one is not None:
                found.update(self._lists[one])
        found.discard(number)
        return sorted(found)

    def _look_at(self, number: int, others: list[int]) -> list[tuple[int, float]]:
        agreeing = (self._signature[others] == self._signature[number]).sum(axis=1)
        alike = (agreeing >= self._floor).tolist()
        found = []
        for other, worth in zip(others, alike, strict=True):
            # Not kept: a text is asked about once, but for one of two sentiments.
            similarity = self._exact(number, other) if worth else 0.0
            if similarity >= self._threshold:
                found.append((other, similarity))
        return found

    def _of(self, number: int) -> list[int]:
        some = self._buckets[self._rows[number] : self._rows[number + 1]]
        found: list[int] = some.tolist()
        return found

    def _exact(self, number: int, other: int) -> float:
        self.verified += 1
        return jaccard(self._set(number), self._set(other))

    def _set(self, number: int) -> np.ndarray:
        if number not in self._grams:
            if len(self._grams) >= _GRAM_SETS:
                self._grams.clear()
            self._grams[number] = shingles(self._folded[number], self._width)
        return self._grams[number]

    def _verify_first(self) -> None:
        """Verify every text against one that begins a bucket of its, many at a time.

        Texts are numbered in the order of their turns, so that this is mostly the one that
        stands for it.
        """
        numbers = np.repeat(np.arange(len(self._folded)), self._sizes)
        firsts = self._first[self._buckets]
        earlier = firsts != numbers
        pairs = _distinct((numbers[earlier] << _HALF) | firsts[earlier])
        left, right = pairs >> _HALF, pairs & ((1 << _HALF) - 1)
        alike = self._agreeing(left, right) >= self._floor
        self._known.update(dict.fromkeys(pairs[~alike].tolist(), 0.0))
        pairs, left, right = pairs[alike], left[alike], right[alike]
        # Of each text's pairs, which are ordered, the first.
        chosen = np.ones(len(pairs), bool)
        chosen[1:] = left[1:] != left[:-1]
        similarity = jaccards(
            [self._folded[one] for one in left[chosen].tolist()],
            [self._folded[one] for one in right[chosen].tolist()],
            self._width,
        )
        self._known.update(
            zip(pairs[chosen].tolist(), similarity.tolist(), strict=True)
        )
        self.verified += int(chosen.sum())

    def _agreeing(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Places in which the signatures of each pair agree, int [N]."""
        found = np.empty(len(left), np.int64)
        for start in range(0, len(left), _PAIRS):
            some = slice(start, start + _PAIRS)
            same = self._signature[left[some]] == self._signature[right[some]]
            found[some] = np.count_nonzero(same, axis=1)
        return found


def _pair(one: int, other: int) -> int:
    return one << _HALF | other if one > other else other << _HALF | one


def jaccards(left: Sequence[str], right: Sequence[str], width: int) -> np.ndarray:
    """Jaccard similarity of the gram sets of each pair of folded texts, float [N]."""
    parts = [
        _jaccards(left[start : start + _PAIRS], right[start : start + _PAIRS], width)
        for start in range(0, len(left), _PAIRS)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def _jaccards(left: Sequence[str], right: Sequence[str], width: int) -> np.ndarray:
    """One sort for all pairs: a key holds the pair, 52 bits of the gram's hash, and the side."""
    count = len(left)
    keys = np.concatenate([_keys(left, width, 0), _keys(right, width, 1)])
    keys = _distinct(keys)
    # A pair's keys stand together; a gram of both sides stands twice.
    ends = np.searchsorted(
        keys, np.arange(1, count + 1, dtype=np.uint64) << _PAIR_SHIFT
    )
    twice = np.zeros(len(keys) + 1, np.int64)
    np.cumsum((keys[1:] ^ keys[:-1]) == 1, out=twice[2:])
    both = np.diff(twice[ends], prepend=0)
    union = np.diff(ends, prepend=0) - both
    return np.where(union > 0, both / np.maximum(union, 1), 1.0)


def _distinct(keys: np.ndarray) -> np.ndarray:
    """Sorted. (numpy's `unique` goes by a hash table, which is slower here.)"""
    keys = np.sort(keys)
    new = np.ones(len(keys), bool)
    new[1:] = keys[1:] != keys[:-1]
    found: np.ndarray = keys[new]
    return found


def _keys(texts: Sequence[str], width: int, side: int) -> np.ndarray:
    some = grams(texts, width)
    pairs = np.repeat(np.arange(len(texts), dtype=np.uint64), some.counts)
    hashes = (some.hashes >> np.uint64(12)) << np.uint64(1)
    return (pairs << _PAIR_SHIFT) | hashes | np.uint64(side)


def _shared_buckets(
    signature: np.ndarray, bands: int, rows: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Buckets of two texts and more: where each text's begin, their numbers, each one's first text.

    A band's keys give up their lowest bits for the text's number, so that one plain sort finds
    the buckets; two keys that differ there alone propose a pair that is then not near.
    """
    count = len(signature)
    low = np.uint64((1 << max(1, (count - 1).bit_length())) - 1)
    own = np.arange(count, dtype=np.uint64)
    banded = band_keys(signature, bands, rows)
    numbers, sizes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for band in range(bands if count > 1 else 0):
        keys = (banded[band] & ~low) | own
        keys.sort()
        same = (keys[1:] ^ keys[:-1]) <= low
        shared = np.zeros(count, bool)
        shared[1:] = same
        begins = shared.copy()
        shared[:-1] |= same
        begins = shared & ~begins
        numbers.append((keys[shared] & low).astype(np.int64))
        starts = np.flatnonzero(begins[shared])
        sizes.append(np.diff(np.append(starts, len(numbers[-1]))))
    number, size = np.concatenate(numbers), np.concatenate(sizes)
    bucket = np.repeat(np.arange(len(size)), size)
    first = number[np.cumsum(size) - size]  # A bucket is sorted by the texts' numbers.
    by_text = np.argsort(number, kind="stable")
    begin = np.concatenate([[0], np.cumsum(np.bincount(number, minlength=count))])
    return begin, bucket[by_text], first
