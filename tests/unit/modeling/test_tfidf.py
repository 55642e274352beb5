"""The TF-IDF baseline learns and is saved as plain numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.measure.plain_model import plain_model
from kindling.modeling.tfidf.model import TfidfModel
from kindling.modeling.word_grams import WordGrams

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


SAID = [
    *TEXTS,
    "Café, très jolie robe",
    "cafe tres jolie",
    "ＦＵＬＬ width 100 %",
    "full width 100",
]
PLAIN = plain_model(seed=0, balanced=True).fit(SAID, np.arange(len(SAID)) % 3)
words = st.sampled_from(
    [
        "it",
        "tore",
        "fine",
        "Café",
        "CAFE",
        "tre\u0300s",
        "ＦＵＬＬ",
        "ı",
        "İ",
        "ß",
        "a",
        "x2",
        "_",
        "'s",
        "\n",
    ]
)


@given(st.one_of(st.lists(words, max_size=12).map(" ".join), st.text(max_size=40)))
def test_words_are_counted_as_scikit_learn_counts_them(text: str) -> None:
    features, regression = PLAIN["tfidf"], PLAIN["classifier"]
    grams = WordGrams(
        features.vocabulary_, features.idf_, regression.coef_, regression.intercept_
    )
    theirs = regression.decision_function(features.transform([text]))
    assert grams.logits([text]) == pytest.approx(theirs, abs=1e-9)
