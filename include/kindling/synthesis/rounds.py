"""Writing in rounds: each looks at what is still misread, and the last is the one after which it pays no more."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from kindling.ports.generation import Cell, Draft, Writer
from kindling.records import Rejection, Review
from kindling.synthesis.deficit import spread
from kindling.synthesis.fill import CellLedger, Filled, fill
from kindling.synthesis.mistakes import Misread, aimed, at_random, misread

Aim = Literal["deficit", "mistakes", "random"]

#: Rounds in a row without fewer mistakes than the best before, after which no other is begun.
_PATIENCE = 2
#: Share of a round's drafts that may be turned down before writing is given up.
_WASTE = 0.8


@dataclass(frozen=True)
class Plan:
    """How the budget is spent."""

    aim: Aim
    rounds: int
    budget: int
    max_copy_rate: float
    seed: int


@dataclass(frozen=True)
class Round:
    """What one round wanted, and what was misread when it began."""

    wanted: Mapping[str, int]
    made: int
    turned_down: int
    misread: float | None


@dataclass
class Campaign:
    """All rounds together."""

    filled: Filled
    rounds: list[Round] = field(default_factory=list)
    #: Why no further round was begun.
    stopped: str = ""

    def add(
        self, wanted: Mapping[Cell, int], found: Filled, seen: Misread | None
    ) -> None:
        """Another round's work."""
        self.filled = _together(self.filled, found)
        self.rounds.append(
            Round(
                {str(cell): count for cell, count in wanted.items() if count},
                sum(map(len, found.drafts.values())),
                len(found.rejections),
                None if seen is None else seen.overall,
            )
        )

    @property
    def figures(self) -> dict[str, object]:
        """For the report."""
        return {
            "rounds": [
                {
                    "wanted": dict(one.wanted),
                    "made": one.made,
                    "turned_down": one.turned_down,
                    "misread": one.misread,
                }
                for one in self.rounds
            ],
            "rounds_stopped": self.stopped,
        }


def write_in_rounds(
    writer: Writer, lacking: Mapping[Cell, int], real: Sequence[Review], plan: Plan
) -> Campaign:
    """Fill the cells round by round, by deficit, by what our model misreads, or at random.

    No further round is begun when the budget is spent, no cell lacks a row, two rounds in a row
    left as much misread as before, or four of five drafts were turned down.
    """
    done = Campaign(_nothing(lacking))
    best, without = float("inf"), 0
    for number in range(plan.rounds):
        left = {cell: count - _made(done, cell) for cell, count in lacking.items()}
        budget = _share(plan, number, done)
        if not budget or not any(left.values()):
            done.stopped = (
                "the budget is spent" if not budget else "no cell lacks a row"
            )
            return done
        seen = _seen(plan, real, lacking, done)
        if seen is not None:
            fewer = seen.overall < best
            best, without = min(best, seen.overall), 0 if fewer else without + 1
            if without >= _PATIENCE:
                done.stopped = f"{_PATIENCE} rounds left as much misread as before"
                return done
        wanted = _dealt(plan, left, seen, budget, number)
        found = fill(
            writer, wanted, real, plan.max_copy_rate, plan.seed + number, _texts(done)
        )
        done.add(wanted, found, seen)
        last = done.rounds[-1]
        if last.turned_down > _WASTE * (last.made + last.turned_down):
            done.stopped = "four of five drafts were turned down"
            return done
    done.stopped = f"all {plan.rounds} rounds are done"
    return done


def _nothing(lacking: Mapping[Cell, int]) -> Filled:
    return Filled({cell: {} for cell in lacking}, [], {}, 0)


def _made(done: Campaign, cell: Cell) -> int:
    return len(done.filled.drafts.get(cell, {}))


def _share(plan: Plan, number: int, done: Campaign) -> int:
    """An equal part of what is left for each round that is left."""
    spent = sum(len(drafts) for drafts in done.filled.drafts.values())
    return -(-(plan.budget - spent) // (plan.rounds - number))


def _seen(
    plan: Plan, real: Sequence[Review], lacking: Mapping[Cell, int], done: Campaign
) -> Misread | None:
    """Needed where mistakes decide where to write, or whether to go on."""
    if plan.aim == "deficit" and plan.rounds == 1:
        return None
    drafts = {cell: list(some.values()) for cell, some in done.filled.drafts.items()}
    return misread(real, sorted(lacking), drafts, plan.seed)


def _dealt(
    plan: Plan,
    left: Mapping[Cell, int],
    seen: Misread | None,
    budget: int,
    number: int,
) -> dict[Cell, int]:
    if plan.aim == "random":
        rng = np.random.default_rng([plan.seed, number])
        return at_random(left, budget, rng)
    if plan.aim == "mistakes" and seen is not None:
        return aimed(left, seen.shares, budget)
    return spread(left, budget)


def _texts(done: Campaign) -> list[tuple[str, str]]:
    """Ids and texts of what was written in earlier rounds."""
    return [
        (draft_id, draft.text)
        for drafts in done.filled.drafts.values()
        for draft_id, draft in drafts.items()
    ]


def _together(one: Filled, other: Filled) -> Filled:
    drafts: dict[Cell, dict[str, Draft]] = {
        cell: dict(some) for cell, some in one.drafts.items()
    }
    for cell, some in other.drafts.items():
        drafts.setdefault(cell, {}).update(some)
    rejections: list[Rejection] = [*one.rejections, *other.rejections]
    ledger = dict(one.ledger)
    for cell, entry in other.ledger.items():
        ledger[cell] = _added(ledger[cell], entry) if cell in ledger else entry
    return Filled(drafts, rejections, ledger, one.tried + other.tried)


def _added(one: CellLedger, other: CellLedger) -> CellLedger:
    return CellLedger(
        one.wanted + other.wanted,
        one.made + other.made,
        dict(Counter(one.turned_down) + Counter(other.turned_down)),
        dict(sorted((Counter(one.aspects) + Counter(other.aspects)).items())),
        "; ".join(filter(None, (one.shortfall, other.shortfall))),
    )
