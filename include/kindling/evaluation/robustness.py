"""The same reviews, written worse: what a model loses by typos, cuts, capitals, punctuation and emoji.

Behavioural tests of invariance, as in Ribeiro et al. 2020, "Beyond Accuracy: Behavioral Testing of
NLP Models with CheckList": none of these changes what a review says, so none may change the answer much.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from kindling.measure.estimates import difference
from kindling.measure.metrics import ACCURACY
from kindling.measure.sample import Sample
from kindling.records import Estimate

#: Rows that are written anew: each costs one more answer a change.
ROWS = 400
#: Words in which two letters are exchanged, and the share of a text's words that is kept.
TYPO_SHARE, KEPT_SHARE = 0.1, 0.7
_EMOJI = ("🙂", "👗", "✨", "📦", "🛍️")

Change = Callable[[str, np.random.Generator], str]


def typos(text: str, rng: np.random.Generator) -> str:
    """Every tenth word of four letters and more has two inner letters exchanged."""
    words = text.split(" ")
    for at, word in enumerate(words):
        if len(word) > 3 and word.isalpha() and rng.random() < TYPO_SHARE:
            swap = int(rng.integers(1, len(word) - 2))
            words[at] = word[:swap] + word[swap + 1] + word[swap] + word[swap + 2 :]
    return " ".join(words)


def truncation(text: str, rng: np.random.Generator) -> str:
    """The last words are missing."""
    words = text.split(" ")
    return " ".join(words[: max(1, round(KEPT_SHARE * len(words)))])


def capitals(text: str, rng: np.random.Generator) -> str:
    """ALL OF IT SHOUTED."""
    return text.upper()


def punctuation(text: str, rng: np.random.Generator) -> str:
    """None at all, apostrophes within words aside."""
    return " ".join(re.sub(r"(?<!\w)'|'(?!\w)|[^\w\s']", " ", text).split())


def emoji(text: str, rng: np.random.Generator) -> str:
    """Two that say nothing of what is thought, at the end."""
    return f"{text} {' '.join(rng.choice(_EMOJI, 2))}"


CHANGES: Mapping[str, Change] = {
    "typos": typos,
    "truncation": truncation,
    "capitals": capitals,
    "no punctuation": punctuation,
    "emoji": emoji,
}


def robustness(
    sample: Sample,
    texts: Sequence[str],
    answer: Callable[[Sequence[str]], np.ndarray],
    rng: np.random.Generator,
) -> dict[str, Estimate]:
    """Accuracy after each change minus before, paired, on ROWS rows at most.

    `answer` gives probabilities [n, 3] of texts alone: a photo would hide what the text lost.
    """
    chosen = np.sort(rng.permutation(len(texts))[:ROWS])
    few = sample.where(np.isin(np.arange(len(texts)), chosen))
    plain = [texts[row] for row in chosen]
    before = answer(plain)
    return {
        name: difference(
            ACCURACY, few, answer([change(text, rng) for text in plain]), before
        )
        for name, change in CHANGES.items()
    }
