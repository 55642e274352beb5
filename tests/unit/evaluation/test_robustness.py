"""Texts written worse say the same; a model that hangs on their spelling is found out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.evaluation.robustness import (
    CHANGES,
    capitals,
    emoji,
    punctuation,
    robustness,
    truncation,
    typos,
)
from kindling.measure.sample import Sample

TEXT = "It's a lovely dress, but the seam tore - twice! Don't buy 'it'."


def test_each_change_does_what_it_is_called() -> None:
    rng = np.random.default_rng(0)
    assert capitals(TEXT, rng) == TEXT.upper()
    assert punctuation(TEXT, rng) == (
        "It's a lovely dress but the seam tore twice Don't buy it"
    )
    assert TEXT.startswith(truncation(TEXT, rng)) and len(truncation(TEXT, rng)) < 50
    assert emoji(TEXT, rng).startswith(TEXT) and emoji(TEXT, rng) != TEXT
    long = "wonderful " * 200
    changed = typos(long, rng).split(" ")
    wrong = [word for word in changed if word not in {"wonderful", ""}]
    assert 8 <= len(wrong) <= 35
    assert all(sorted(word) == sorted("wonderful") for word in wrong)


@given(st.text(max_size=60), st.integers(0, 99))
def test_any_text_can_be_changed(text: str, seed: int) -> None:
    for change in CHANGES.values():
        assert isinstance(change(text, np.random.default_rng(seed)), str)


@pytest.mark.parametrize(
    ("reads", "lost"),
    [(str.casefold, set()), (str, {"capitals"})],
    ids=["a model that ignores case", "a model that hangs on it"],
)
def test_only_what_a_model_hangs_on_is_lost(reads, lost) -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(3, size=300)
    opinion = ("bad bad", "so so", "fine fine")
    texts = [f"{opinion[one]} it is and was, and has been" for one in truth]
    sample = Sample(truth, np.arange(300) % 40, tuple(map(str, range(300))))

    def answer(asked: list[str]) -> np.ndarray:
        said = [
            next((at for at, words in enumerate(opinion) if words in reads(text)), 2)
            for text in asked
        ]
        return np.eye(3)[said]

    found = robustness(sample, texts, answer, rng)
    assert set(found) == set(CHANGES)
    assert {name for name, one in found.items() if one.high < -0.3} == lost
    assert all(one.value == 0 for name, one in found.items() if name not in lost)
