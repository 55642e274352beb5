"""What the offline writer promises: nobody's words alone, the wanted tone, the wanted category."""

from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from kindling.errors import BudgetSpent
from kindling.ports.generation import Cell, Draft
from kindling.records import Product, Review, sentiment_of
from kindling.synthesis.copying import GramIndex
from kindling.synthesis.fill import Filled, fill
from kindling.synthesis.recombine import Recombination

CELLS = {
    Cell("Teapots", sentiment): 40 for sentiment in ("negative", "neutral", "positive")
}


@pytest.fixture(scope="module")
def filled(corpus: list[Review], products: list[Product]) -> Filled:
    return fill(Recombination(corpus, products, 5), CELLS, corpus, 0.6, 5)


def all_drafts(filled: Filled) -> list[tuple[Cell, Draft]]:
    return [
        (cell, draft)
        for cell, drafts in filled.drafts.items()
        for draft in drafts.values()
    ]


def test_cells_are_filled_and_accounted_for(filled: Filled) -> None:
    assert {cell: len(drafts) for cell, drafts in filled.drafts.items()} == CELLS
    assert filled.tried == 120 + len(filled.rejections)
    for cell, entry in filled.ledger.items():
        assert (entry.wanted, entry.made, entry.shortfall) == (40, 40, "")
        assert sum(entry.aspects.values()) >= 2 * len(filled.drafts[cell])
    assert len({one for entry in filled.ledger.values() for one in entry.aspects}) >= 4


def test_no_row_copies_a_real_one_or_another(
    filled: Filled, corpus: list[Review]
) -> None:
    real = GramIndex((row.review_id, row.text) for row in corpus)
    others = GramIndex()
    for _, draft in all_drafts(filled):
        assert len(set(draft.source_review_ids)) == len(draft.source_review_ids) >= 2
        assert real.copied(draft.text)[0] <= 0.6
        assert others.copied(draft.text)[0] <= 0.6
        others.add(draft.body, draft.text)
    assert not {draft.body for _, draft in all_drafts(filled)} & {
        row.body for row in corpus
    }


def test_rating_and_tone_agree_with_the_cell(
    filled: Filled, held_out: list[Review]
) -> None:
    """Judged by a classifier trained on real rows that the writer has never seen."""
    judge = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10))
    judge.fit(
        [row.text for row in held_out], [sentiment_of(row.rating) for row in held_out]
    )
    right = Counter()
    for cell, draft in all_drafts(filled):
        assert sentiment_of(draft.rating) == cell.sentiment
        right[cell.sentiment] += judge.predict([draft.text])[0] == cell.sentiment
    assert right["negative"] >= 36 and right["positive"] >= 36
    assert right["neutral"] >= 24


def test_a_complaint_in_a_five_star_review_is_not_used_as_praise(
    corpus: list[Review], products: list[Product]
) -> None:
    planted = [
        Review(
            f"x{n}",
            "p",
            "Teapots",
            "",
            f"The colour is ugly and flimsy {n}. It is lovely and solid.",
            5,
            "scraped",
        )
        for n in range(10)
    ]
    drafts = Recombination([*corpus, *planted], products, 5).write(
        Cell("Teapots", "positive"), 150, np.random.default_rng(0)
    )
    assert any(
        source.startswith("x") for draft in drafts for source in draft.source_review_ids
    )
    assert not [draft.body for draft in drafts if "flimsy" in draft.body]


def test_only_teapots_are_spoken_of(filled: Filled, corpus: list[Review]) -> None:
    category = {row.review_id: row.category for row in corpus}
    texts = " ".join(draft.text.lower() for _, draft in all_drafts(filled))
    assert "teapot" in texts
    for foreign in ("lamp", "clock", "mirror", "bulb", "pendulum", "bevel", "dial"):
        assert foreign not in texts
    origin = Counter(
        category[source]
        for _, draft in all_drafts(filled)
        for source in draft.source_review_ids
    )
    assert len(origin) == 4  # Carried over from every neighbour.


def test_neutral_rows_hold_praise_and_complaint(filled: Filled) -> None:
    words = [
        set(draft.text.lower().replace(",", " ").split())
        for draft in filled.drafts[Cell("Teapots", "neutral")].values()
    ]
    assert (
        sum(
            not row.isdisjoint({"but", "although", "though", "however", "said"})
            or "hand" in row
            for row in words
        )
        >= 30
    )


def test_same_seed_same_rows_whatever_the_order(
    corpus: list[Review], products: list[Product], filled: Filled
) -> None:
    again = fill(
        Recombination(list(reversed(corpus)), products, 5), CELLS, corpus, 0.6, 5
    )
    assert again == filled
    cell = Cell("Teapots", "positive")
    alone = fill(Recombination(corpus, products, 5), {cell: 40}, corpus, 0.6, 5)
    assert next(iter(alone.drafts[cell])) == next(iter(filled.drafts[cell]))
    other = fill(Recombination(corpus, products, 5), CELLS, corpus, 0.6, 6)
    assert not set(other.drafts[cell]) & set(filled.drafts[cell])


