"""Reviews asked of a language model, attribute by attribute.

Attributed prompts as in AttrPrompt (Yu et al. 2023): what varies is drawn beforehand (sentiment,
stars, aspect, length, style, photo) instead of being left to the model, whose answers to one and
the same prompt are alike.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np

from kindling.errors import BudgetSpent, DataError
from kindling.measure.copying import words_of
from kindling.ports.generation import Cell, Draft, Material
from kindling.ports.llm import Llm, Message
from kindling.records import Review, sentiment_of
from kindling.synthesis.aspects import induce
from kindling.synthesis.conditions import DAMAGED
from kindling.synthesis.prompts import load
from kindling.synthesis.sentences import Fragment, fragments
from kindling.synthesis.style_profile import manners
from kindling.synthesis.tone import ToneModel
from kindling.synthesis.vocabulary import learn
from kindling.synthesis.writers.prompted import Options

T = TypeVar("T")

#: What the model must answer.
SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 120},
        "body": {"type": "string", "minLength": 20, "maxLength": 4000},
    },
    "required": ["title", "body"],
    "additionalProperties": False,
}
_STARS = {"positive": (4, 5), "neutral": (3,), "negative": (1, 2)}
#: Words of an example that are shown, and bounds of a length that is asked for.
_EXAMPLE_WORDS = 60
_LENGTHS = (15, 110)
#: Places of a prompt that are filled in.
_ASKED = frozenset(
    (
        "sentiment",
        "stars",
        "product",
        "category",
        "aspect",
        "length",
        "style",
        "photo",
        "typing",
    )
)
#: Attribute under which a draft that could not be read says why.
_UNREADABLE = "unreadable"


@dataclass(frozen=True)
class _Brief:
    """One review to be written."""

    sentiment: str
    stars: int
    product: str
    category: str
    aspect: str
    length: int
    style: str
    #: Condition that a photo of the review would show; "none" for a review without one.
    photo: str
    #: Case, marks, slips and emoji.
    typing: str

    @property
    def attributes(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}


class Prompted:
    """Writer behind an Llm. Examples and aspects come from real train rows, and from nothing else."""

    def __init__(self, options: Options, material: Material, llm: Llm) -> None:
        self.name = f"prompted/1 {llm.name}"
        self._options = options
        self._llm = llm
        self._prompt = load(options.prompt, {*_ASKED, "examples"})
        self._revision = load(options.revise_prompt, {*_ASKED, "title", "body"})
        self._reviews = sorted(material.reviews, key=lambda review: review.review_id)
        self._tone = ToneModel.fit(self._reviews)
        self._vocabulary = learn(self._reviews, material.products)
        self._spent: BudgetSpent | None = None
        self._typing = manners(one.text for one in self._reviews)
        self._aspects = options.aspects or _aspects(self._reviews, material.seed)

    @property
    def provenance(self) -> Mapping[str, str]:
        """Model, and the prompts by id and hash."""
        made = {
            "model": self._llm.name,
            "prompt": self._prompt.id,
            "prompt_sha256": self._prompt.sha256,
        }
        if self._options.revise:
            made |= {
                "revise_prompt": self._revision.id,
                "revise_prompt_sha256": self._revision.sha256,
            }
        return made

    def obstacle(self, cell: Cell) -> str:
        """Nothing keeps a language model from writing for a cell."""
        return ""

    def write(
        self, cell: Cell, count: int, rng: np.random.Generator
    ) -> Sequence[Draft]:
        """`count` drafts, fewer when the budget ends; BudgetSpent when it covers none."""
        briefs = self._briefs(cell, count, rng)
        shown = [self._examples(cell, rng) for _ in briefs]
        seeds = rng.integers(2**31, size=count).tolist()
        if self._spent:
            raise self._spent
        with ThreadPoolExecutor(self._options.concurrency) as pool:
            made = list(pool.map(self._affordable, briefs, shown, seeds))
        drafts = []
        for number, one in enumerate(made):
            if isinstance(one, BudgetSpent) and not self._spent:
                # Refused while others were under way at their highest price; now they are settled.
                one = self._affordable(briefs[number], shown[number], seeds[number])
            if isinstance(one, BudgetSpent):
                self._spent = self._spent or one
            else:
                drafts.append(one)
        if self._spent and not drafts:
            raise self._spent
        return drafts

    def fault(self, cell: Cell, draft: Draft) -> tuple[str, str]:
        """What was asked and is not there: a readable answer, the sentiment, the category."""
        if _UNREADABLE in draft.attributes:
            return "unreadable_answer", draft.attributes[_UNREADABLE][:300]
        tone = self.tone(draft)
        if tone * {"positive": 1, "neutral": 0, "negative": -1}[cell.sentiment] < 0:
            return "off_sentiment", f"asked {cell.sentiment}, log-odds {tone:+.2f}"
        foreign = self._foreign(cell, draft)
        if foreign:
            return "off_category", f"names {', '.join(sorted(foreign))}"
        return "", ""

    def tone(self, draft: Draft) -> float:
        """Log-odds of praise against complaint by the words of real reviews: an independent judge."""
        words = words_of(draft.text)
        # Three stars: no review of ours is left out, since the draft is none of them.
        fragment = Fragment(draft.text, "", "", 3, "middle", words)
        return float(self._tone.score([fragment])[0])

    def _foreign(self, cell: Cell, draft: Draft) -> set[str]:
        """Product nouns of other categories that this one's reviews never use."""
        nouns = {
            category: {noun.word for noun in some}
            for category, some in self._vocabulary.nouns.items()
        }
        own = nouns.pop(cell.category, set())
        others = set().union(*nouns.values()) if nouns else set()
        used = self._vocabulary.seen.get(cell.category, frozenset())
        return (others - own - used).intersection(words_of(draft.text))

    def _affordable(
        self, brief: _Brief, shown: Sequence[Review], seed: int
    ) -> Draft | BudgetSpent:
        """A budget that ends in the middle of a batch leaves the drafts that are paid for."""
        try:
            return self._draft(brief, shown, seed)
        except BudgetSpent as error:
            return error

    def _draft(self, brief: _Brief, shown: Sequence[Review], seed: int) -> Draft:
        sources = tuple(review.review_id for review in shown)
        attributes = brief.attributes
        messages = self._prompt.messages(**attributes, examples=_quoted(shown))
        try:
            answer = self._asked(messages, seed)
            if self._options.revise:
                answer = self._asked(
                    self._revision.messages(**attributes, **answer), seed
                )
        except DataError as error:
            # Told apart from silence: the judge turns it down with this reason.
            unreadable = {**attributes, _UNREADABLE: str(error)}
            return Draft("", "", brief.stars, sources, (), unreadable)
        return Draft(
            answer["title"].strip(),
            answer["body"].strip(),
            brief.stars,
            sources,
            (brief.aspect,),
            attributes,
        )

    def _asked(self, messages: Sequence[Message], seed: int) -> Mapping[str, str]:
        completion = self._llm.complete(
            messages,
            schema=SCHEMA,
            temperature=self._options.temperature,
            max_tokens=self._options.max_tokens,
            seed=seed,
        )
        if completion.parsed is None:
            raise DataError(f"{self._llm.name} gave an answer without its fields")
        return completion.parsed

    def _briefs(self, cell: Cell, count: int, rng: np.random.Generator) -> list[_Brief]:
        """Every attribute spread evenly over the drafts, each in an order of its own."""
        damage = {
            "positive": ("intact", "none"),
            "neutral": ("intact", "none", *DAMAGED),
            "negative": (*DAMAGED, "none"),
        }[cell.sentiment]
        lengths = self._lengths(cell)
        columns = zip(
            _dealt(_STARS[cell.sentiment], count, rng),
            _dealt(self._nouns(cell), count, rng),
            _dealt(self._aspects, count, rng),
            rng.choice(lengths, count).tolist(),
            _dealt(self._options.styles, count, rng),
            _dealt(damage, count, rng),
            self._typed(count, rng),
            strict=True,
        )
        return [
            _Brief(cell.sentiment, stars, noun, cell.category, *rest)
            for stars, noun, *rest in columns
        ]

    def _typed(self, count: int, rng: np.random.Generator) -> list[str]:
        """Named ways evenly; else those of real reviews drawn at random, so that shares agree."""
        if self._options.typing:
            return _dealt(self._options.typing, count, rng)
        return [self._typing[at] for at in rng.integers(len(self._typing), size=count)]

    def _nouns(self, cell: Cell) -> tuple[str, ...]:
        nouns = self._vocabulary.nouns.get(cell.category, ())
        return tuple(noun.word for noun in nouns) or (cell.category,)

    def _lengths(self, cell: Cell) -> list[int]:
        """Words of real reviews of the sentiment, within bounds."""
        alike = [r for r in self._reviews if sentiment_of(r.rating) == cell.sentiment]
        low, high = _LENGTHS
        return [
            min(high, max(low, len(words_of(review.body))))
            for review in alike or self._reviews
        ]

    def _examples(self, cell: Cell, rng: np.random.Generator) -> list[Review]:
        alike = [r for r in self._reviews if sentiment_of(r.rating) == cell.sentiment]
        own = [review for review in alike if review.category == cell.category]
        rest = [review for review in alike if review.category != cell.category]
        wanted = self._options.examples
        chosen = [own[at] for at in rng.permutation(len(own))[:wanted]]
        more = rng.permutation(len(rest))[: wanted - len(chosen)]
        return chosen + [rest[at] for at in more]


def _dealt(values: Sequence[T], count: int, rng: np.random.Generator) -> list[T]:
    """`count` of the values, each as often as any other, in random order."""
    hand = [values[at % len(values)] for at in range(count)]
    return [hand[at] for at in rng.permutation(count)]


def _aspects(reviews: Sequence[Review], seed: int) -> tuple[str, ...]:
    """What the sentences of the reviews speak of, each by the word that sets it apart most."""
    names = induce(fragments(reviews), seed).names
    return tuple(dict.fromkeys(name.split()[0] for name in names))


def _quoted(reviews: Sequence[Review]) -> str:
    """Examples on a line each; without line breaks no example can pose as another part of the prompt."""
    lines = []
    for review in reviews:
        words = review.text.split()
        ending = " …" if len(words) > _EXAMPLE_WORDS else ""
        lines.append(f'"{" ".join(words[:_EXAMPLE_WORDS])}{ending}"')
    return "\n".join(lines) or "(none)"
