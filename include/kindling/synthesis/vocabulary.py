"""What each category calls its products, and which words are at home in few categories: learned, not listed."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kindling.measure.copying import words_of
from kindling.records import Product, Review
from kindling.synthesis.sentences import Number

POINTING: Mapping[str, Number] = {
    "this": "singular",
    "that": "singular",
    "these": "plural",
    "those": "plural",
}
#: Words of grammar that follow "this" without naming anything.
_FUNCTION_WORDS = (
    "a about after again all already also always am an and another any are as at be because been before being but by "
    "can could did do does for from had has have he her here him his how i if in into is it its just made make makes "
    "may me might more most much my no not now of off on once one only or other our out over own really same she "
    "should so some still such than that the their them then there they this through to too under until up very was "
    "way we were what when where which while who why will with without would you your"
)
_FUNCTION = frozenset(_FUNCTION_WORDS.split())
#: A rate is shrunk towards the overall one by this many reviews, so that a small category says little.
_PRIOR = 20.0
#: Reviews of a category that must use a word before the word can be the category's own.
_AT_LEAST = 3
#: Share of a category's reviews that must say "this X" for X to name its product.
_NAMED_IN = 0.03
#: With fewer reviews, a category that points at nothing is known by its products' names.
_FEW_REVIEWS = 30


@dataclass(frozen=True)
class Noun:
    """A word for the product, as in "this jacket" or "these shorts"."""

    word: str
    number: Number
    #: Reviews of the category that point at it.
    weight: int


@dataclass(frozen=True)
class Vocabulary:
    """Words by category, from real train-split reviews and the names of products on sale."""

    nouns: Mapping[str, tuple[Noun, ...]]
    #: Word -> categories that use it significantly more than the rest.
    home: Mapping[str, frozenset[str]]
    #: Category -> every word that one of its reviews uses.
    seen: Mapping[str, frozenset[str]]
    #: Category -> words of its name, and last words of its products' names.
    names: Mapping[str, frozenset[str]]
    #: A word after a product noun -> the nouns it has followed.
    followers: Mapping[str, frozenset[str]]
    #: Category -> category -> likeness of what is said of them, 0 to 1.
    kinship: Mapping[str, Mapping[str, float]]

    def fits(self, words: Iterable[str], category: str) -> bool:
        """Whether no word is another category's own while this one never uses it."""
        seen = self.seen.get(category, frozenset())
        return all(
            word in seen or category in self.home[word]
            for word in words
            if word in self.home
        )


def learn(reviews: Sequence[Review], products: Iterable[Product]) -> Vocabulary:
    """The vocabulary of these reviews; a category with hardly any is known by its products' names."""
    rows = Counter(review.category for review in reviews)
    texts = [(review.category, words_of(review.text)) for review in reviews]
    endings = _endings(products)
    used: dict[str, Counter[str]] = defaultdict(Counter)
    for category, words in texts:
        used[category].update(set(words))
    home: dict[str, set[str]] = defaultdict(set)
    for category in rows:
        for word in _own(used, rows, category, lift=2.0, significant=2.0):
            home[word].add(category)
    nouns = _nouns(texts, rows, used, endings)
    return Vocabulary(
        nouns,
        {word: frozenset(categories) for word, categories in home.items()},
        {category: frozenset(words) for category, words in used.items()},
        {
            category: frozenset(
                {*filter(_is_content, words_of(category)), *endings.get(category, ())}
            )
            for category in nouns
        },
        _followers(texts, {noun.word for some in nouns.values() for noun in some}),
        _kinship(used, rows),
    )


def _nouns(
    texts: Iterable[tuple[str, Sequence[str]]],
    rows: Mapping[str, int],
    used: Mapping[str, Counter[str]],
    endings: Mapping[str, Counter[str]],
) -> dict[str, tuple[Noun, ...]]:
    pointed: dict[str, Counter[str]] = defaultdict(Counter)
    numbers: dict[str, Counter[Number]] = defaultdict(Counter)
    for category, words in texts:
        pairs = {(a, b) for a, b in pairwise(words) if a in POINTING and _is_content(b)}
        pointed[category].update({b for _, b in pairs})
        for a, b in pairs:
            numbers[b][POINTING[a]] += 1
    named = _named(endings)
    nouns = {}
    for category in sorted({*rows, *named}):
        own = _own(used, rows, category, lift=2.0, significant=2.0)
        meant = _own(pointed, rows, category, lift=2.0, significant=2.0)
        found = {
            word
            for word, count in pointed[category].items()
            if word in own & meant and count >= _NAMED_IN * rows[category]
        }
        found |= own.intersection(named.get(category, ()))
        if not found and rows.get(category, 0) < _FEW_REVIEWS:
            found = _said(named.get(category, ()), category, numbers)
        nouns[category] = tuple(
            Noun(word, _number(word, numbers), max(1, pointed[category][word]))
            for word in sorted(found)
        )
    return nouns


