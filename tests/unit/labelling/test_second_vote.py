"""A language model votes where the others are in doubt, and only as far as it was seen to be right."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from pydantic import ValidationError

from kindling.errors import BudgetSpent, ConfigurationError
from kindling.labelling import doubt
from kindling.ports.llm import Message
from kindling.recipe import LabelConfig
from kindling.records import SENTIMENTS, Review, sentiment_of
from kindling.stages.balloting import Ballot, SecondVote

PRIOR = np.array([1, 1, 1]) / 3
CONFIG = LabelConfig(star_reliability=0.9, accept=0.95, discard=0.5, llm_rows=240)


class Model:
    """Reads the words it was given; `share` of its answers are right."""

    name = "reader"

    def __init__(self, share: float = 1.0, budget: int = 10_000) -> None:
        self.share, self.budget = share, budget
        self.asked: list[str] = []

    def choose(
        self, messages: Sequence[Message], options: Sequence[str], *, seed: int = 0
    ) -> Mapping[str, float]:
        if len(self.asked) == self.budget:
            raise BudgetSpent("nothing is left")
        text = messages[-1].content
        self.asked.append(text)
        rng = np.random.default_rng(len(self.asked))
        right = next(one for one in SENTIMENTS if f"a {one} text" in text)
        said = right if rng.random() < self.share else str(rng.choice(SENTIMENTS))
        return {one: 0.9 if one == said else 0.05 for one in options}


@pytest.fixture
def ballot() -> Ballot:
    """600 rows whose text names their sentiment; every tenth's stars say another, the model knows nothing."""
    rows = []
    for number in range(600):
        rating = (1, 3, 5)[number % 3]
        said = sentiment_of((5, 1, 3)[number % 3] if number % 10 == 0 else rating)
        name = f"r{number}"
        text = f"a {said} text, number {number}"
        rows.append(
            Review(name, f"p{number % 40}", "Lamps", "", text, rating, "scraped")
        )
    stated = [sentiment_of(row.rating) for row in rows]
    return Ballot(rows, stated, "stars", 0.9, np.tile(PRIOR, (600, 1)))


def vote(ballot: Ballot, llm: Model) -> tuple[SecondVote, doubt.Opinion | None]:
    second = SecondVote.of(llm, CONFIG, 7)
    assert second is not None
    return second, second.decide(ballot, PRIOR, second.learn(ballot))


def test_a_model_that_reads_well_decides_the_rows_that_it_was_asked_about(
    ballot: Ballot,
) -> None:
    llm = Model()
    second, said = vote(ballot, llm)
    assert said is not None
    assert len(llm.asked) == len(set(llm.asked)) == CONFIG.llm_rows
    labels = {one.review_id: one for one in ballot.labels(PRIOR, CONFIG, said)}
    asked = {ballot.rows[one].review_id for one in said.at}
    assert {one for one, label in labels.items() if "llm" in label.votes} == asked
    wrong = {row.review_id for row in ballot.rows[::10]}
    for one in asked:
        label = labels[one]
        assert label.sentiment == ballot.stated[int(one[1:])], "nothing is relabelled"
        assert (label.band == "accept") == (one not in wrong)
    before = {one.review_id: one for one in ballot.labels(PRIOR, CONFIG)}
    assert all(labels[one] == before[one] for one in set(labels) - asked)
    figure = second.figures["agreement"]
    assert figure.n == 120
    assert 0.8 < figure.value < 1
    assert second.figures["in_doubt"] == 120


def test_a_model_that_guesses_moves_no_label_by_much(ballot: Ballot) -> None:
    _, said = vote(ballot, Model(share=0.0))
    sure = ballot.labels(PRIOR, CONFIG, said)
    before = ballot.labels(PRIOR, CONFIG)
    moved = [
        abs(a.confidence - b.confidence) for a, b in zip(sure, before, strict=True)
    ]
    assert max(moved) < 0.08
    assert [one.band for one in sure] == [one.band for one in before]


def test_where_the_budget_ends_early_it_does_not_vote_or_votes_on_fewer(
    ballot: Ballot,
) -> None:
    few, said = vote(ballot, Model(budget=doubt.SAMPLE_AT_LEAST - 1))
    assert said is None
    assert few.figures["sample"] == 0
    _, some = vote(ballot, Model(budget=150))
    assert some is not None
    assert len(some.at) == 150


def test_what_one_ballot_has_used_is_not_there_for_the_next(ballot: Ballot) -> None:
    second, _ = vote(ballot, Model())
    other = second.decide(ballot, PRIOR)
    assert other is not None
    assert len(other.at) == 0


def test_no_model_is_said_before_anything_is_asked() -> None:
    assert SecondVote.of(None, LabelConfig(), 7) is None
    with pytest.raises(ConfigurationError, match="KINDLING_LLM_MODEL"):
        SecondVote.of(None, CONFIG, 7)


def test_too_small_a_share_is_refused_in_the_recipe() -> None:
    with pytest.raises(ValidationError, match="100 at least"):
        LabelConfig(llm_rows=30)
