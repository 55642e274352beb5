"""Texts written worse say the same; a model that hangs on their spelling is found out."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kindling.evaluation.robustness import (
    CHANGES,
    PHOTO_CHANGES,
    WRONG_PHOTO,
    blurred,
    capitals,
    darkened,
    emoji,
    photo_robustness,
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


def photo(level: int) -> bytes:
    """A chequerboard between black and the level."""
    board = np.indices((64, 64)).sum(0) % 2 * level
    buffer = io.BytesIO()
    Image.fromarray(board.astype(np.uint8)).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("L")).astype(float)


def test_blur_takes_detail_and_dark_takes_light() -> None:
    plain = photo(200)
    assert pixels(blurred(plain)).std() < 0.2 * pixels(plain).std()
    assert pixels(blurred(plain)).mean() == pytest.approx(100, abs=3)
    assert pixels(darkened(plain)).mean() == pytest.approx(35, abs=3)


def test_a_model_that_hangs_on_light_is_found_out_and_one_that_reads_texts_is_not(
    sample: Sample,
) -> None:
    photos = [photo(90 + 80 * truth) for truth in sample.truth]
    texts = [str(truth) for truth in sample.truth]
    rng = np.random.default_rng(0)

    def by_text(said, shown):
        return np.eye(3)[[int(one) for one in said]]

    def by_light(said, shown):
        levels = [pixels(one).mean() * 2 for one in shown]
        return np.eye(3)[[int(np.clip((one - 50) // 80, 0, 2)) for one in levels]]

    steady = photo_robustness(sample, texts, photos, by_text, rng)
    assert set(steady) == {*PHOTO_CHANGES, WRONG_PHOTO}
    assert all(one.value == 0 for one in steady.values())
    shaky = photo_robustness(sample, texts, photos, by_light, rng)
    assert shaky["dark photo"].high < -0.1 and shaky[WRONG_PHOTO].high < -0.1
    assert shaky["blurred photo"].value == 0
    assert shaky["dark photo"].n <= 150


def test_of_one_product_no_photo_is_of_another(sample: Sample) -> None:
    alone = Sample(sample.truth, np.zeros_like(sample.products), sample.digests)
    found = photo_robustness(
        alone,
        ["a"] * len(alone),
        [photo(100)] * len(alone),
        lambda said, shown: np.eye(3)[[0] * len(said)],
        np.random.default_rng(0),
    )
    assert set(found) == set(PHOTO_CHANGES)
