"""How much of a text stands in one other text: the share of its word 5-grams found there."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator

import numpy as np
from pandas.util import hash_array

from kindling.measure.copying import five_grams

#: Bits of a key that number the text: 16.7 million texts. The other 40 are the gram's: of a million
#: texts' grams, one that no text has is taken for one of theirs four times in 100,000.
_TEXT_BITS = 24
_TEXT_MASK = np.uint64((1 << _TEXT_BITS) - 1)
_GRAM_MASK = ~_TEXT_MASK


class GramIndex:
    """Word 5-grams of texts: those given first as sorted keys of eight bytes a gram, later ones by name."""

    def __init__(self, texts: Iterable[tuple[str, str]] = ()) -> None:
        self._names: list[str] = []
        keys = array("Q")
        for number, (text_id, text) in enumerate(texts):
            self._names.append(text_id)
            keys.frombytes((_keys(five_grams(text)) | np.uint64(number)).tobytes())
        if len(self._names) > 1 << _TEXT_BITS:
            raise OverflowError(
                f"{len(self._names)} texts are more than a key can number"
            )
        self._keys = np.frombuffer(keys, np.uint64) if keys else np.empty(0, np.uint64)
        self._keys.sort()
        self._later: dict[str, list[str]] = defaultdict(list)

    def add(self, text_id: str, text: str) -> None:
        """Remember the text's grams."""
        for gram in five_grams(text):
            self._later[gram].append(text_id)

    def copied(self, text: str) -> tuple[float, str]:
        """(share of the text's distinct grams in the one text that holds most of them, that text's id)."""
        own = five_grams(text)
        held = Counter(self._first(own))
        held.update(holder for gram in own for holder in self._later.get(gram, ()))
        if not held:
            return 0.0, ""
        holder = min(held, key=lambda one: (-held[one], one))
        return held[holder] / len(own), holder

    def _first(self, grams: Collection[str]) -> Iterator[str]:
        """Names of the texts given first that hold each of the grams."""
        asked = _keys(grams)
        start = np.searchsorted(self._keys, asked)
        end = np.searchsorted(self._keys, asked | _TEXT_MASK, "right")
        for first, last in zip(start.tolist(), end.tolist(), strict=True):
            for number in (self._keys[first:last] & _TEXT_MASK).tolist():
                yield self._names[number]


def _keys(grams: Collection[str]) -> np.ndarray:
    """uint64 [n] of each gram, room left for the text's number; the same in every process."""
    found = hash_array(np.array(list(grams), object), categorize=False)
    return np.asarray(found & _GRAM_MASK)
