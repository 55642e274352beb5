"""The ledger outlives a run: every look is kept once, with what was decided, whoever retries."""

from dataclasses import replace

import numpy as np
import pytest

from kindling.errors import DataError
from kindling.evaluation.evaluator import Answers, evaluate
from kindling.evaluation.figures import Beside, EvaluationFigures
from kindling.evaluation.ledger import FIRST, LATEST, Look
from kindling.evaluation.looks import Ledger, look_of
from kindling.records import Example
from kindling.stores.memory import MemoryStanding

METRIC = "three_way_macro_f1"


def look(night: int, above: float = 0.0, reference: str = "1") -> Look:
    return Look(
        f"night-{night}",
        str(night),
        METRIC,
        "a" * 64,
        reference,
        0.8 + above,
        above,
        0.0,
        0.01,
        ("p1",) if night == 0 else (),
    )


def test_a_retry_finds_its_own_look_and_adds_none() -> None:
    ledger = Ledger(MemoryStanding(), "demo")
    assert ledger.enter(look(0)) == []
    assert ledger.enter(look(1)) == [look(0)]
    assert ledger.enter(look(0)) == [] and ledger.enter(look(1)) == [look(0)]
    assert [one.look for one in ledger.entries()] == [look(0), look(1)]


def test_what_was_decided_stands_beside_the_look() -> None:
    ledger = Ledger(MemoryStanding(), "demo")
    ledger.enter(look(0))
    ledger.enter(look(1))
    ledger.decide(look(0), "fail", ["bar"])
    ledger.decide(look(0), "fail", ["bar"])
    first, second = ledger.entries()
    assert (first.outcome, first.codes) == ("fail", ("bar",))
    assert (second.outcome, second.codes) == ("", ())


def test_recipes_have_a_ledger_each() -> None:
    standing = MemoryStanding()
    Ledger(standing, "demo").enter(look(0))
    Ledger(standing, "demo").pin("1")
    other = Ledger(standing, "clothing")
    assert other.entries() == [] and other.reference() is None
    assert not other.opened("tonight")
    assert Ledger(standing, "demo").opened("tonight") == {"p1"}
    assert not Ledger(standing, "demo").opened("night-0"), "its retry decides alike"


def test_nights_that_sink_are_held_by_what_the_store_remembers() -> None:
    ledger = Ledger(MemoryStanding(), "demo")
    for night in range(FIRST + LATEST):
        above = 0.0 if night < FIRST else -0.03
        advice = ledger.advise(look(night, above), 0.05)
    assert advice.decision == "held" and f"look {FIRST + LATEST}," in advice.detail
    ledger.pin("5")
    fresh = ledger.advise(look(99, -0.03, reference="5"), 0.05)
    assert fresh.decision == "promoted" and fresh.detail.startswith("look 1,")


def test_a_fact_that_is_no_look_is_named() -> None:
    standing = MemoryStanding()
    standing.append("golden-looks/demo", "x", {"version": "1"})
    with pytest.raises(DataError, match="fact 1 of golden-looks/demo"):
        Ledger(standing, "demo").entries()


def test_a_look_is_what_evaluate_measured(examples: list[Example], predict) -> None:
    truth = np.array(
        [("negative", "neutral", "positive").index(one.sentiment) for one in examples]
    )
    answers = Answers(
        candidate=predict(truth, 2.0, 1),
        baseline=predict(truth, 1.0, 2),
        champion=predict(truth, 1.5, 3),
        pictured=np.zeros(0, dtype=int),
        ask=None,
        reference=predict(truth, 0.5, 4),
    )
    found = evaluate(examples, (), answers, seed=0)
    figures = EvaluationFigures.of(
        found, ("3", "2"), {}, Beside(reference_version="1", opened={"p2"})
    )
    made = look_of(figures, METRIC, "night-3")
    over, beside = (
        figures.differences[one][METRIC] for one in ("champion", "reference")
    )
    assert (made.version, made.reference, made.opened) == ("3", "1", ("p2",))
    assert (made.over_champion, made.over_reference) == (over.value, beside.value)
    assert made.value == figures.systems["candidate"][METRIC].value
    assert made.error == pytest.approx((over.high - over.low) / 3.92, rel=1e-3)
    first = evaluate(examples, (), replace(answers, champion=None, reference=None), 0)
    alone = look_of(EvaluationFigures.of(first, ("1", None), {}), METRIC, "night-1")
    assert (alone.over_champion, alone.over_reference, alone.reference) == (
        None,
        0,
        "1",
    )
