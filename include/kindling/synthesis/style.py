"""How real reviews are built: one real review's shape at a time, its words left out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kindling.measure.copying import words_of
from kindling.records import Review, Sentiment, sentiment_of
from kindling.synthesis.sentences import lowered, split_sentences, terminated

#: Reviews that a category needs before its own style is drawn from.
_ENOUGH = 10
#: Share of a length limit from which a body counts as having reached it, and of reviews that reveal one.
_NEAR = 0.97
_LIMITED = 0.01


@dataclass(frozen=True)
class Style:
    """The shape of one real review."""

    #: Words of each sentence.
    sentences: tuple[int, ...]
    characters: int
    #: Words of the title; 0 for none.
    title_words: int
    #: Whether sentences after the first begin in lower case.
    lower: bool
    #: Whether the first one does.
    lower_first: bool
    #: What stands between sentences.
    joint: str
    #: Whether the last sentence has its end mark.
    closed: bool
    #: Broken off in the middle, as a field with a length limit does it.
    cut_off: bool
    #: Share of sentences that end with an exclamation mark.
    exclaimed: float


def style_of(review: Review, limit: float = math.inf) -> Style:
    """The review's shape; `limit` is the length in characters at which its shop's form cuts off."""
    sentences = split_sentences(review.body)
    starts = [sentence[0] for sentence in sentences if sentence[0].isalpha()]
    closed = bool(sentences) and terminated(sentences[-1])
    return Style(
        sentences=tuple(len(words_of(sentence)) for sentence in sentences),
        characters=len(review.body),
        title_words=len(words_of(review.title)),
        lower=sum(start.islower() for start in starts[1:]) * 2 > len(starts[1:]),
        lower_first=bool(starts) and starts[0].islower(),
        joint="  " if review.body.count(".  ") * 2 > review.body.count(". ") else " ",
        closed=closed,
        cut_off=not closed and len(review.body) >= _NEAR * limit,
        exclaimed=sum(sentence.endswith("!") for sentence in sentences)
        / max(1, len(sentences)),
    )


def styles_for(
    reviews: Sequence[Review], category: str, sentiment: Sentiment
) -> list[Style]:
    """Shapes to draw from: of the cell, else of the category, else of the sentiment, else of all."""
    cell = [
        r
        for r in reviews
        if r.category == category and sentiment_of(r.rating) == sentiment
    ]
    niche = [r for r in reviews if r.category == category]
    alike = [r for r in reviews if sentiment_of(r.rating) == sentiment]
    chosen = next(
        (choice for choice in (cell, niche, alike) if len(choice) >= _ENOUGH), reviews
    )
    limit = length_limit(reviews)
    return [style_of(review, limit) for review in chosen]


def length_limit(reviews: Sequence[Review]) -> float:
    """Characters to which a form holds its reviews: the longest body, if many others pile up there; else infinity."""
    lengths = [len(review.body) for review in reviews]
    longest = max(lengths)
    near = sum(length >= _NEAR * longest for length in lengths)
    below = sum(_NEAR**2 * longest <= length < _NEAR * longest for length in lengths)
    return longest if near >= max(3, _LIMITED * len(reviews), 3 * below) else math.inf


def finish(sentences: Sequence[str], style: Style, rng: np.random.Generator) -> str:
    """The sentences joined as that review joins its own: case, end marks, spacing, length."""
    finished = []
    for index, sentence in enumerate(sentences):
        lower = style.lower_first if index == 0 else style.lower
        finished.append(_marked(_started(sentence, lower), style.exclaimed, rng))
    body = style.joint.join(finished)
    if style.cut_off and len(body) > style.characters:
        return body[: style.characters].rstrip()
    return body if style.closed else body.rstrip(".")


def _started(sentence: str, lower: bool) -> str:
    return lowered(sentence) if lower else sentence[0].upper() + sentence[1:]


def _marked(sentence: str, exclaimed: float, rng: np.random.Generator) -> str:
    """With an end mark: its own, or, where it has none, one that the style uses."""
    if terminated(sentence):
        return sentence
    return sentence.rstrip(" ,;:-") + ("!" if rng.random() < exclaimed else ".")
