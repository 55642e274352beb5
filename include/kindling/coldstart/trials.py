"""The draws behind the curve: products dealt, seeds drawn, every line answered on the same rows."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kindling.coldstart import plan as lines
from kindling.coldstart.admission import decide
from kindling.coldstart.few_shot import few_shot
from kindling.coldstart.generators import Generator, Request
from kindling.coldstart.heads import Array, Embed, zero_shot
from kindling.coldstart.learning import Lesson, Space, again, generated, real, together
from kindling.coldstart.plan import ALL, Plan
from kindling.coldstart.written import Written
from kindling.errors import DataError
from kindling.measure.copying import overlap
from kindling.records import Review

log = logging.getLogger(__name__)

#: Share of a row's 5-grams in one hidden review from which it is taken for a copy of it.
_COPY = 0.6

#: Texts -> P(sentiment) [n, 3].
Ask = Callable[[Sequence[str]], NDArray[np.float64]]
#: (line, real niche rows).
At = tuple[str, int]


@dataclass(frozen=True)
class Draw:
    """One draw's answers."""

    #: Places of the judged rows among the niche's, ascending.
    judged: NDArray[np.int64]
    #: P(sentiment) [judged, 3] of each line at each point.
    answers: Mapping[At, Array]
    #: Real rows of the point "all".
    all_rows: int
    #: Point -> generated rows, and whether admission let them in.
    generated: Mapping[int, int]
    admitted: Mapping[int, bool]


@dataclass
class _Sheet:
    """What is being filled in of a draw."""

    judged: Array
    answers: dict[At, Array] = field(default_factory=dict)
    generated: dict[int, int] = field(default_factory=dict)
    admitted: dict[int, bool] = field(default_factory=dict)

    def note(self, line: str, point: int, lesson: Lesson) -> None:
        """A line's answers by a head that learns from the lesson."""
        self.answers[line, point] = lesson.answer(self.judged)