def _said(
    words: Iterable[str], category: str, pointed: Mapping[str, Counter[Number]]
) -> set[str]:
    """The words without the category's own name, unless a review anywhere points at it.

    "Outerwear" is what a shop calls its shelf; nobody writes "this outerwear".
    """
    shelf = set(words_of(category))
    return {word for word in words if word not in shelf or pointed.get(word)}


def _is_content(word: str) -> bool:
    return word.isalpha() and len(word) > 2 and word not in _FUNCTION


def _own(
    counts: Mapping[str, Counter[str]],
    rows: Mapping[str, int],
    category: str,
    lift: float,
    significant: float,
) -> set[str]:
    """Words `lift` times as frequent in the category as in the average other one, by `significant` errors.

    Log ratio of smoothed rates against its standard error (Monroe, Colaresi and Quinn 2008). Other
    categories count alike, whatever their size.
    """
    others = [one for one in rows if one != category]
    if not others or not rows.get(category):
        return set()
    everything, own = sum(rows.values()), set()
    for word, count in counts[category].items():
        if count < _AT_LEAST:
            continue
        total = sum(counts[one][word] for one in others)
        overall = (total + count) / everything
        rate = (count + _PRIOR * overall) / (rows[category] + _PRIOR)
        rest = sum(
            (counts[one][word] + _PRIOR * overall) / (rows[one] + _PRIOR)
            for one in others
        ) / len(others)
        error = np.sqrt(1 / (count + _PRIOR * overall) + 1 / (total + _PRIOR * overall))
        if rate > lift * rest and np.log(rate / rest) > significant * error:
            own.add(word)
    return own


def _endings(products: Iterable[Product]) -> dict[str, Counter[str]]:
    """Category -> last words of its products' names."""
    last: dict[str, Counter[str]] = defaultdict(Counter)
    for product in products:
        words = [word for word in words_of(product.name) if _is_content(word)]
        last[product.category].update(words[-1:])
    return last


def _named(endings: Mapping[str, Counter[str]]) -> dict[str, tuple[str, ...]]:
    """Category -> words that end at least a quarter of its products' names and hardly any other's."""
    everywhere = sum(endings.values(), Counter())
    return {
        category: tuple(
            word
            for word, n in counts.items()
            if n >= counts.total() / 4 and n >= 0.9 * everywhere[word]
        )
        for category, counts in endings.items()
    }


def _number(word: str, numbers: Mapping[str, Counter[Number]]) -> Number:
    if numbers.get(word):
        return max(sorted(numbers[word]), key=numbers[word].__getitem__)
    return "plural" if word.endswith("s") and not word.endswith("ss") else "singular"


def _followers(
    texts: Iterable[tuple[str, Sequence[str]]], nouns: set[str]
) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for _, words in texts:
        for a, b in pairwise(words):
            if a in nouns:
                found[b].add(a)
    return {word: frozenset(before) for word, before in found.items()}


def _kinship(
    used: Mapping[str, Counter[str]], rows: Mapping[str, int]
) -> dict[str, dict[str, float]]:
    """Cosine of how the categories' word rates depart from the average one, cut at zero."""
    categories = sorted(rows)
    total = sum((used[category] for category in categories), Counter())
    words = sorted(word for word, count in total.items() if count >= 5)
    overall = np.array([total[word] for word in words]) / max(1, sum(rows.values()))
    rates = np.array(
        [
            [
                (used[category][word] + _PRIOR * p) / (rows[category] + _PRIOR)
                for word, p in zip(words, overall, strict=True)
            ]
            for category in categories
        ]
    ).reshape(len(categories), len(words))
    apart = rates - rates.mean(axis=0)
    apart /= np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-12)
    likeness = np.clip(apart @ apart.T, 0, 1)
    np.fill_diagonal(likeness, 1)
    return {
        a: dict(zip(categories, map(float, row), strict=True))
        for a, row in zip(categories, likeness, strict=True)
    }
