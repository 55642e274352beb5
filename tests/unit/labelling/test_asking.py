"""A language model's vote, by what it would say and not by what it claims."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from kindling.errors import DataError
from kindling.labelling.asking import Voter
from kindling.ports.llm import Completion, Message

TEXTS = ["I love it", "It broke", "All right"]


class Model:
    """Knows the truth of TEXTS, leans towards positive, and may keep its log-probabilities."""

    name = "model"

    def __init__(self, tells: bool, answers: Sequence[str] = ()) -> None:
        self._tells, self._answers = tells, list(answers)
        self.chosen = 0
        self.seeds: list[int] = []

    def choose(
        self, messages: Sequence[Message], options: Sequence[str], *, seed: int = 0
    ) -> Mapping[str, float]:
        self.chosen += 1
        if not self._tells:
            raise DataError("model gives no log-probabilities for its answer")
        at = next(n for n, text in enumerate(TEXTS) if text in messages[-1].content)
        odds = dict.fromkeys(options, 1.0) | {"positive": 6.0}
        odds[("positive", "negative", "neutral")[at]] *= 4
        return {one: value / sum(odds.values()) for one, value in odds.items()}

    def complete(
        self, messages: Sequence[Message], *, seed: int = 0, **asked: Any
    ) -> Completion:
        assert asked["temperature"] > 0 and asked["schema"]
        self.seeds.append(seed)
        said = self._answers[len(self.seeds) % len(self._answers)]
        return Completion("", {"sentiment": said}, self.name, 1, 1)


def test_log_probabilities_are_calibrated_by_what_is_said_of_all_texts() -> None:
    voter = Voter(Model(tells=True))
    votes = voter.votes(TEXTS, 0)
    assert votes.sum(1) == pytest.approx(np.ones(3))
    assert votes.argmax(1).tolist() == [2, 0, 1]
    assert voter.name == "model, sentiment/1, log-probabilities"


def test_without_log_probabilities_the_shares_of_several_answers_are_the_vote() -> None:
    model = Model(False, ["negative", "negative", "neutral"])
    voter = Voter(model, samples=6)
    votes = voter.votes(TEXTS[:2], 10)
    assert votes[0] == pytest.approx(np.array([4.5, 2.5, 0.5]) / 7.5)
    assert model.chosen == 1, "asked for them once, not for each text"
    assert model.seeds == [*range(10, 16), *range(10, 16)]
    assert voter.name == "model, sentiment/1, 6 answers"


def test_no_text_needs_no_call() -> None:
    model = Model(tells=True)
    assert Voter(model).votes([], 0).shape[0] == model.chosen == 0
