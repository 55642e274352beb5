"""Whether the generator says many things, or one thing many times."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kindling.challenge.memorisation import nearest_before
from kindling.measure.copying import overlap

#: Fewer distinct word pairs than this share of what real rows have in as many pairs, or more
#: repeats than this share of the rows, is called a collapse.
_MIN_DISTINCT_RATIO = 0.5
_MAX_DUPLICATES = 0.1
#: Jaccard similarity (character 5-grams) from which a row repeats an earlier one, a few words
#: of its own notwithstanding. Of 240 real clothing reviews no two are above .16.
_REPEATS = 0.5


@dataclass(frozen=True)
class Diversity:
    #: Distinct word pairs over all word pairs (Li et al. 2016, "A diversity-promoting objective
    #: function"), both sides cut to the same number of pairs, which the measure depends on.
    distinct_2: float
    distinct_2_real: float
    #: Mean share of a row's word 5-grams found in one other synthetic row.
    self_overlap: float
    #: bool [S]: the row repeats an earlier one, or nearly.
    repeats: np.ndarray

    @property
    def collapsed(self) -> bool:
        few_words = self.distinct_2 < _MIN_DISTINCT_RATIO * self.distinct_2_real
        return bool(few_words or self.repeats.mean() > _MAX_DUPLICATES)


def diversity(
    synthetic: Sequence[str], real: Sequence[str], rng: np.random.Generator
) -> Diversity:
    """`rng` draws which rows of either side the word pairs are taken from."""
    pairs = [
        _pairs([side[row] for row in rng.permutation(len(side))])
        for side in (synthetic, real)
    ]
    count = min(map(len, pairs))
    distinct = [len(set(side[:count])) / max(1, count) for side in pairs]
    repeats = nearest_before(synthetic) >= _REPEATS
    shared, _ = overlap(synthetic, synthetic, same=True)
    return Diversity(distinct[0], distinct[1], float(shared.mean()), repeats)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _pairs(texts: Sequence[str]) -> list[tuple[str, str]]:
    return [pair for text in texts for pair in itertools.pairwise(_words(text))]
