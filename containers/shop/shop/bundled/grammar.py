"""Writes reviews: statements about aspects, openings, reservations and closings of a sentiment.

Every sentiment has plain reviews and hard ones: reservations, pros and cons, sarcasm, and lines that
say nothing either way, so that no model of the text can be right all the time.
"""

from dataclasses import dataclass

import numpy as np

from shop.bundled.vocabulary import Aspect, Category, phrases
from shop.bundled.voice import Voice
from shop.chance import pick
from shop.records import Condition, Sentiment

#: Shares of reviews, measured against a TF-IDF model until it was good and not perfect.
AMBIGUOUS = 0.05
SARCASTIC = 0.08
LISTING = 0.07
SPECIFIC = 0.62
TITLED = 0.75
NEUTRAL_TITLE = 0.3
#: Share of reviews with a reservation, by stars: extremes have few.
RESERVATION = {1: 0.15, 2: 0.5, 3: 0.0, 4: 0.55, 5: 0.14}
#: Share of reservations that a lukewarm review could hold too.
EVEN_RESERVATION = 0.35


@dataclass(frozen=True)
class Draft:
    title: str
    body: str
    style: str


@dataclass(frozen=True)
class Writer:
    """One review in the making: what it is about, how it ends up, and its chance."""

    category: Category
    sentiment: Sentiment
    stars: int
    rng: np.random.Generator

    def write(self, claimed: Condition | None) -> Draft:
        """The review; `claimed` is a damage it has to name."""
        voice = Voice.draw(self.rng)
        style, clauses = self._clauses(claimed)
        title = self._title() if self._chance(TITLED) else ""
        return Draft(title, voice.say(clauses, self.sentiment, self.rng), style)

    def point_at_photo(self) -> Draft:
        """The review of someone who lets the photo speak: neither title nor text takes a side."""
        voice = Voice.draw(self.rng)
        bank = phrases()
        clauses = [self.fill(pick(self.rng, bank["see_photo"]["lines"]))]
        title = (
            self.fill(pick(self.rng, bank["title"]["any"]))
            if self._chance(TITLED)
            else ""
        )
        return Draft(title, voice.say(clauses, "neutral", self.rng), "see photo")

    def fill(self, template: str, **words: str) -> str:
        """The template with its slots filled by chance."""
        bank = phrases()
        aspects = self._aspects(2)
        slots: dict[str, str] = {
            "item": self.category.item,
            "use": pick(self.rng, self.category.uses),
            "aspect": aspects[0].name,
            "person": pick(self.rng, bank["person"]),
            "time": pick(self.rng, bank["time"]),
        }
        for slot, aspect in (
            ("good", aspects[0]),
            ("good2", aspects[1]),
            ("bad", aspects[1]),
            ("bad2", aspects[0]),
        ):
            if "{" + slot + "}" in template:
                slots[slot] = (
                    f"the {aspect.name} {self._verb(aspect, slot.rstrip('2'))}"
                )
        return template.format_map({**slots, **words})

    def _clauses(self, claimed: Condition | None) -> tuple[str, list[str]]:
        bank = phrases()
        told = [pick(self.rng, self.category.damage[claimed])] if claimed else []
        if not told and self._chance(AMBIGUOUS):
            lines = [
                pick(self.rng, bank["ambiguous"]["lines"])
                for _ in range(int(self.rng.integers(1, 4)))
            ]
            return "ambiguous", [self.fill(line) for line in dict.fromkeys(lines)]
        if self.sentiment == "negative" and self._chance(SARCASTIC):
            return "sarcastic", [
                *told,
                self.fill(pick(self.rng, bank["sarcasm"]["lines"])),
                *self._aside(0.3),
            ]
        if self._chance(LISTING):
            return "listing", [
                *told,
                self.fill(pick(self.rng, bank["listing"][self.sentiment])),
            ]
        clauses = self._neutral() if self.sentiment == "neutral" else self._leaning()
        place = int(self.rng.integers(len(clauses) + 1))
        return "regular", [*clauses[:place], *told, *clauses[place:]]

    def _leaning(self) -> list[str]:
        """A positive or negative review, perhaps with a reservation."""
        bank = phrases()
        side = "good" if self.sentiment == "positive" else "bad"
        length = int(pick(self.rng, (0, 1, 1, 2, 2, 3, 4)))
        clauses = (
            [self.fill(pick(self.rng, bank["open"][self.sentiment]))]
            if self._chance(0.5)
            else []
        )
        clauses += self._aside(0.35)
        clauses += [self._statement(aspect, side) for aspect in self._aspects(length)]
        if self._chance(RESERVATION[self.stars]):
            kind = "neutral" if self._chance(EVEN_RESERVATION) else self.sentiment
            clauses.append(self.fill(pick(self.rng, bank["but"][kind])))
        if self._chance(0.4) or not clauses:
            clauses.append(self.fill(pick(self.rng, bank["close"][self.sentiment])))
        return clauses

    def _neutral(self) -> list[str]:
        """Balanced, lukewarm, or leaning a little to one side."""
        bank = phrases()
        clauses = (
            [self.fill(pick(self.rng, bank["open"]["neutral"]))]
            if self._chance(0.35)
            else []
        )
        clauses += self._aside(0.35)
        kind = self.rng.random()
        if kind < 0.5:
            clauses.append(self.fill(pick(self.rng, bank["but"]["neutral"])))
        elif kind < 0.72:
            clauses += [
                self._statement(aspect, "meh")
                for aspect in self._aspects(int(self.rng.integers(1, 4)))
            ]
        else:
            leaning = pick(self.rng, ("good", "bad"))
            clauses += [
                self._statement(aspect, leaning)
                for aspect in self._aspects(int(self.rng.integers(1, 3)))
            ]
            clauses += (
                [self._statement(self._aspects(1)[0], "meh")]
                if self._chance(0.4)
                else []
            )
        if self._chance(0.3) or not clauses:
            clauses.append(self.fill(pick(self.rng, bank["close"]["neutral"])))
        return clauses

    def _aside(self, share: float) -> list[str]:
        if not self._chance(share):
            return []
        return [
            self.fill(pick(self.rng, phrases()["filler"]["any"]))
            for _ in range(int(self.rng.integers(1, 3)))
        ]

    def _statement(self, aspect: Aspect, side: str) -> str:
        bank = phrases()
        return pick(self.rng, bank["statement"]["plain"]).format(
            aspect=aspect.name,
            verb=self._verb(aspect, side),
            person=pick(self.rng, bank["person"]),
            time=pick(self.rng, bank["time"]),
        )

    def _verb(self, aspect: Aspect, side: str) -> str:
        own = {"good": aspect.good, "bad": aspect.bad}.get(side, ())
        if own and self._chance(SPECIFIC):
            return pick(self.rng, own)
        return pick(self.rng, phrases()["statement"][f"verb_{side}"])

    def _title(self) -> str:
        bank = phrases()["title"]
        group = "any" if self._chance(NEUTRAL_TITLE) else self.sentiment
        title = self.fill(pick(self.rng, bank[group]))
        return title[:1].upper() + title[1:]

    def _aspects(self, count: int) -> list[Aspect]:
        order = self.rng.permutation(len(self.category.aspects))[:count]
        return [self.category.aspects[int(at)] for at in order]

    def _chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)
