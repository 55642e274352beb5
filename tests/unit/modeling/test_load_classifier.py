"""One loader for every kind of model folder."""

import json
from pathlib import Path

import numpy as np
import pytest

from kindling.errors import ConfigurationError, DataError
from kindling.extensions import load_classifier, names
from kindling.modeling.tfidf.model import TfidfModel

TEXTS = ["it tore", "it is fine", "soft and lovely"] * 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    labels = np.array([0, 1, 2] * 4)
    TfidfModel.fit(TEXTS, labels, np.ones(12)).save(tmp_path)
    return tmp_path


def test_the_kind_in_the_folder_decides(folder: Path) -> None:
    model = load_classifier(folder)
    assert model.kind == "tfidf" and not model.reads_photos
    found = model.predict(["it tore", "lovely"], [None, b"not looked at"])
    assert found.sentiments == ["negative", "positive"]
    assert found.modality == ("text", "text")


def test_ours_are_known_by_name() -> None:
    assert set(names("classifier")) >= {"compact", "tfidf"}


def test_a_folder_of_an_unknown_kind_names_those_that_are_known(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"kind": "oracle"}))
    with pytest.raises(ConfigurationError, match="'oracle'; known: compact, tfidf"):
        load_classifier(folder)


def test_a_folder_from_before_kinds_is_read_as_compact(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"format": 3}))
    with pytest.raises(DataError, match="changed since training"):
        load_classifier(folder)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(DataError, match="too few files to be a model, .*fusion.json"):
        load_classifier(folder)


@pytest.mark.parametrize("content", [None, "{half"])
def test_what_is_no_model_folder_is_named(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(DataError, match=f"{tmp_path} is no model folder"):
        load_classifier(tmp_path)


def test_a_row_without_text_is_named(folder: Path) -> None:
    with pytest.raises(DataError, match="row 1 has no text"):
        load_classifier(folder).predict(["fine", None], [None, b"photo"])
