"""How much of a text stands in one other text: the share of its word 5-grams found there."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from kindling.synthesis.sentences import words_of

_GRAM = 5


class GramIndex:
    """Word 5-grams of the texts added so far."""

    def __init__(self, texts: Iterable[tuple[str, str]] = ()) -> None:
        self._holders: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for text_id, text in texts:
            self.add(text_id, text)

    def add(self, text_id: str, text: str) -> None:
        """Remember the text's grams."""
        for gram in grams(text):
            self._holders[gram].append(text_id)

    def copied(self, text: str) -> tuple[float, str]:
        """(share of the text's distinct grams in the one text that holds most of them, that text's id)."""
        own = grams(text)
        held = Counter(holder for gram in own for holder in self._holders.get(gram, ()))
        if not held:
            return 0.0, ""
        holder = min(held, key=lambda one: (-held[one], one))
        return held[holder] / len(own), holder


def grams(text: str) -> set[tuple[str, ...]]:
    """Distinct word 5-grams; of a shorter text, itself."""
    words = words_of(text)
    return (
        {words[i : i + _GRAM] for i in range(max(1, len(words) - _GRAM + 1))}
        if words
        else set()
    )
