"""How somebody types: case, punctuation, typing errors, emoji. The words themselves come from the grammar."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from shop.bundled.vocabulary import phrases
from shop.chance import pick
from shop.records import Sentiment

CASES = (("sentence", 0.8), ("lower", 0.14), ("shout", 0.06))
JOINTS = ((". ", 0.72), (", ", 0.1), ("... ", 0.06), (".\n\n", 0.07), (" - ", 0.05))


def _weighted(rng: np.random.Generator, options: tuple[tuple[str, float], ...]) -> str:
    return options[int(rng.choice(len(options), p=[weight for _, weight in options]))][
        0
    ]


@dataclass(frozen=True)
class Voice:
    case: str
    joint: str
    end: str
    emoji: bool
    ampersand: bool
    #: Share of longer words with a typing error.
    typos: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Self:
        """Somebody's way of typing, by chance."""
        return cls(
            case=_weighted(rng, CASES),
            joint=_weighted(rng, JOINTS),
            end=pick(rng, (".", ".", ".", "", "!", "!!")),
            emoji=bool(rng.random() < 0.1),
            ampersand=bool(rng.random() < 0.12),
            typos=float(pick(rng, (0, 0, 0, 0, 0.02, 0.04, 0.1))),
        )

    def say(
        self, clauses: list[str], sentiment: Sentiment, rng: np.random.Generator
    ) -> str:
        """The clauses as one text."""
        if not clauses:
            return ""
        case = "lower" if self.joint in (", ", " - ") else self.case
        parts = [
            clauses[0][:1].upper() + clauses[0][1:]
            if self.case != "lower"
            else clauses[0]
        ]
        parts += [
            part if case == "lower" else part[:1].upper() + part[1:]
            for part in clauses[1:]
        ]
        text = self.joint.join(parts) + self.end
        if self.ampersand:
            text = text.replace(" and ", " & ")
        if self.case == "shout":
            text = " ".join(
                word.upper() if rng.random() < 0.15 else word
                for word in text.split(" ")
            )
        text = mistype(text, self.typos, rng)
        if self.emoji and sentiment != "neutral":
            text += " " + pick(
                rng, phrases()["emoji_good" if sentiment == "positive" else "emoji_bad"]
            )
        return text


def mistype(text: str, rate: float, rng: np.random.Generator) -> str:
    """The text with a share of its longer words swapped, shortened or doubled at one letter."""
    if rate <= 0:
        return text
    words = text.split(" ")
    return " ".join(
        _slip(word, rng) if len(word) > 4 and rng.random() < rate else word
        for word in words
    )


def _slip(word: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(1, len(word) - 2))
    kind = int(rng.integers(3))
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :] if kind == 1 else word[:at] + word[at] + word[at:]