class Trials:
    """Everything that does not change from draw to draw."""

    def __init__(
        self,
        niche: Sequence[Review],
        neighbours: Sequence[Review],
        embed: Embed,
        generator: Generator,
        plan: Plan,
        ask: Ask | None = None,
    ) -> None:
        """`ask` answers the zero-shot line in the encoder's place; DataError where the niche's
        rows cannot be dealt to two sides."""
        rng = np.random.default_rng(plan.seed)
        self.niche = _some(niche, plan.niche_rows, rng)
        self.neighbours = _some(neighbours, plan.neighbours, rng)
        products = {row.product_id for row in self.niche}
        if len(products) < 2:
            raise DataError(
                f"cold-start curve: {len(self.niche)} real niche rows of {len(products)} "
                "products; two products are needed, one to learn from and one to judge on"
            )
        self._space = Space(embed)
        self.generator = generator
        self.plan = plan
        self._theirs = real(self.neighbours, self._space)
        self._ours = real(self.niche, self._space)
        self._zero = (
            np.asarray(ask([row.text for row in self.niche]), np.float64)
            if ask
            else zero_shot(embed, self._ours.vectors)
        )

    def draws(self) -> list[Draw]:
        """As many as the plan says, each with its own products, seeds and generated rows."""
        found = []
        for number in range(self.plan.draws):
            found.append(self.draw(number))
            log.info("cold-start curve: draw %d of %d", number + 1, self.plan.draws)
        return found

    def draw(self, number: int) -> Draw:
        """One of them: the same whenever it is drawn."""
        seed = self.plan.seed * 1000 + number
        rng = np.random.default_rng(seed)
        pool, judged = _dealt([row.product_id for row in self.niche], rng)
        sheet = _Sheet(self._ours.vectors[judged])
        for point in (*self.plan.points, ALL):
            if point > len(pool):
                continue
            rows = pool if point == ALL else pool[:point]
            sheet.answers[lines.ZERO, point] = self._zero[judged]
            self._point(sheet, point, rows, seed)
        return Draw(judged, sheet.answers, len(pool), sheet.generated, sheet.admitted)

    def _point(
        self, sheet: _Sheet, point: int, rows: NDArray[np.int64], seed: int
    ) -> None:
        """All lines of one point."""
        own = self._ours.at(rows)
        base = together(own, self._theirs) if len(self._theirs) else own
        if len(own):
            sheet.note(lines.SEEDS, point, own)
            if self.plan.few_shot:
                sheet.answers[lines.FEW_SHOT, point] = few_shot(
                    own.vectors, own.truth, sheet.judged, seed
                )
        if len(self._theirs):
            sheet.note(lines.NEIGHBOURS, point, self._theirs)
        if len(base):
            sheet.note(lines.REAL, point, base)
        self._generated(sheet, point, rows, base, seed)

    def _generated(
        self,
        sheet: _Sheet,
        point: int,
        rows: NDArray[np.int64],
        base: Lesson,
        seed: int,
    ) -> None:
        """The lines that learn from generated rows; without any, what is left of them."""
        written = self._written(rows, seed)
        sheet.generated[point] = len(written)
        made = generated(written, self._space)
        if written:
            sheet.note(lines.SYNTHETIC, point, made)
        if not len(base):
            return
        if written:
            weight = self.plan.weight
            repeated = again(base, made, np.random.default_rng(seed))
            sheet.note(lines.WITH, point, together(base, made.weighing(weight)))
            sheet.note(lines.AGAIN, point, together(base, repeated.weighing(weight)))
        if self.plan.admission:
            let_in = bool(written) and self._admitted(rows, written, seed)
            line = lines.WITH if let_in else lines.REAL
            sheet.answers[lines.ADMITTED, point] = sheet.answers[line, point]
            sheet.admitted[point] = let_in

    def _admitted(
        self, rows: NDArray[np.int64], written: Sequence[Written], seed: int
    ) -> bool:
        """What a night with these rows and no others would decide."""
        own = [self.niche[row] for row in rows]
        weight, neighbours = self.plan.weight, self.neighbours
        return decide(own, neighbours, written, self._space, weight, seed).used

    def _written(self, rows: NDArray[np.int64], seed: int) -> list[Written]:
        """The generator's rows, less those that say what is hidden from it."""
        drawn = set(rows.tolist())
        hidden = [row for at, row in enumerate(self.niche) if at not in drawn]
        request = Request(
            [self.niche[row] for row in rows],
            self.neighbours,
            frozenset(row.review_id for row in hidden),
            tuple(sorted({row.category for row in self.niche})),
            self.plan.rows_a_cell,
            seed,
        )
        made = list(self.generator.write(request))
        return _not_copied(made, hidden)


def _not_copied(made: list[Written], hidden: Sequence[Review]) -> list[Written]:
    """Rows that name no source are taken at their word only where they copy nothing hidden."""
    unsourced = [at for at, row in enumerate(made) if not row.sources]
    if not unsourced or not hidden:
        return made
    texts = [made[at].text for at in unsourced]
    copied, _ = overlap(texts, [row.text for row in hidden])
    out = {at for at, share in zip(unsourced, copied, strict=True) if share > _COPY}
    return [row for at, row in enumerate(made) if at not in out]


def _some(rows: Sequence[Review], most: int, rng: np.random.Generator) -> list[Review]:
    ordered = sorted(rows, key=lambda row: row.review_id)
    return [ordered[at] for at in sorted(rng.permutation(len(ordered))[:most])]


def _dealt(
    products: Sequence[str], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places to learn from, in random order, and places to judge on: half of the rows each,
    and no product on both sides."""
    names, of_row = np.unique(np.asarray(products), return_inverse=True)
    sizes = np.bincount(of_row)
    order = rng.permutation(len(names))
    before = np.cumsum(sizes[order]) - sizes[order]
    learned = order[before < len(products) / 2]
    if len(learned) == len(names):
        learned = learned[:-1]
    pool = np.flatnonzero(np.isin(of_row, learned))
    judged = np.flatnonzero(~np.isin(of_row, learned))
    return rng.permutation(pool), judged
