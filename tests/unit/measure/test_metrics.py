"""The figures agree with scikit-learn, stay in their bounds, and do not depend on the order of rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
)

from kindling.measure.metrics import (
    ACCURACY,
    BRIER,
    LOG_LOSS,
    POLARITY,
    THREE_WAY,
    calibration_edges,
    calibration_error,
    class_metrics,
    confusion,
    reliability,
)

METRICS = (THREE_WAY, POLARITY, ACCURACY, LOG_LOSS, BRIER)


@st.composite
def answered(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Truth [n] and probabilities [n, 3], at least one row of them polar."""
    n = draw(st.integers(2, 60))
    truth = draw(arrays(np.int64, n, elements=st.integers(0, 2)))
    truth[0] = 2
    weights = draw(arrays(np.float64, (n, 3), elements=st.floats(0.01, 1)))
    return truth, weights / weights.sum(1, keepdims=True)


@given(answered())
def test_three_way_is_scikit_learns(data: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = data
    answer = probabilities.argmax(1)
    assert THREE_WAY(truth, probabilities) == pytest.approx(
        f1_score(truth, answer, average="macro")
    )
    assert ACCURACY(truth, probabilities) == pytest.approx(
        accuracy_score(truth, answer)
    )
    assert LOG_LOSS(truth, probabilities) == pytest.approx(
        log_loss(truth, probabilities, labels=[0, 1, 2])
    )


@given(answered())
def test_polarity_is_two_class_f1_without_neutral_rows(
    data: tuple[np.ndarray, np.ndarray],
) -> None:
    truth, probabilities = data
    polar = truth != 1
    renormalised = probabilities[polar, 0] / (
        probabilities[polar, 0] + probabilities[polar, 2]
    )
    expected = f1_score(truth[polar] == 0, renormalised > 0.5, average="macro")
    assert POLARITY(truth, probabilities) == pytest.approx(expected)


@given(answered())
def test_per_class_figures_are_scikit_learns(
    data: tuple[np.ndarray, np.ndarray],
) -> None:
    truth, probabilities = data
    expected = precision_recall_fscore_support(
        truth, probabilities.argmax(1), labels=[0, 1, 2], zero_division=np.nan
    )[:3]
    for at, label in enumerate(("negative", "neutral", "positive")):
        found = [metric(truth, probabilities) for metric in class_metrics(label, at)]
        assert found == pytest.approx([part[at] for part in expected], nan_ok=True)


@given(answered(), st.integers(0, 100))
def test_figures_are_bounded_and_free_of_order(
    data: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    truth, probabilities = data
    order = np.random.default_rng(seed).permutation(len(truth))
    for metric in (*METRICS, calibration_error(calibration_edges(probabilities))):
        value = metric(truth, probabilities)
        assert 0 <= value <= {"brier": 2.0, "log_loss": 30.0}.get(metric.name, 1.0)
        assert metric(truth[order], probabilities[order]) == pytest.approx(value)


@given(answered())
def test_no_answer_beats_the_truth(data: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = data
    perfect = np.eye(3)[truth]
    for metric in (THREE_WAY, POLARITY, ACCURACY):
        assert metric(truth, perfect) == 1 >= metric(truth, probabilities)
    assert (
        LOG_LOSS(truth, perfect)
        == BRIER(truth, perfect)
        == 0
        <= BRIER(truth, probabilities)
    )


def test_confusion_rows_are_the_truth() -> None:
    truth = np.array([0, 0, 1])
    assert confusion(truth, np.eye(3)[[0, 2, 2]]).tolist() == [
        [1, 0, 1],
        [0, 0, 1],
        [0, 0, 0],
    ]


def test_calibration_error_sees_overconfidence() -> None:
    rng = np.random.default_rng(0)
    claimed = rng.uniform(0.4, 0.95, 20_000)
    probabilities = np.column_stack([claimed, (1 - claimed) / 2, (1 - claimed) / 2])
    honest = np.where(rng.random(20_000) < claimed, 0, 1)
    sure = np.where(rng.random(20_000) < claimed - 0.2, 0, 1)
    metric = calibration_error(calibration_edges(probabilities))
    assert metric(honest, probabilities) < 0.02
    assert metric(sure, probabilities) == pytest.approx(0.2, abs=0.02)


def test_reliability_bins_hold_all_rows_equally() -> None:
    probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], 1500)
    bins = reliability(np.zeros(1500, dtype=int), probabilities)
    assert sum(one.n for one in bins) == 1500 and {one.n for one in bins} == {100}
    assert [one.confidence for one in bins] == sorted(one.confidence for one in bins)


def test_reliability_of_equal_confidences_is_one_bin() -> None:
    assert len(reliability(np.array([0, 1]), np.array([[0.5, 0.3, 0.2]] * 2))) == 1


def test_calibration_error_is_free_of_what_chance_adds() -> None:
    """Labels drawn from the answers themselves: the plain error says .03 of 900 rows, this 0."""
    rng = np.random.default_rng(0)
    squares, plain = [], []
    for _ in range(60):
        said = rng.dirichlet([1, 1, 2], 900)
        truth = (rng.random((900, 1)) > said.cumsum(1)).sum(1).clip(0, 2)
        edges = calibration_edges(said)
        metric = calibration_error(edges)
        squares.append(float(metric.value(metric.statistics(truth, said).sum(0))))
        bins = reliability(truth, said)
        plain.append(sum(one.n * abs(one.confidence - one.accuracy) for one in bins))
    assert np.mean(plain) / 900 > 0.02
    assert abs(np.mean(squares)) < 3 * np.std(squares) / 60**0.5 < 0.001


def test_the_metrics_that_a_page_shows_have_titles() -> None:
    for metric in METRICS:
        assert metric.title and metric.hint and metric.title != metric.name
