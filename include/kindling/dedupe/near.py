"""Which of many texts are near one another: bands propose, exact Jaccard decides."""

from collections.abc import Sequence

import numpy as np

from kindling.dedupe.minhash import agreement, band_keys, banding
from kindling.dedupe.shingles import grams, jaccard, shingles

#: Candidates whose signatures disagree by more than so many standard errors are not verified.
_DOUBT = 4.0
#: Texts that one bucket proposes at most. A bucket of more is a phrase that everybody writes;
#: two texts that are near for another reason share other buckets.
_BUCKET = 50
#: Pairs verified in one piece: 11 bits of a key are theirs.
_PAIRS = 2_000
_PAIR_SHIFT = np.uint64(53)


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
        self._floor = threshold - _DOUBT * error
        keys = band_keys(signature, *banding(permutations, threshold, miss))
        self._rows, self._buckets, self._first = _shared_buckets(keys)
        self._held: dict[int, list[int]] = {}
        self._known: dict[tuple[int, int], float] = {}
        self._grams: dict[int, np.ndarray] = {}
        self.verified = 0
        self._verify_first()

    def add(self, number: int) -> None:
        """Let the text be found from now on."""
        for bucket in self._of(number):
            held = self._held.get(bucket)
            if held is None:
                self._held[bucket] = [number]
            elif len(held) < _BUCKET:
                held.append(number)

    def near(self, number: int) -> list[tuple[int, float]]:
        """(text, Jaccard similarity) of the added texts at the threshold or above."""
        proposed: set[int] = set()
        for bucket in self._of(number):
            proposed.update(self._held.get(bucket, ()))
        proposed.discard(number)
        if not proposed:
            return []
        asked = [one for one in sorted(proposed) if (number, one) not in self._known]
        if asked:
            alike = agreement(self._signature[number], self._signature[asked])
            for other, estimate in zip(asked, alike.tolist(), strict=True):
                known = self._exact(number, other) if estimate >= self._floor else 0.0
                self._known[number, other] = known
        found = [(other, self._known[number, other]) for other in sorted(proposed)]
        return [pair for pair in found if pair[1] >= self._threshold]

    def _of(self, number: int) -> list[int]:
        start, end = self._rows[number], self._rows[number + 1]
        return self._buckets[start:end]

    def _exact(self, number: int, other: int) -> float:
        self.verified += 1
        return jaccard(self._set(number), self._set(other))

    def _set(self, number: int) -> np.ndarray:
        if number not in self._grams:
            self._grams[number] = shingles(self._folded[number], self._width)
        return self._grams[number]

    def _verify_first(self) -> None:
        """Verify every text against one that begins a bucket of its, many at a time.

        Texts are numbered in the order of their turns, so that this is mostly the one that
        stands for it.
        """
        numbers = np.repeat(np.arange(len(self._folded)), np.diff(self._rows))
        firsts = self._first[self._buckets] if self._buckets else numbers
        pairs = np.unique(np.stack([numbers, firsts], axis=1), axis=0)
        pairs = self._first_alike(pairs[pairs[:, 0] != pairs[:, 1]])
        self.verified += len(pairs)
        for start in range(0, len(pairs), _PAIRS):
            left, right = pairs[start : start + _PAIRS].T.tolist()
            known = jaccards(
                [self._folded[one] for one in left],
                [self._folded[one] for one in right],
                self._width,
            )
            for a, b, similarity in zip(left, right, known.tolist(), strict=True):
                self._known[a, b] = self._known[b, a] = similarity

    def _first_alike(self, pairs: np.ndarray) -> np.ndarray:
        """Of each text's pairs, ordered, the first whose signatures agree enough."""
        alike = np.empty(len(pairs))
        for start in range(0, len(pairs), _PAIRS):
            left, right = pairs[start : start + _PAIRS].T
            same = self._signature[left] == self._signature[right]
            alike[start : start + _PAIRS] = same.mean(axis=1)
        pairs = pairs[alike >= self._floor]
        first = np.ones(len(pairs), bool)
        first[1:] = pairs[1:, 0] != pairs[:-1, 0]
        return pairs[first]


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
    keys.sort()
    distinct = np.ones(len(keys), bool)
    distinct[1:] = keys[1:] != keys[:-1]
    keys = keys[distinct]
    pair = (keys >> _PAIR_SHIFT).astype(np.int64)
    gram = keys >> np.uint64(1)
    both = np.bincount(pair[1:][gram[1:] == gram[:-1]], minlength=count)
    union = np.bincount(pair, minlength=count) - both
    return np.where(union > 0, both / np.maximum(union, 1), 1.0)


def _keys(texts: Sequence[str], width: int, side: int) -> np.ndarray:
    some = grams(texts, width)
    pairs = np.repeat(np.arange(len(texts), dtype=np.uint64), some.counts)
    hashes = (some.hashes >> np.uint64(12)) << np.uint64(1)
    return (pairs << _PAIR_SHIFT) | hashes | np.uint64(side)


def _shared_buckets(keys: np.ndarray) -> tuple[list[int], list[int], np.ndarray]:
    """Buckets of two texts and more: where each text's begin, their numbers, each one's first text."""
    flat = keys.ravel()
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    new = np.ones(len(flat), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    bucket = np.cumsum(new) - 1
    sizes = np.bincount(bucket) if len(flat) else np.empty(0, int)
    shared = sizes[bucket] > 1
    number = order[shared] // max(1, keys.shape[1])
    bucket = bucket[shared]
    first = np.zeros(len(sizes), int)
    first[bucket[::-1]] = number[::-1]  # The stable order ends on the lowest number.
    by_text = np.argsort(number, kind="stable")
    rows = np.concatenate([[0], np.cumsum(np.bincount(number, minlength=len(keys)))])
    return rows.astype(int).tolist(), bucket[by_text].tolist(), first