def test_what_cannot_be_written_is_said(
    corpus: list[Review], products: list[Product]
) -> None:
    praise_only = [row for row in corpus if row.rating >= 4]
    result = fill(Recombination(praise_only, products, 5), CELLS, praise_only, 0.6, 5)
    entry = result.ledger[Cell("Teapots", "negative")]
    assert entry.made == 0 and "complaint" in entry.shortfall
    few = [row for row in corpus if row.rating <= 2][:6]
    entry = fill(
        Recombination(few, products, 5), {Cell("Lamps", "negative"): 400}, few, 0.6, 5
    ).ledger[Cell("Lamps", "negative")]
    assert 0 < entry.made < 400 and entry.shortfall


def test_the_judge_turns_down_with_a_reason(corpus: list[Review]) -> None:
    class Parrot:
        name = "parrot"
        provenance: dict[str, str] = {}

        def __init__(self) -> None:
            self.answers = [
                Draft("", corpus[0].body, 5, ("a", "b")),
                Draft(
                    "",
                    "Nobody has ever said a thing like this before today.",
                    5,
                    ("a", "b"),
                ),
                Draft(
                    "",
                    "nobody has ever said a thing like this before TODAY!",
                    5,
                    ("a", "b"),
                ),
                Draft(
                    "",
                    "One person alone said these very own words somewhere.",
                    5,
                    ("a", "a"),
                ),
            ]

        def obstacle(self, cell: Cell) -> str:
            return ""

        def fault(self, cell: Cell, draft: Draft) -> tuple[str, str]:
            return Recombination(corpus, [], 1).fault(cell, draft)

        def write(
            self, cell: Cell, count: int, rng: np.random.Generator
        ) -> list[Draft]:
            batch, self.answers = self.answers, []
            return batch

    result = fill(Parrot(), {Cell("Lamps", "positive"): 4}, corpus, 0.6, 1)
    assert sorted(one.reason for one in result.rejections) == [
        "duplicate",
        "near_copy",
        "single_source",
    ]
    assert result.ledger[Cell("Lamps", "positive")].made == 1
    assert (
        "1 duplicate, 1 near_copy, 1 single_source"
        in result.ledger[Cell("Lamps", "positive")].shortfall
    )


class Scribe:
    """A writer of fresh sentences that uses no source rows and ends when its list does."""

    name = "scribe"
    provenance: dict[str, str] = {}

    def __init__(self, drafts: int, budget: int = 10_000) -> None:
        self.drafts, self.budget = drafts, budget

    def obstacle(self, cell: Cell) -> str:
        return ""

    def fault(self, cell: Cell, draft: Draft) -> tuple[str, str]:
        return "", ""

    def write(self, cell: Cell, count: int, rng: np.random.Generator) -> list[Draft]:
        if not self.budget:
            raise BudgetSpent("200 of 200 tokens are spent")
        batch = min(count, self.drafts, self.budget)
        self.drafts -= batch
        self.budget -= batch
        words = [f"word{n}" for n in rng.integers(0, 10**9, 8 * batch)]
        return [Draft("", " ".join(words[8 * n : 8 * n + 8]), 5) for n in range(batch)]


def test_a_writer_without_source_rows_gets_its_drafts_through(
    corpus: list[Review],
) -> None:
    cell = Cell("Lamps", "positive")
    assert fill(Scribe(50), {cell: 20}, corpus, 0.6, 1).ledger[cell].made == 20


def test_a_shortfall_names_what_came_and_what_was_turned_down(
    corpus: list[Review],
) -> None:
    """Wanted 148, made 80 with two turned down: the two are not the reason for 68."""
    cell = Cell("Lamps", "positive")
    entry = fill(Scribe(80), {cell: 148}, corpus, 0.6, 1).ledger[cell]
    assert (entry.wanted, entry.made, entry.turned_down) == (148, 80, {})
    assert "had 80 drafts for" in entry.shortfall
    assert "0 of them turned down" in entry.shortfall


def test_a_spent_budget_ends_every_cell_where_it_is(corpus: list[Review]) -> None:
    cells = {Cell("Lamps", sentiment): 10 for sentiment in ("negative", "positive")}
    filled = fill(Scribe(100, budget=10), cells, corpus, 0.6, 1)
    assert [entry.made for entry in filled.ledger.values()] == [10, 0]
    assert filled.ledger[Cell("Lamps", "positive")].shortfall == (
        "200 of 200 tokens are spent"
    )
