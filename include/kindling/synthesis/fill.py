"""The grid filled cell by cell: drafts are asked for, judged, and either taken or turned down with a reason."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kindling.records import Rejection, Review
from kindling.synthesis.copying import GramIndex
from kindling.synthesis.ports import Cell, Draft, TextPolicy

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


@dataclass
class _Judge:
    """Turns down what copies a real review or repeats a synthetic one."""

    max_copy_rate: float
    real: GramIndex
    synthetic: GramIndex = field(default_factory=GramIndex)

    def fault(self, draft: Draft) -> tuple[str, str]:
        """(reason, detail) against the draft; ("", "") if there is nothing."""
        if len(set(draft.source_review_ids)) < 2:
            return "single_source", f"all from {', '.join(draft.source_review_ids)}"
        rate, source = self.real.copied(draft.text)
        if rate > self.max_copy_rate:
            return "near_copy", f"{rate:.2f} of its 5-grams stand in {source}"
        rate, other = self.synthetic.copied(draft.text)
        if rate > self.max_copy_rate:
            return "duplicate", f"{rate:.2f} of its 5-grams stand in {other}"
        return "", ""


def fill(
    policy: TextPolicy,
    wanted: Mapping[Cell, int],
    real: Sequence[Review],
    max_copy_rate: float,
    seed: int,
) -> Filled:
    """Ask for what each cell lacks. A cell's drafts depend on the seed and its name, not on other cells'."""
    judge = _Judge(
        max_copy_rate, GramIndex((review.review_id, review.text) for review in real)
    )
    drafts: dict[Cell, dict[str, Draft]] = {}
    ledger: dict[Cell, CellLedger] = {}
    rejections: list[Rejection] = []
    tried = 0
    for cell, count in sorted(wanted.items()):
        taken: dict[str, Draft] = {}
        refused: Counter[str] = Counter()
        obstacle = policy.obstacle(cell) if count else ""
        rng = cell_generator(seed, cell, "text")
        left = 0 if obstacle else _PATIENCE * count
        while len(taken) < count and left > 0:
            batch = policy.write(cell, min(count - len(taken), left), rng)
            left -= max(1, count - len(taken))
            for draft in batch:
                tried += 1
                draft_id = synthetic_id(cell, draft)
                reason, detail = judge.fault(draft)
                if reason:
                    refused[reason] += 1
                    rejections.append(Rejection(draft_id, reason, detail))
                else:
                    taken[draft_id] = draft
                    judge.synthetic.add(draft_id, draft.text)
        drafts[cell] = taken
        ledger[cell] = _account(count, taken, refused, obstacle)
    return Filled(drafts, rejections, ledger, tried)


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


def _account(
    count: int, taken: Mapping[str, Draft], refused: Mapping[str, int], obstacle: str
) -> CellLedger:
    shortfall = obstacle
    if len(taken) < count and not obstacle:
        shortfall = (
            f"drafts were turned down ({', '.join(f'{n} {reason}' for reason, n in sorted(refused.items()))})"
            if refused
            else "sentences that fit ran out"
        )
    aspects = Counter(aspect for draft in taken.values() for aspect in draft.aspects)
    return CellLedger(
        count, len(taken), dict(refused), dict(sorted(aspects.items())), shortfall
    )
