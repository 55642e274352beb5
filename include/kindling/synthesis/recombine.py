"""The offline writer: new reviews out of sentences of several real ones, each judged for tone and fit."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from kindling.measure.copying import words_of
from kindling.ports.generation import Cell, Draft
from kindling.records import Product, Review, Sentiment, sentiment_of
from kindling.synthesis.aspects import induce
from kindling.synthesis.pieces import Piece, Pool, Role, Wish, pool_for
from kindling.synthesis.rewrites import rewrite
from kindling.synthesis.sentences import Position, fragments, lowered
from kindling.synthesis.style import Style, finish, styles_for
from kindling.synthesis.tone import ToneModel
from kindling.synthesis.transfer import rename
from kindling.synthesis.vocabulary import Noun, learn

_MOST_SENTENCES = 6
#: Share of a row's sentences at most that neither praise nor complain: sizes, occasions, how it was bought.
_MOST_PLAIN = 0.5
#: Reviews of a cell from which its own stars are drawn.
_ENOUGH = 10
_CONTRASTS = (
    "but",
    "but",
    "but",
    "although",
    "though",
    "however,",
    "that said,",
    "on the other hand,",
)
_CONTRASTING = frozenset(
    ("but", "however", "although", "though", "yet", "still", "that")
)


class Recombination:
    """Writer without a language model: retrieval and recombination of real train-split sentences."""

    name = "offline-recombination/1"

    def __init__(
        self,
        reviews: Sequence[Review],
        products: Iterable[Product],
        seed: int,
        rewrite_rate: float = 0.35,
    ) -> None:
        """Learn tone, vocabulary and aspects from `reviews`, which must be real and of the train split."""
        self._rewrite_rate = rewrite_rate
        self._reviews = sorted(reviews, key=lambda review: review.review_id)
        self._vocabulary = learn(self._reviews, products)
        self._fragments = fragments(self._reviews)
        self._tones = ToneModel.fit(self._reviews).score(self._fragments)
        self._aspects = induce(self._fragments, seed)
        self._pools: dict[Cell, Pool] = {}

    def write(self, cell: Cell, count: int, rng: np.random.Generator) -> list[Draft]:
        """Up to `count` drafts; fewer where sentences that fit run out."""
        styles = styles_for(self._reviews, cell.category, cell.sentiment)
        stars = self._stars(cell)
        drafts = []
        for _ in range(count):
            style = styles[rng.integers(len(styles))]
            draft = self._compose(cell, style, int(rng.choice(stars)), rng)
            if draft:
                drafts.append(draft)
        return drafts

    @property
    def provenance(self) -> Mapping[str, str]:
        """Nothing but the sources that each draft names."""
        return {}

    def fault(self, cell: Cell, draft: Draft) -> tuple[str, str]:
        """A row made of one person's words is that person's review, not a new one."""
        if len(set(draft.source_review_ids)) < 2:
            return "single_source", f"all from {', '.join(draft.source_review_ids)}"
        return "", ""

    def obstacle(self, cell: Cell) -> str:
        """Why the cell cannot be written for, or only in part; empty when nothing stands against it."""
        missing = [
            role
            for role in _roles_needed(cell)
            if len(self._pool(cell).sources(role)) < 2
        ]
        return (
            f"fewer than two real train reviews hold a fitting sentence of {' and '.join(missing)}"
            if missing
            else ""
        )

    def _pool(self, cell: Cell) -> Pool:
        if cell not in self._pools:
            self._pools[cell] = pool_for(
                cell, self._fragments, self._tones, self._aspects.of, self._vocabulary
            )
        return self._pools[cell]

    def _stars(self, cell: Cell) -> list[int]:
        alike = [
            review
            for review in self._reviews
            if sentiment_of(review.rating) == cell.sentiment
        ]
        own = [review.rating for review in alike if review.category == cell.category]
        return own if len(own) >= _ENOUGH else [review.rating for review in alike]

    def _compose(
        self, cell: Cell, style: Style, rating: int, rng: np.random.Generator
    ) -> Draft | None:
        noun = self._noun(cell, rng)
        chosen: list[Piece] = []
        plain = min(_MOST_PLAIN, self._pool(cell).plain_share)
        for role, position, words in _plan(cell, style, plain, rng):
            piece = self._pool(cell).draw(
                _wish(role, position, words, noun, chosen), rng
            )
            if piece is None:
                return None
            chosen.append(piece)
        sources = tuple(dict.fromkeys(piece.fragment.review_id for piece in chosen))
        title = ""
        if style.title_words:
            role = "plain" if cell.sentiment == "neutral" else _roles_needed(cell)[0]
            wish = _wish(role, "title", style.title_words, noun, chosen)
            if headline := self._pool(cell).draw(wish, rng):
                title = _worded(headline, noun)
                sources = (*sources, headline.fragment.review_id)
        sentences = [
            rewrite(_worded(piece, noun), rng, self._rewrite_rate) for piece in chosen
        ]
        if cell.sentiment == "neutral":
            sentences = _contrasted(sentences, [piece.role for piece in chosen], rng)
        return Draft(
            title,
            finish(sentences, style, rng),
            rating,
            sources,
            tuple(self._aspects.names[piece.aspect] for piece in chosen),
        )

    def _noun(self, cell: Cell, rng: np.random.Generator) -> Noun:
        nouns = self._vocabulary.nouns.get(cell.category, ())
        if not nouns:
            return Noun("", "singular", 0)
        weights = np.array([noun.weight for noun in nouns], dtype=float)
        return nouns[int(rng.choice(len(nouns), p=weights / weights.sum()))]


def _roles_needed(cell: Cell) -> tuple[Role, ...]:
    roles: dict[Sentiment, tuple[Role, ...]] = {
        "positive": ("praise",),
        "negative": ("complaint",),
        "neutral": ("praise", "complaint"),
    }
    return roles[cell.sentiment]


def _plan(
    cell: Cell, style: Style, plain_share: float, rng: np.random.Generator
) -> list[tuple[Role, Position, float]]:
    """Role, position and length of every sentence. Two sentences at least, so that two reviews are heard."""
    lengths = list(style.sentences[:_MOST_SENTENCES])
    if len(lengths) < 2:
        lengths = [max(4, sum(lengths) // 2)] * 2
    # A review of many sentences becomes one of six longer ones.
    total = max(sum(lengths), sum(style.sentences))
    longer = total / max(1, sum(lengths))
    roles = list(_roles_needed(cell))
    while len(roles) < len(lengths):
        plain = roles.count("plain") + 1 <= plain_share * len(lengths)
        roles.append("plain" if plain else roles[len(roles) % len(_roles_needed(cell))])
    order = rng.permutation(len(lengths))
    positions: list[Position] = ["opening", *["middle"] * (len(lengths) - 2), "closing"]  # type: ignore[list-item]
    return [
        (roles[role], position, min(longer * length, 0.5 * total))
        for role, position, length in zip(order, positions, lengths, strict=True)
    ]


def _wish(
    role: Role, position: Position, words: float, noun: Noun, chosen: Sequence[Piece]
) -> Wish:
    return Wish(
        role,
        position,
        words,
        noun.number,
        frozenset(piece.fragment.review_id for piece in chosen),
        frozenset(piece.aspect for piece in chosen),
        any(piece.has_digit for piece in chosen),
    )


def _worded(piece: Piece, noun: Noun) -> str:
    return (
        rename(piece.fragment.text, piece.renamed, noun)
        if noun.word
        else piece.fragment.text
    )


def _contrasted(
    sentences: Sequence[str], roles: Sequence[Role], rng: np.random.Generator
) -> list[str]:
    """Praise and complaint that meet are joined by a word of contrast, the first time they do."""
    joined = list(sentences)
    for index in range(1, len(joined)):
        if {roles[index - 1], roles[index]} == {"praise", "complaint"}:
            before, after = joined[index - 1], joined[index]
            if words_of(after)[0] in _CONTRASTING:
                return joined
            contrast = str(rng.choice(_CONTRASTS))
            if contrast.endswith(","):
                joined[index] = f"{contrast} {lowered(after)}"
                return joined
            joined[index - 1 : index + 1] = [
                f"{before.rstrip('.!?,; ')}, {contrast} {lowered(after)}"
            ]
            return joined
    return joined
