"""How texts are typed: length, punctuation, case, typing errors and emoji, compared as distributions."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from kindling.measure.copying import words_of

#: Pictographs, dingbats and flags; not the whole of Unicode's emoji, but what people type.
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf\U0001f1e6-\U0001f1ff]")
_PUNCTUATION = re.compile(r"[^\w\s]")
#: A capital I by itself, a missing space after a full stop, a letter three times, no apostrophe.
_SLIPS = re.compile(
    r"\bi\b|[a-z][.,!?][A-Za-z]|([a-z])\1\1|\b(?:dont|doesnt|didnt|cant|wont|isnt|im|ive)\b"
)


@dataclass(frozen=True)
class Profile:
    """What was measured of each text, by name; float64 [n]."""

    values: Mapping[str, NDArray[np.float64]]

    @property
    def means(self) -> dict[str, float]:
        """For reports."""
        return {name: round(float(one.mean()), 4) for name, one in self.values.items()}

    def distances(self, other: "Profile") -> dict[str, float]:
        """Kolmogorov-Smirnov distance of each measure, 0 for alike and 1 for wholly apart."""
        return {
            name: float(ks_2samp(one, other.values[name]).statistic)
            for name, one in self.values.items()
        }

    def distance(self, other: "Profile") -> float:
        """Mean of the distances."""
        return float(np.mean(list(self.distances(other).values())))


def profile_of(texts: Sequence[str]) -> Profile:
    """Measures of each text. ValueError where there is none."""
    if not texts:
        raise ValueError("no text to profile")
    rows = [_measured(text) for text in texts]
    return Profile({name: np.array([row[name] for row in rows]) for name in rows[0]})


def _measured(text: str) -> dict[str, float]:
    words = max(1, len(words_of(text)))
    letters = max(1, sum(one.isalpha() for one in text))
    return {
        "words": float(words),
        "punctuation_a_word": len(_PUNCTUATION.findall(text)) / words,
        "exclamations": float(text.count("!")),
        "capitals": sum(one.isupper() for one in text) / letters,
        "slips_a_word": len(_SLIPS.findall(text)) / words,
        "emoji": float(len(_EMOJI.findall(text))),
    }


def manner_of(text: str) -> str:
    """The text's way of typing in words, for whoever is asked to write like it."""
    found = _measured(text)
    said = []
    if found["capitals"] < 0.005:
        said.append("all lower case")
    elif found["capitals"] > 0.12:
        said.append("some words in capitals")
    if found["exclamations"] >= 2:
        said.append("several exclamation marks")
    elif found["exclamations"] == 1:
        said.append("one exclamation mark")
    if found["punctuation_a_word"] < 0.06:
        said.append("little punctuation")
    if found["slips_a_word"] > 0.02:
        said.append("a few typing slips")
    if found["emoji"]:
        said.append("an emoji")
    return ", ".join(said) or "plain, correctly typed"


def manners(texts: Iterable[str]) -> tuple[str, ...]:
    """A manner a text, so that drawing from them draws each as often as real people have it."""
    return tuple(manner_of(text) for text in texts)


def common_manners(texts: Iterable[str]) -> dict[str, float]:
    """Manner -> its share, the most frequent first."""
    counts = Counter(manners(texts))
    return {name: n / counts.total() for name, n in counts.most_common()}
