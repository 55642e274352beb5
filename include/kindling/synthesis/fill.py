"""The grid filled cell by cell: drafts are asked for, judged, and either taken or turned down with a reason."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kindling.errors import BudgetSpent
from kindling.ports.generation import Cell, Draft, Writer
from kindling.records import Rejection, Review
from kindling.synthesis.copying import GramIndex

#: Drafts asked for at most, as a multiple of what is wanted.
_PATIENCE = 4


@dataclass(frozen=True)
class CellLedger:
    """What became of one cell."""

    wanted: int
    made: int
    turned_down: Mapping[str, int]
    aspects: Mapping[str, int]
    #: Why rows are missing; empty where none are.
    shortfall: str = ""


@dataclass(frozen=True)
class Filled:
    """The drafts taken, by cell and id, and an account of the rest."""

    drafts: Mapping[Cell, Mapping[str, Draft]]
    rejections: Sequence[Rejection]
    ledger: Mapping[Cell, CellLedger]
    tried: int

    @property
    def aspects(self) -> list[str]:
        """Every aspect that a draft speaks of, in order of the alphabet."""
        return sorted({one for entry in self.ledger.values() for one in entry.aspects})


@dataclass
class _Judge:
    """Turns down what breaks the writer's own rule, copies a real review or repeats a synthetic one."""

    writer: Writer
    max_copy_rate: float
    real: GramIndex
    synthetic: GramIndex = field(default_factory=GramIndex)

    def fault(self, cell: Cell, draft: Draft) -> tuple[str, str]:
        """(reason, detail) against the draft; ("", "") if there is nothing."""
        reason, detail = self.writer.fault(cell, draft)
        if reason:
            return reason, detail
        rate, source = self.real.copied(draft.text)
        if rate > self.max_copy_rate:
            return "near_copy", f"{rate:.2f} of its 5-grams are in {source}"
        rate, other = self.synthetic.copied(draft.text)
        if rate > self.max_copy_rate:
            return "duplicate", f"{rate:.2f} of its 5-grams are in {other}"
        return "", ""


@dataclass
class _Attempt:
    """One cell being filled."""

    wanted: int
    taken: dict[str, Draft] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)
    asked: int = 0
    came: int = 0
    #: Why the cell could not be begun or was broken off.
    stopped: str = ""

    @property
    def missing(self) -> int:
        """Rows still to be made."""
        return self.wanted - len(self.taken)

    @property
    def turned_down(self) -> Counter[str]:
        """Drafts by the reason against them."""
        return Counter(one.reason for one in self.rejections)

    def entry(self) -> CellLedger:
        """The account of the cell."""
        aspects = Counter(one for draft in self.taken.values() for one in draft.aspects)
        return CellLedger(
            self.wanted,
            len(self.taken),
            dict(self.turned_down),
            dict(sorted(aspects.items())),
            self._shortfall() if self.missing else "",
        )

    def _shortfall(self) -> str:
        """Both causes with their numbers: few drafts came, and some of them were turned down."""
        if self.stopped:
            return self.stopped
        reasons = ", ".join(
            f"{count} {reason}" for reason, count in sorted(self.turned_down.items())
        )
        came = f"the writer had {self.came} drafts for {self.asked} asked"
        return f"{came}; {len(self.rejections)} of them turned down ({reasons or '-'})"


def fill(
    writer: Writer,
    wanted: Mapping[Cell, int],
    real: Sequence[Review],
    max_copy_rate: float,
    seed: int,
    before: Iterable[tuple[str, str]] = (),
) -> Filled:
    """Ask for what each cell lacks. A cell's drafts depend on the seed and its name, not on other cells'.

    What repeats one of `before`, ids and texts written earlier, is turned down as a duplicate. A budget that ends leaves the cells as far as they are, and says so in the ledger.
    """
    judge = _Judge(
        writer,
        max_copy_rate,
        GramIndex((review.review_id, review.text) for review in real),
        GramIndex(before),
    )
    attempts: dict[Cell, _Attempt] = {}
    spent = ""
    for cell, count in sorted(wanted.items()):
        attempt = attempts[cell] = _Attempt(count)
        if count:
            attempt.stopped = spent or writer.obstacle(cell)
        if not attempt.stopped:
            spent = _fill_cell(judge, cell, attempt, seed)
    return Filled(
        {cell: attempt.taken for cell, attempt in attempts.items()},
        [one for attempt in attempts.values() for one in attempt.rejections],
        {cell: attempt.entry() for cell, attempt in attempts.items()},
        sum(attempt.came for attempt in attempts.values()),
    )


def _fill_cell(judge: _Judge, cell: Cell, attempt: _Attempt, seed: int) -> str:
    """Ask until the cell is full or patience ends; returns why nothing more can be paid for."""
    rng = cell_generator(seed, cell, "text")
    limit = _PATIENCE * attempt.wanted
    while attempt.missing and attempt.asked < limit:
        asked = min(attempt.missing, limit - attempt.asked)
        attempt.asked += asked
        try:
            drafts = judge.writer.write(cell, asked, rng)
        except BudgetSpent as error:
            attempt.stopped = str(error)
            return attempt.stopped
        for draft in drafts:
            _judge_draft(judge, cell, attempt, draft)
    return ""


def _judge_draft(judge: _Judge, cell: Cell, attempt: _Attempt, draft: Draft) -> None:
    attempt.came += 1
    draft_id = synthetic_id(cell, draft)
    reason, detail = judge.fault(cell, draft)
    if reason:
        attempt.rejections.append(Rejection(draft_id, reason, detail))
        return
    attempt.taken[draft_id] = draft
    judge.synthetic.add(draft_id, draft.text)


def synthetic_id(cell: Cell, draft: Draft) -> str:
    """Id from what the row says and what it is for: the same in every run."""
    content = "\0".join(
        (cell.category, cell.sentiment, str(draft.rating), draft.title, draft.body)
    )
    return f"syn-{hashlib.sha256(content.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def cell_generator(seed: int, cell: Cell, purpose: str) -> np.random.Generator:
    """Random numbers of one cell's own."""
    digest = hashlib.sha256(f"{cell}/{purpose}".encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])
