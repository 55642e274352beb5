"""Carrying a sentence from one category into another: rename the product, or leave the sentence out."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from kindling.measure.copying import WORD
from kindling.synthesis.sentences import Fragment
from kindling.synthesis.vocabulary import POINTING, Noun, Vocabulary

_DETERMINERS = frozenset(
    (
        "this",
        "that",
        "these",
        "those",
        "the",
        "a",
        "an",
        "my",
        "your",
        "our",
        "his",
        "her",
        "their",
    )
)
_ARTICLE = re.compile(r"\b(an?)(\s+)$", re.IGNORECASE)
#: Other nouns that must have stood before the same next word: "dress up" is no "skirt up".
_ATTESTED = 2


class Transfer:
    """The rules for one target category."""

    def __init__(self, vocabulary: Vocabulary, category: str) -> None:
        self._vocabulary = vocabulary
        self._category = category
        self._nouns = {
            one: frozenset(noun.word for noun in nouns)
            for one, nouns in vocabulary.nouns.items()
        }
        self._own = self._nouns.get(category, frozenset())
        self._seen = vocabulary.seen.get(category, frozenset())
        self._all = frozenset().union(*self._nouns.values())
        named = {one: _forms(words) for one, words in vocabulary.names.items()}
        #: Every category's names and nouns in any form, less those that the target's reviews use too.
        self._foreign = (
            frozenset().union(*map(_forms, self._nouns.values()), *named.values())
            - self._seen
            - self._own
            - named.get(category, frozenset())
        )

    def renamed(self, fragment: Fragment) -> frozenset[str] | None:
        """Words of the fragment that name a product and must become the target's; None if it does not fit."""
        words = set(fragment.words)
        if fragment.category == self._category:
            named = self._own & words
            return named if len(named) == 1 else frozenset()
        source = self._nouns.get(fragment.category, frozenset()) | self._meant(fragment)
        named = (source | self._own) & words
        rest = words - named
        if len(named) > 1 or not rest.isdisjoint(self._foreign | _forms(source)):
            return None
        if not self._vocabulary.fits(rest, self._category):
            return None
        stand = all(
            self._exchangeable(fragment.words, i)
            for i, word in enumerate(fragment.words)
            if word in named
        )
        return frozenset(named) if stand else None

    def _meant(self, fragment: Fragment) -> frozenset[str]:
        """Product nouns in a title or after "this" or "the": what the review is about, whatever its category."""
        if fragment.position == "title":
            return self._all.intersection(fragment.words)
        pairs = pairwise(fragment.words)
        return frozenset(
            b for a, b in pairs if (a in POINTING or a == "the") and b in self._all
        )

    def _exchangeable(self, words: Sequence[str], index: int) -> bool:
        """Whether the word stands there as a noun that others could replace."""
        if not _DETERMINERS.intersection(words[max(0, index - 2) : index]):
            return False
        if index + 1 == len(words):
            return True
        before = self._vocabulary.followers.get(words[index + 1], frozenset())
        return len(before - {words[index]}) >= _ATTESTED


def _forms(nouns: Iterable[str]) -> frozenset[str]:
    endings = ("", "s", "es", "'s")
    return frozenset(f"{noun}{ending}" for noun in nouns for ending in endings) | {
        noun.removesuffix("s") for noun in nouns if not noun.endswith("ss")
    }


def rename(text: str, words: frozenset[str], noun: Noun) -> str:
    """The text with each of `words` replaced by the noun, in the same case and with the right a or an."""
    pieces: list[str] = []
    end = 0
    for match in WORD.finditer(text):
        if match[0].lower() in words:
            before = text[end : match.start()]
            pieces += [_article(before, noun.word), _cased(noun.word, match[0])]
            end = match.end()
    return "".join([*pieces, text[end:]])


def _article(before: str, word: str) -> str:
    def agree(match: re.Match[str]) -> str:
        return match[1][0] + ("n" if word[0] in "aeiou" else "") + match[2]

    return _ARTICLE.sub(agree, before)


def _cased(word: str, like: str) -> str:
    if len(like) > 1 and like.isupper():
        return word.upper()
    return word.capitalize() if like[0].isupper() else word
