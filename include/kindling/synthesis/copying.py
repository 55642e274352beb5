"""How much of a text stands in one other text: the share of its word 5-grams found there."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from kindling.measure.copying import five_grams


class GramIndex:
    """Word 5-grams of the texts added so far."""

    def __init__(self, texts: Iterable[tuple[str, str]] = ()) -> None:
        self._holders: dict[str, list[str]] = defaultdict(list)
        for text_id, text in texts:
            self.add(text_id, text)

    def add(self, text_id: str, text: str) -> None:
        """Remember the text's grams."""
        for gram in five_grams(text):
            self._holders[gram].append(text_id)

    def copied(self, text: str) -> tuple[float, str]:
        """(share of the text's distinct grams in the one text that holds most of them, that text's id)."""
        own = five_grams(text)
        held = Counter(holder for gram in own for holder in self._holders.get(gram, ()))
        if not held:
            return 0.0, ""
        holder = min(held, key=lambda one: (-held[one], one))
        return held[holder] / len(own), holder
