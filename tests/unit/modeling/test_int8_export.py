"""The exported graphs answer like the model that they were made from, or are not used."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper
from PIL import Image

from kindling.errors import ConfigurationError, DataError
from kindling.modeling import folder as files
from kindling.modeling import onnx_quantise, onnx_session, onnx_text
from kindling.modeling.compact import int8_export, int8_model
from kindling.modeling.compact.model import CompactModel
from kindling.modeling.embedder import Embedder

INCLUDE = Path(__file__).resolve().parents[3] / "include"
TEXTS = (
    "The seam ripped after one wash and the colour faded.",
    "Soft fabric, true to size, and it arrived early.",
    "I ordered a size up and it is still tight.",
    "Fine.",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[CompactModel, Path]:
    """A model with the published encoder, whose head tells its texts apart; exported."""
    sys.path.insert(0, str(INCLUDE.parent / "tests" / "contract" / "serving"))
    import tiny_server

    folder = tmp_path_factory.mktemp("int8")
    tiny_server.full_model(folder, 1)
    return CompactModel.load(folder), folder


@pytest.fixture(scope="module")
def photo() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((200, 150), 60).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


def test_graphs_answer_a_text_a_photo_and_both_as_torch_does(
    model: tuple[CompactModel, Path], photo: bytes
) -> None:
    torch_model, folder = model
    graphs = int8_model.Int8Model.load(folder, 1)
    texts = [*TEXTS, None, TEXTS[0]]
    photos = [None] * len(TEXTS) + [photo, photo]
    theirs, ours = torch_model.predict(texts, photos), graphs.predict(texts, photos)
    assert ours.modality == theirs.modality
    assert np.abs(ours.probabilities - theirs.probabilities).max() < 0.03
    assert graphs.calibrated == torch_model.calibrated


def test_graphs_read_the_words_beside_the_text(
    model: tuple[CompactModel, Path],
) -> None:
    folder = model[1]
    graphs = int8_model.Int8Model.load(folder, 1)
    config = files.read_json(folder / files.CONFIG) | {"tower_temperature": None}
    alone = int8_model.Int8Model.from_graphs(folder, config, 1)
    some = ["The seam ripped and the colour faded.", "Soft, true to size."]
    gained = graphs.predict(some, [None] * 2).probabilities
    gained -= alone.predict(some, [None] * 2).probabilities
    assert gained[0, 0] > 0.02 and gained[1, 2] > 0.02


def test_a_text_is_answered_alike_whatever_stands_beside_it(
    model: tuple[CompactModel, Path],
) -> None:
    graphs = int8_model.Int8Model.load(model[1], 1)
    together = graphs.predict(TEXTS, [None] * 4).probabilities
    alone = [graphs.predict([one], [None]).probabilities[0] for one in TEXTS]
    assert np.abs(together - np.array(alone)).max() < 0.02


def test_queries_lie_where_the_index_was_built(
    model: tuple[CompactModel, Path],
) -> None:
    encoder = int8_model.load_encoder(model[1], 1)
    published = Embedder()
    assert encoder.model_id == published.model_id
    cosines = (encoder.encode(TEXTS) * published.encode(TEXTS)).sum(1)
    assert cosines.mean() > 0.98
    # A single word lies a little farther off than a sentence does.
    assert cosines.min() > 0.95


def test_graphs_that_answer_otherwise_are_refused_and_not_kept(
    model: tuple[CompactModel, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model[1], folder)
    monkeypatch.setattr(int8_export, "LOSS", -1.0)
    monkeypatch.setattr(int8_export, "AGREEMENT", 0.0)
    rows = [(text, None, 0) for text in TEXTS]
    export = int8_export.export(model[0], Embedder(), folder, rows)
    assert export.refused is not None and "log-loss" in export.refused
    assert int8_model.export_of(folder) == export
    assert not (folder / "int8" / "text.onnx").exists()
    CompactModel.load(folder)


@pytest.mark.parametrize(
    ("figure", "value", "said"),
    [
        ("rows", 0, "no validation row"),
        ("agreement", 0.9, "labels agree"),
        ("log_loss_added", 0.1, "log-loss rises"),
        ("search_cosine", 0.5, "search vectors"),
    ],
)
def test_each_figure_of_the_comparison_can_refuse(
    figure: str, value: float, said: str
) -> None:
    good = {"rows": 9, "agreement": 1.0, "log_loss_added": 0.0, "search_cosine": 1.0}
    assert int8_export.refusal(good) is None
    assert said in str(int8_export.refusal(good | {figure: value}))


def test_a_changed_graph_is_not_loaded(
    model: tuple[CompactModel, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model[1], folder)
    path = folder / "int8" / "text.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"text\.onnx: changed since training"):
        int8_model.Int8Model.load(folder, 1)


def test_a_file_that_is_no_graph_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(DataError, match=r"text\.onnx is no graph"):
        onnx_session.opened(path, 1)


def test_serving_by_graphs_imports_nothing_that_trains(
    model: tuple[CompactModel, Path],
) -> None:
    program = (
        "import sys, json; from pathlib import Path\n"
        "from kindling.serving.engine import Engines\n"
        "from kindling.serving.champion import Champion\n"
        "engine = Engines(None, 1).open(Path(sys.argv[1]))\n"
        "engine.model.predict(['soft'], [None]); engine.encoder.encode(['soft'])\n"
        "print(json.dumps([engine.name, sorted({'torch', 'transformers', 'sklearn'} & set(sys.modules))]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(model[1])],
        cwd=INCLUDE,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == ["onnx-int8", []]


def test_a_model_without_an_export_runs_on_torch_and_says_why(
    model: tuple[CompactModel, Path], tmp_path: Path
) -> None:
    from kindling.serving.engine import Engines

    folder = tmp_path / "model"
    shutil.copytree(model[1], folder)
    shutil.rmtree(folder / "int8")
    files.seal(folder)
    engine = Engines(None, 1).open(folder)
    assert (engine.name, engine.reason) == (
        "torch",
        "the model was registered without an export",
    )


def test_an_image_without_torch_says_why_the_champion_wants_it(
    model: tuple[CompactModel, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kindling.serving.engine import Engines

    folder = tmp_path / "model"
    shutil.copytree(model[1], folder)
    shutil.rmtree(folder / "int8")
    files.seal(folder)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConfigurationError, match=r"without an export.*TORCH=cpu"):
        Engines(None, 1).open(folder)


def test_smoothing_changes_what_is_rounded_and_not_what_is_said() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(6, 4)).astype(np.float32)
    inputs = rng.normal(size=(5, 6)).astype(np.float32)
    inputs[:, 2] *= 50
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        "one",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 6])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 4])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx_quantise.smooth(model, {"x": np.abs(inputs).max(0)})
    held = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    divided = inputs * held["product_smooth"]
    assert np.abs(divided).max(0).max() < np.abs(inputs).max() / 5
    session = onnxruntime.InferenceSession(model.SerializeToString())
    np.testing.assert_allclose(
        session.run(None, {"x": inputs})[0], inputs @ weights, rtol=1e-3, atol=1e-3
    )


def test_a_norm_over_a_sum_says_the_same_in_parts_and_stays_in_parts(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    held = {name: rng.normal(size=8).astype(np.float32) for name in ("g", "b", "bias")}
    shape = [None, None, 8]
    graph = helper.make_graph(
        [
            helper.make_node(
                "SkipLayerNormalization",
                ["x", "skip", *names],
                [output],
                name=output,
                domain="com.microsoft",
                epsilon=1e-5,
            )
            for output, names in (("with", ("g", "b", "bias")), ("without", ("g", "b")))
        ],
        "norms",
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
            for name in ("x", "skip")
        ],
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
            for name in ("with", "without")
        ],
        [numpy_helper.from_array(values, name) for name, values in held.items()],
    )
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=domains)
    model.ir_version = 8
    given = {
        name: rng.normal(size=(2, 3, 8)).astype(np.float32) for name in ("x", "skip")
    }
    before = onnxruntime.InferenceSession(model.SerializeToString()).run(None, given)
    onnx_quantise.unfuse_skips(model)
    after = onnx_session.opened(model.SerializeToString(), 1).run(None, given)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert {one.op_type for one in model.graph.node} == {"Add", "LayerNormalization"}


def test_no_slow_norm_is_in_a_graph_or_is_made_when_it_is_opened(
    model: tuple[CompactModel, Path], tmp_path: Path
) -> None:
    path = model[1] / "int8" / "text.onnx"
    optimised = tmp_path / "optimised.onnx"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(optimised)
    onnxruntime.InferenceSession(
        str(path), options, disabled_optimizers=list(onnx_session.SLOWER)
    )
    for one in (path, optimised):
        kinds = [node.op_type for node in onnx.load(str(one)).graph.node]
        assert "SkipLayerNormalization" not in kinds
        assert kinds.count("LayerNormalization") == 12


def test_logits_that_are_off_alike_are_centred_and_few_texts_change_nothing(
    model: tuple[CompactModel, Path], tmp_path: Path
) -> None:
    torch_model, folder = model
    path = tmp_path / "text.onnx"
    shutil.copy(folder / "int8" / "text.onnx", path)
    texts = [f"{one} Number {number}." for number in range(10) for one in TEXTS]

    def off() -> np.ndarray:
        graph = onnx_text.TextGraph(path, torch_model.text.tokenizer, 1)
        found = (graph(texts) - torch_model.text.logits(texts)).mean(axis=0)
        return found - found.mean()

    before = off()
    onnx_quantise.shift_output(path, np.array([0.5, -0.25, 0.0], dtype=np.float32))
    moved = off() - before
    assert moved[0] - moved[1] == pytest.approx(0.75, abs=1e-3)
    int8_export.centre(torch_model, tmp_path, texts[:29])
    assert np.abs(off() - before - moved).max() < 1e-6
    int8_export.centre(torch_model, tmp_path, texts)
    assert np.abs(off()).max() < 1e-3


def test_what_rounding_harms_most_is_not_rounded(
    model: tuple[CompactModel, Path],
) -> None:
    for name, kept in (("text.onnx", int8_export.IN_FLOAT), ("search.onnx", 0)):
        graph = onnx.load(str(model[1] / "int8" / name)).graph
        in_float = [node.name for node in graph.node if node.op_type == "MatMul"]
        assert len(in_float) == kept
        for layer, one in enumerate(in_float):
            assert f"layer.{layer}/output/dense" in one and "attention" not in one


def test_batches_hold_every_row_once_and_little_padding() -> None:
    lengths = [5, 90, 5, 128, 7, 30, 31, 32, 2]
    made = list(onnx_session.batches(lengths))
    assert sorted(at for batch in made for at in batch) == list(range(len(lengths)))
    for batch in made:
        padded = max(lengths[at] for at in batch) * len(batch)
        assert len(batch) == 1 or padded <= onnx_session.BATCH_TOKENS
