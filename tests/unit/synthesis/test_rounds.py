"""Where the next rows go, and when writing ends."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.ports.generation import Cell, Draft
from kindling.records import Review, sentiment_of
from kindling.synthesis.deficit import grid, spread
from kindling.synthesis.fill import fill
from kindling.synthesis.mistakes import aimed, at_random, misread
from kindling.synthesis.rounds import Plan, write_in_rounds

CELLS = grid(["Cups", "Bowls"])
SAYS = {1: "awful broken poor", 3: "okay average fair", 5: "lovely perfect great"}


def review(number: int, category: str, stars: int, words: str) -> Review:
    body = f"{words} row {number}"
    return Review(
        f"{category}-{number}",
        f"{category}-p{number % 7}",
        category,
        "",
        body,
        stars,
        "scraped",
    )


def catalogue() -> list[Review]:
    """Bowls are read with ease; of Cups the bad ones say what good ones say."""
    rows = []
    for number in range(84):
        stars = (1, 3, 5)[number % 3]
        rows.append(review(number, "Bowls", stars, SAYS[stars]))
        turned = {1: 5, 3: 3, 5: 5}[stars]
        rows.append(review(number, "Cups", stars, SAYS[turned]))
    return rows


class Writer:
    """Writes a new sentence each time; of a silent cell nothing."""

    name = "writer"
    provenance: Mapping[str, str] = {}

    def __init__(self, silent: Sequence[Cell] = (), again: bool = False) -> None:
        self._silent, self._again, self.number = silent, again, 0

    def obstacle(self, cell: Cell) -> str:
        return "silent" if cell in self._silent else ""

    def fault(self, cell: Cell, draft: Draft) -> tuple[str, str]:
        return "", ""

    def write(self, cell: Cell, count: int, rng: np.random.Generator) -> list[Draft]:
        drafts = []
        for _ in range(count):
            self.number += not self._again
            words = " ".join(f"{cell.sentiment}{self.number}x{n}" for n in range(9))
            drafts.append(Draft("", words, 3))
        return drafts


def plan(**given_: object) -> Plan:
    usual = {
        "aim": "mistakes",
        "rounds": 1,
        "budget": 60,
        "max_copy_rate": 0.6,
        "seed": 1,
    }
    return Plan(**{**usual, **given_})  # type: ignore[arg-type]


def test_what_is_misread_gets_the_rows() -> None:
    rows = catalogue()
    found = misread(rows, CELLS, {}, 0)
    assert found is not None
    worst = max(found.shares, key=lambda cell: found.shares[cell])
    assert worst == Cell("Cups", "negative")
    done = write_in_rounds(Writer(), dict.fromkeys(CELLS, 100), rows, plan())
    wanted = done.rounds[0].wanted
    assert max(wanted, key=lambda cell: wanted[cell]) == "Cups/negative"
    assert done.rounds[0].misread == pytest.approx(found.overall)


def test_drafts_made_from_a_folds_test_are_not_learned_from_in_it() -> None:
    """Every row has words of its own, so that only its own copy could tell its sentiment."""
    rows = [review(n, "Cups", (1, 3, 5)[n % 3], f"word{n} sign{n}") for n in range(84)]

    def copies(sourced: bool) -> dict[Cell, list[Draft]]:
        found: dict[Cell, list[Draft]] = {cell: [] for cell in CELLS}
        for row in rows:
            sources = (row.review_id,) if sourced else ()
            cell = Cell("Cups", sentiment_of(row.rating))
            found[cell] += [Draft("", row.text, row.rating, sources)] * 2
        return found

    honest, leaked = (misread(rows, CELLS, copies(one), 0) for one in (True, False))
    assert honest is not None and leaked is not None
    assert honest.overall > 0.4 > 0.1 > leaked.overall


@given(
    st.lists(st.integers(0, 40), min_size=6, max_size=6),
    st.lists(st.floats(0, 1), min_size=6, max_size=6),
    st.integers(0, 300),
    st.integers(0, 9),
)
def test_every_way_of_aiming_spends_the_same_budget_within_what_is_lacking(
    lacks: list[int], shares: list[float], budget: int, seed: int
) -> None:
    lacking = dict(zip(CELLS, lacks, strict=True))
    misses = dict(zip(CELLS, shares, strict=True))
    rng = np.random.default_rng(seed)
    for dealt in (
        aimed(lacking, misses, budget),
        at_random(lacking, budget, rng),
        spread(lacking, budget),
    ):
        assert sum(dealt.values()) == min(budget, sum(lacks))
        assert all(0 <= dealt[cell] <= lacking[cell] for cell in CELLS)


def test_one_round_by_deficit_is_what_was_written_before_there_were_rounds() -> None:
    rows, lacking = catalogue(), dict.fromkeys(CELLS, 8)
    done = write_in_rounds(Writer(), lacking, rows, plan(aim="deficit", budget=30))
    plain = fill(Writer(), spread(lacking, 30), rows, 0.6, 1)
    assert (done.filled.drafts, done.filled.ledger) == (plain.drafts, plain.ledger)
    assert done.stopped == "all 1 rounds are done"


def test_rounds_end_when_they_pay_no_more() -> None:
    """Words that nobody uses teach nothing: as much is misread as before."""
    lacking = dict.fromkeys(CELLS, 50)
    done = write_in_rounds(Writer(), lacking, catalogue(), plan(rounds=9))
    assert done.stopped == "2 rounds left as much misread as before"
    assert len(done.rounds) < 9


def test_rounds_end_when_drafts_are_turned_down() -> None:
    lacking = dict.fromkeys(CELLS, 50)
    done = write_in_rounds(Writer(again=True), lacking, catalogue(), plan(rounds=5))
    assert done.stopped == "four of five drafts were turned down"
    assert done.rounds[-1].turned_down > 4 * done.rounds[-1].made


def test_a_later_round_repeats_no_earlier_one_and_the_ledger_adds_up() -> None:
    lacking = dict.fromkeys(CELLS, 5)
    done = write_in_rounds(
        Writer(silent=[CELLS[0]]),
        lacking,
        catalogue(),
        plan(aim="random", rounds=2, budget=20),
    )
    texts = [d.text for some in done.filled.drafts.values() for d in some.values()]
    assert len(texts) == len(set(texts)) == sum(one.made for one in done.rounds)
    for cell, entry in done.filled.ledger.items():
        assert entry.made == len(done.filled.drafts[cell])
    assert done.filled.ledger[CELLS[0]].shortfall == "silent; silent"


def test_of_one_product_nothing_is_measured_and_the_deficit_decides() -> None:
    rows = [review(7 * n, "Cups", 5, SAYS[5]) for n in range(6)]
    assert misread(rows, CELLS, {}, 0) is None
    done = write_in_rounds(Writer(), dict.fromkeys(CELLS, 2), rows, plan())
    assert done.rounds[0].made == 12
