"""The TF-IDF baseline learns and is saved as plain numbers."""

import numpy as np
import pytest

from kindling.modeling.tfidf.model import TfidfModel

TEXTS = [
    "it tore at once",
    "tore and faded",
    "it is fine",
    "fine for the price",
    "soft and lovely",
    "lovely cut, soft",
] * 3
LABELS = np.array([0, 0, 1, 1, 2, 2] * 3)


@pytest.fixture(scope="module")
def baseline() -> TfidfModel:
    return TfidfModel.fit(TEXTS, LABELS, np.ones(len(TEXTS), dtype=np.float32))


def test_it_learns(baseline: TfidfModel) -> None:
    assert baseline.probabilities(["it tore", "fine price", "so soft"]).argmax(
        1
    ).tolist() == [0, 1, 2]


def test_a_saved_baseline_answers_the_same(baseline: TfidfModel, tmp_path) -> None:
    baseline.save(tmp_path)
    texts = [*TEXTS, "", "words never seen"]
    assert np.array_equal(
        TfidfModel.load(tmp_path).probabilities(texts), baseline.probabilities(texts)
    )
    suffixes = {path.suffix for path in tmp_path.iterdir()}
    assert suffixes == {".json", ".safetensors"}, "nothing that can run"


def test_row_weights_count() -> None:
    contradicted = np.where(np.arange(len(TEXTS)) % 6 < 2, 2, LABELS)
    weights = np.where(contradicted == LABELS, 1.0, 0.001)
    both = TfidfModel.fit(
        [*TEXTS, *TEXTS],
        np.concatenate([LABELS, contradicted]),
        np.concatenate([np.ones(18), weights]),
    )
    assert both.probabilities(["it tore"]).argmax() == 0
