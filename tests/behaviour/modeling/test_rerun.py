"""A night's model can be trained again from the record, and what was not the same is named."""

from dataclasses import replace
from typing import Any

import pytest

from kindling.errors import DataError
from kindling.recipe import TrainConfig
from kindling.stages import train
from kindling.stages.rerun import rerun

from .one_night import CONTEXT, TRAIN, commit

PLAIN = TrainConfig(model="tfidf")


def test_the_same_training_is_the_same_model(needs: Any) -> None:
    commit("train", train.run(TRAIN, CONTEXT, needs), needs)
    found = rerun(TRAIN, CONTEXT, needs)
    assert (found.version, found.n) == ("1", 90)
    assert found.largest_difference == 0
    assert found.answers_changed == 0
    assert found.differing == ["code"], "this test's commit keeps no hash of the code"
    assert needs.registry.candidate(CONTEXT.run_id).version == "1"


def test_what_is_another_is_named(needs: Any) -> None:
    commit("train", train.run(PLAIN, CONTEXT, needs), needs)
    fewer = TrainConfig(model="tfidf", max_rows=60)
    found = rerun(fewer, replace(CONTEXT, seed=CONTEXT.seed + 1), needs)
    assert found.largest_difference > 0.01
    assert {"rows", "settings"} <= set(found.differing)
    assert "threads" not in found.differing


def test_a_run_without_a_model_is_said(needs: Any) -> None:
    with pytest.raises(DataError, match="has registered no model"):
        rerun(PLAIN, CONTEXT, needs)
