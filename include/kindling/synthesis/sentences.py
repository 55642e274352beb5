"""Reviews cut into sentences and clauses, with what is needed to put them together again."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from kindling.measure.copying import words_of
from kindling.records import Review

Position = Literal["title", "opening", "middle", "closing"]
Number = Literal["singular", "plural"]

_BOUNDARY = re.compile(r"(?<=[.!?])\s+|(?<=[.!?][\"')\]])\s+|\n+")
#: Abbreviations after which a full stop ends no sentence.
_ABBREVIATION = re.compile(
    r"\b(?:vs|e\.g|i\.e|approx|esp|etc|dr|mr|mrs|ms|inc|oz|lb|lbs|ft|cm|mm)\.$",
    re.IGNORECASE,
)
_CONTRAST = re.compile(
    r"[,;]?\s+\b(?:but|however|although|though|yet)\b,?\s+|;\s+", re.IGNORECASE
)
#: "I gave 4 stars": it would stand beside another number of stars.
_STARS = re.compile(
    r"\b(?:[1-5]|one|two|three|four|five)(?:\s|-)*stars?\b", re.IGNORECASE
)
_SINGULAR = frozenset(("it", "its", "it's", "this"))
_PLURAL = frozenset(("they", "they're", "them", "these", "their"))


@dataclass(frozen=True)
class Fragment:
    """A sentence or clause of one real review."""

    text: str
    review_id: str
    category: str
    rating: int
    position: Position
    #: Lower-cased words.
    words: tuple[str, ...]
    #: A part of a sentence, cut at a word of contrast.
    clause: bool = False

    @property
    def number(self) -> Number | None:
        """Whether its pronouns speak of one thing or of several; None where they do neither, or both."""
        one, many = (
            not _SINGULAR.isdisjoint(self.words),
            not _PLURAL.isdisjoint(self.words),
        )
        return None if one == many else "singular" if one else "plural"


def split_sentences(text: str) -> list[str]:
    """Sentences with their end marks. A last one without any stands as it is."""
    sentences: list[str] = []
    for part in _BOUNDARY.split(text):
        if sentences and _ABBREVIATION.search(sentences[-1]):
            sentences[-1] = f"{sentences[-1]} {part}"
        elif part.strip():
            sentences.append(part.strip())
    return sentences


def terminated(sentence: str) -> bool:
    """Whether the sentence ends with a full stop, an exclamation or a question mark."""
    return sentence.rstrip("\"')] ").endswith((".", "!", "?"))


def lowered(sentence: str) -> str:
    """The sentence as it stands after a comma; "XL" and "I" keep their capitals."""
    first = sentence.split(" ", 1)[0]
    return (
        sentence
        if first.split("'")[0].isupper()
        else sentence[0].lower() + sentence[1:]
    )


def fragments(
    reviews: Iterable[Review], shortest: int = 3, longest: int = 45
) -> list[Fragment]:
    """All usable sentences of `shortest` to `longest` words, the clauses of contrasting ones, and titles.

    One that counts stars is of no use to another review.
    """
    return [
        fragment
        for review in reviews
        for fragment in _of(review)
        if (1 if fragment.position == "title" else shortest)
        <= len(fragment.words)
        <= longest
        and not _STARS.search(fragment.text)
    ]


def _of(review: Review) -> Iterable[Fragment]:
    yield _fragment(review, review.title.strip(), "title")
    sentences = split_sentences(review.body)
    # A last sentence without its mark, after others with theirs, was cut off on the way.
    cut_off = (
        len(sentences) > 1
        and not terminated(sentences[-1])
        and terminated(sentences[-2])
    )
    last = None if cut_off else len(sentences) - 1
    for index, sentence in enumerate(sentences[:-1] if cut_off else sentences):
        position: Position = (
            "opening" if index == 0 else "closing" if index == last else "middle"
        )
        yield _fragment(review, sentence, position)
        clauses = _CONTRAST.split(sentence)
        if len(clauses) == 2:
            for clause in clauses:
                yield _fragment(review, clause.strip(), position, clause=True)


def _fragment(
    review: Review, text: str, position: Position, clause: bool = False
) -> Fragment:
    return Fragment(
        text,
        review.review_id,
        review.category,
        review.rating,
        position,
        words_of(text),
        clause,
    )
