"""Controls catch what they are for: a model that ignores the photo, a constant, a slow answer."""

from itertools import count

import numpy as np
import pytest
from scipy.special import softmax

from kindling.evaluation.controls import (
    conflict,
    constant,
    latency,
    photo_control,
    random_guess,
)
from kindling.measure.metrics import THREE_WAY
from kindling.measure.sample import Sample


def fuse(weight: float):
    """Late fusion that gives the photo `weight`."""

    def fused(text: np.ndarray | None, image: np.ndarray | None) -> np.ndarray:
        parts = [
            part
            for part in (
                text,
                None if image is None else (image if text is None else weight * image),
            )
            if part is not None
        ]
        return softmax(sum(parts), axis=1)

    return fused


def ask(text: np.ndarray, image: np.ndarray, weight: float):
    """A model that puts the texts of some rows and the photos of others together."""

    def asked(texts: np.ndarray | None, photos: np.ndarray | None) -> np.ndarray:
        return fuse(weight)(
            None if texts is None else text[texts],
            None if photos is None else image[photos],
        )

    return asked


def logits(truth: np.ndarray, skill: float, seed: int) -> np.ndarray:
    return (
        np.random.default_rng(seed).normal(size=(len(truth), 3))
        + skill * np.eye(3)[truth]
    )


def control(sample: Sample, weight: float, image_skill: float = 2.0):
    text, image = logits(sample.truth, 1.0, 1), logits(sample.truth, image_skill, 2)
    return photo_control(
        sample,
        np.arange(len(sample)),
        ask(text, image, weight),
        np.random.default_rng(5),
    )


def test_a_model_that_reads_the_photo_loses_by_shuffling(sample: Sample) -> None:
    found = control(sample, weight=1.0)
    assert (
        found.log_loss_gain.low > 0 and found.gain.low > 0 and found.over_text.low > 0
    )
    assert found.photo_only_gain.low > 0
    assert found.text_and_photo.value > found.text_only.value


def test_a_blind_model_loses_nothing(sample: Sample) -> None:
    found = control(sample, weight=0.0)
    for gain in (found.log_loss_gain, found.gain, found.over_text):
        assert (gain.value, gain.low, gain.high) == pytest.approx((0, 0, 0), abs=1e-12)


def test_photos_of_noise_are_not_shown_to_help(sample: Sample) -> None:
    found = control(sample, weight=1.0, image_skill=0.0)
    assert found.log_loss_gain.low <= 0 and found.gain.low <= 0


def test_conflict_moves_a_seeing_model_only(sample: Sample) -> None:
    text, image = logits(sample.truth, 3.0, 1), logits(sample.truth, 3.0, 2)
    rows = np.arange(len(sample))
    seeing, blind = (
        conflict(sample.truth, rows, ask(text, image, weight), np.random.default_rng(0))
        for weight in (1.0, 0.0)
    )
    assert seeing.n == 2 * min((sample.truth == 0).sum(), (sample.truth == 2).sum())
    assert seeing.follows_text_conflicting < 0.75 < seeing.follows_text_matched
    assert seeing.confidence_conflicting < seeing.confidence_matched
    assert blind.follows_text_conflicting == blind.follows_text_matched


def test_conflict_needs_both_poles(sample: Sample) -> None:
    positive = sample.where(sample.truth == 2)
    some, rows = logits(positive.truth, 1.0, 1), np.arange(len(positive))
    found = conflict(
        positive.truth, rows, ask(some, some, 1.0), np.random.default_rng(0)
    )
    assert found is None


def test_constant_and_random_are_worth_little(sample: Sample) -> None:
    always = constant(sample.truth)
    assert np.unique(always.argmax(1)).tolist() == [np.bincount(sample.truth).argmax()]
    assert THREE_WAY(sample.truth, always) < 0.34
    assert THREE_WAY(
        sample.truth, random_guess(sample.truth, np.random.default_rng(9))
    ) == pytest.approx(1 / 3, abs=0.07)


def test_latency_is_per_request_without_the_first() -> None:
    ticks = count()
    asked: list[str] = []
    found = latency(asked.append, ["a", "b", "c"], lambda: next(ticks) / 1000)
    assert asked == ["a", "a", "b", "c"]
    assert (found.n, found.p50, found.p95) == pytest.approx((3, 1.0, 1.0))
