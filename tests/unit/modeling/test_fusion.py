"""Two towers, one answer: calibrated, and no louder than what each knows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from kindling.modeling.calibration import fit_temperature
from kindling.modeling.compact.fusion import MIN_FUSION_ROWS, Fusion, fit_fusion

PRIOR = np.array([0.2, 0.2, 0.6])


def towers(
    n: int, text_skill: float, image_skill: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels and the logits of two towers that know them by `skill` (0: noise)."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, size=n, p=PRIOR)
    truth = np.eye(3)[labels]
    return (
        labels,
        text_skill * truth + rng.normal(size=(n, 3)),
        image_skill * truth + rng.normal(size=(n, 3)),
    )


def fitted(n: int, text_skill: float, image_skill: float) -> Fusion:
    labels, text, image = towers(n, text_skill, image_skill)
    return fit_fusion(text, labels, np.arange(n), image, PRIOR)


def loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return float(-np.log(probabilities[np.arange(len(labels)), labels]).mean())


@given(st.integers(1, 40), st.integers(0, 10))
def test_every_modality_gives_distributions(n: int, seed: int) -> None:
    _, text, image = towers(n, 1.0, 1.0, seed)
    fusion = Fusion(1.3, 0.7, 0.9, 0.4, (0.1, -0.2, 0.1), "logistic", 99)
    for one in ((text, image), (text, None), (None, image)):
        probabilities = fusion.probabilities(*one)
        assert probabilities.shape == (n, 3)
        assert np.allclose(probabilities.sum(1), 1) and (probabilities >= 0).all()


def test_a_single_tower_keeps_its_ranking() -> None:
    _, text, _ = towers(50, 2.0, 0.0)
    fusion = fitted(200, 2.0, 1.0)
    assert (fusion.probabilities(text, None).argmax(1) == text.argmax(1)).all()


def test_temperature_undoes_scaling() -> None:
    labels, logits, _ = towers(3000, 2.0, 0.0)
    assert fit_temperature(4 * logits, labels) / fit_temperature(
        logits, labels
    ) == pytest.approx(4, rel=0.02)


def test_two_informed_towers_beat_either_on_new_rows() -> None:
    fusion = fitted(1000, 1.5, 1.5)
    labels, text, image = towers(2000, 1.5, 1.5, seed=7)
    both = loss(fusion.probabilities(text, image), labels)
    assert both < loss(fusion.probabilities(text, None), labels) - 0.05
    assert both < loss(fusion.probabilities(None, image), labels) - 0.05


def test_a_tower_of_noise_is_not_listened_to() -> None:
    blind, seeing = fitted(1000, 1.5, 0.0), fitted(1000, 1.5, 1.5)
    assert blind.image_weight < 0.2 * seeing.image_weight


def test_few_rows_never_make_a_tower_count_for_more_than_it_says() -> None:
    weights = []
    for seed in range(8):
        labels, text, image = towers(80, 1.5, 1.5, seed)
        fusion = fit_fusion(text, labels, np.arange(80), image, PRIOR)
        weights += [fusion.text_weight, fusion.image_weight]
    assert 0 < min(weights) and max(weights) == 1.0


@pytest.mark.parametrize(
    ("rows", "method"),
    [(MIN_FUSION_ROWS - 1, "naive-bayes"), (MIN_FUSION_ROWS, "logistic")],
)
def test_few_photo_rows_fall_back_to_naive_bayes_and_say_so(
    rows: int, method: str
) -> None:
    fusion = fitted(rows, 1.5, 1.5)
    assert (fusion.method, fusion.fitted_on) == (method, rows)


def test_naive_bayes_is_the_product_of_both_over_the_prior() -> None:
    labels, text, image = towers(30, 1.0, 1.0)
    fusion = fit_fusion(text, labels, np.arange(30), image, PRIOR)
    product = (
        softmax(text / fusion.text_temperature, 1)
        * softmax(image / fusion.image_temperature, 1)
        / PRIOR
    )
    assert np.allclose(
        fusion.probabilities(text, image), product / product.sum(1, keepdims=True)
    )


def test_without_an_image_tower_the_fusion_is_text_only() -> None:
    labels, text, _ = towers(30, 1.0, 1.0)
    fusion = fit_fusion(text, labels, np.arange(0), None, PRIOR)
    assert (fusion.method, fusion.image_weight, fusion.fitted_on) == (
        "text-only",
        0.0,
        0,
    )


def test_dict_round_trip() -> None:
    fusion = fitted(100, 1.0, 1.0)
    assert Fusion.from_dict(fusion.to_dict()) == fusion


def test_nothing_seen_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="neither"):
        fitted(100, 1.0, 1.0).probabilities(None, None)
