"""The sentences that may be used for one cell, sorted so that one of a wanted kind is found at once."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kindling.ports.generation import Cell
from kindling.records import sentiment_of
from kindling.synthesis.sentences import Fragment, Number, Position
from kindling.synthesis.transfer import Transfer
from kindling.synthesis.vocabulary import Vocabulary

#: What a sentence does: praise, complain, or neither clearly.
Role = Literal["praise", "complaint", "plain"]

#: Log-odds from which a sentence is taken for praise or complaint.
_CLEAR = 1.0
#: Log-odds against a cell's sentiment from which a sentence is not even used in passing.
_CONTRARY = 0.3
#: Weight of a sentence from a wholly unlike category, against 1 for the cell's own.
_LEAST_WEIGHT = 0.05
#: Candidates that one choice looks at.
_LOOKED_AT = 48
#: Uses of one text within a cell.
_MOST_USES = 3


@dataclass(frozen=True)
class Piece:
    """A fragment that fits a cell, with what choosing needs to know of it."""

    fragment: Fragment
    #: Product words in it that become the target's.
    renamed: frozenset[str]
    number: Number | None
    role: Role
    aspect: int

    @property
    def has_digit(self) -> bool:
        """Sizes and heights of two people do not go together in one review."""
        return any(character.isdigit() for character in self.fragment.text)


@dataclass(frozen=True)
class Wish:
    """What the next sentence of a review should be."""

    role: Role
    position: Position
    words: float
    #: Number of the product's noun.
    number: Number
    #: Reviews and aspects used already, and whether one of the sentences held figures.
    sources: frozenset[str]
    aspects: frozenset[int]
    digits: bool


class Pool:
    """The pieces of one cell, by role and position, each drawn in proportion to its category's kinship."""

    def __init__(self, pieces: Iterable[tuple[Piece, float]]) -> None:
        groups: dict[tuple[Role, Position], list[tuple[Piece, float]]] = defaultdict(
            list
        )
        for piece, weight in pieces:
            groups[piece.role, piece.fragment.position].append((piece, weight))
        self._groups: Mapping[tuple[Role, Position], tuple[list[Piece], np.ndarray]] = {
            key: (
                [piece for piece, _ in group],
                np.cumsum([weight for _, weight in group]),
            )
            for key, group in groups.items()
        }
        self._uses: Counter[str] = Counter()

    @property
    def plain_share(self) -> float:
        """Share of its sentences that neither praise nor complain."""
        sizes = {
            key: len(group)
            for key, (group, _) in self._groups.items()
            if key[1] != "title"
        }
        return sum(n for (role, _), n in sizes.items() if role == "plain") / max(
            1, sum(sizes.values())
        )

    def sources(self, role: Role) -> set[str]:
        """Reviews with a sentence of that role."""
        return {
            piece.fragment.review_id
            for (one, position), (group, _) in self._groups.items()
            if one == role and position != "title"
            for piece in group
        }

    def draw(self, wish: Wish, rng: np.random.Generator) -> Piece | None:
        """The best of some random pieces that meet the wish; None when none of them may be used."""
        anywhere: tuple[Position, ...] = (
            ("title",) if wish.position == "title" else (wish.position, "middle")
        )
        best, best_cost = None, float("inf")
        for position in dict.fromkeys(anywhere):
            for piece in self._sample(wish.role, position, rng):
                cost = self._cost(piece, wish) + 0.2 * rng.random()
                if cost < best_cost:
                    best, best_cost = piece, cost
            if best is not None:
                self._uses[best.fragment.text] += 1
                return best
        return None

    def _sample(
        self, role: Role, position: Position, rng: np.random.Generator
    ) -> list[Piece]:
        if (role, position) not in self._groups:
            return []
        pieces, cumulated = self._groups[role, position]
        found = np.searchsorted(
            cumulated,
            rng.random(min(_LOOKED_AT, 2 * len(pieces))) * cumulated[-1],
            side="right",
        )
        return [
            pieces[index] for index in np.unique(np.minimum(found, len(pieces) - 1))
        ]

    def _cost(self, piece: Piece, wish: Wish) -> float:
        uses = self._uses[piece.fragment.text]
        if (
            uses >= _MOST_USES
            or piece.fragment.review_id in wish.sources
            or piece.number not in (None, wish.number)
            or (wish.digits and piece.has_digit)
        ):
            return float("inf")
        length = abs(np.log(len(piece.fragment.words) / max(1.0, wish.words)))
        return float(length) + 0.7 * (piece.aspect in wish.aspects) + 0.4 * uses


def pool_for(
    cell: Cell,
    fragments: Iterable[Fragment],
    tones: Iterable[float],
    aspects: Iterable[int],
    vocabulary: Vocabulary,
) -> Pool:
    """All fragments that fit the cell's category, and whose stars and tone agree with its sentiment."""
    transfer = Transfer(vocabulary, cell.category)
    kinship = vocabulary.kinship.get(cell.category, {})
    number_of = {
        noun.word: noun.number for nouns in vocabulary.nouns.values() for noun in nouns
    }
    nameable = bool(vocabulary.nouns.get(cell.category))
    pieces = []
    for fragment, tone, aspect in zip(fragments, tones, aspects, strict=True):
        role: Role = (
            "praise" if tone > _CLEAR else "complaint" if tone < -_CLEAR else "plain"
        )
        if not _agrees(fragment, role, tone, cell):
            continue
        renamed = transfer.renamed(fragment)
        if renamed is None or (renamed and not nameable):
            continue
        number = number_of[next(iter(renamed))] if renamed else fragment.number
        weight = (
            1.0
            if fragment.category == cell.category
            else _LEAST_WEIGHT + kinship.get(fragment.category, 0.0) / 2
        )
        pieces.append((Piece(fragment, renamed, number, role, int(aspect)), weight))
    return Pool(pieces)


def _agrees(fragment: Fragment, role: Role, tone: float, cell: Cell) -> bool:
    """Praise comes from praising reviews only, complaints from complaining ones; neutral rows want both."""
    stars = sentiment_of(fragment.rating)
    if cell.sentiment == "neutral":
        return stars == "neutral" or (
            fragment.clause
            and role == {"positive": "praise", "negative": "complaint"}[stars]
        )
    along = tone if cell.sentiment == "positive" else -tone
    return stars == cell.sentiment and along > -_CONTRARY and not fragment.clause
