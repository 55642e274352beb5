"""The compact model learns, goes on after a kill, and comes back from its folder as it was."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kindling.errors import DataError
from kindling.extensions import load_classifier
from kindling.modeling import fitting
from kindling.modeling.compact import Options, trainer
from kindling.modeling.compact.model import CompactModel
from kindling.modeling.compact.rows import Reviews, Shots, as_reviews, as_shots
from kindling.modeling.compact.trainer import Fit, fit_model
from kindling.modeling.folder import seal
from kindling.records import SENTIMENTS
from kindling.stores.memory import MemoryObjects

Rows = tuple[Reviews, Shots, Reviews]

SETTINGS = Options(
    epochs=6,
    batch_size=16,
    max_tokens=32,
    learning_rate=3e-3,
    head_learning_rate=3e-3,
    image_epochs=5,
    image_size=32,
)


@pytest.fixture(scope="module")
def photos() -> dict[str, bytes]:
    return {}


@pytest.fixture(scope="module")
def rows(drawn, studies, photos: dict[str, bytes]) -> Rows:
    make, _ = drawn
    train, shown = make(240, "train", 1, photos), studies(60, 4, photos)
    validation = make(150, "validation", 2, photos)
    read = photos.__getitem__
    return (
        as_reviews(train, read, 32),
        as_shots(shown, train, read, 32),
        as_reviews(validation, read, 32),
    )


@pytest.fixture(scope="module")
def trained(rows: Rows, tools) -> Fit:
    return fit_model(*rows, SETTINGS, tools(seed=11))


def weights(model: CompactModel) -> dict[str, torch.Tensor]:
    return {
        **model.text.tower.state_dict(),
        **{f"image.{k}": v for k, v in model.image.tower.state_dict().items()},
    }


def test_losses_of_a_seeded_run_are_known(trained: Fit) -> None:
    """A change of the training code that moves these is a change of the model; bfloat16 is the tolerance."""
    found = (
        trained.text.first_loss,
        trained.text.last_loss,
        trained.image.first_loss,
        trained.image.last_loss,
    )
    assert found == pytest.approx((1.070, 0.526, 4.801, 0.639), rel=0.05)


def test_both_towers_count(trained: Fit, drawn) -> None:
    photos: dict[str, bytes] = {}
    fresh = drawn[0](240, "golden", 3, photos, photo_share=1.0)
    truth = np.array([SENTIMENTS.index(one.sentiment) for one in fresh])
    texts, images = (
        [one.text for one in fresh],
        [photos[one.photo_uri] for one in fresh],
    )
    nothing = [None] * len(fresh)

    def loss(texts: list, images: list, modality: str) -> float:
        found = trained.model.predict(texts, images)
        assert set(found.modality) == {modality} and np.allclose(
            found.probabilities.sum(1), 1
        )
        return float(-np.log(found.probabilities[np.arange(len(truth)), truth]).mean())

    text, image, both = (
        loss(texts, nothing, "text"),
        loss(nothing, images, "image"),
        loss(texts, images, "text+image"),
    )
    assert both < text - 0.03 and both < image < np.log(3) - 0.05


def test_it_overfits_32_rows(drawn, tiny: Options, tools) -> None:
    photos: dict[str, bytes] = {}
    made = drawn[0](32, "train", 5, photos, photo_share=0.0)
    few = as_reviews(made, photos.__getitem__, 32)
    none = as_shots([], made, photos.__getitem__, 32)
    longer = tiny.model_copy(update={"epochs": 60})
    found = fit_model(few, none, few, longer, tools(seed=1))
    assert (found.model.text.logits(few.texts).argmax(1) == few.labels).all()
    assert found.image is None and found.model.fusion.method == "text-only"


@pytest.mark.parametrize("dies_at", ["text step 7", "image step 40"])
def test_a_killed_run_goes_on_to_the_same_weights(
    rows: Rows,
    trained: Fit,
    tools,
    dies_at: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tower, _, step = dies_at.split()
    objects = MemoryObjects()
    monkeypatch.setattr(trainer, "CHECKPOINT_STEPS", 5)
    real, done = fitting._step, {"text": 0, "image": 0}

    def dying(module, optimizer, loss, where: str) -> float:
        kind = where.split()[0]
        done[kind] += 1
        if kind == tower and done[kind] == int(step):
            raise KeyboardInterrupt  # As a kill would: between two checkpoints.
        return real(module, optimizer, loss, where)

    monkeypatch.setattr(fitting, "_step", dying)
    with pytest.raises(KeyboardInterrupt):
        fit_model(*rows, SETTINGS, tools(11, objects))
    monkeypatch.setattr(fitting, "_step", real)
    again = fit_model(*rows, SETTINGS, tools(11, objects))
    assert (again.text if tower == "text" else again.image).resumed_at == {
        "text": 5,
        "image": 35,
    }[tower]
    for name, tensor in weights(trained.model).items():
        assert torch.equal(tensor, weights(again.model)[name]), name
    assert again.model.fusion == trained.model.fusion


def test_the_image_tower_learns_stains(drawn, tiny: Options, tools) -> None:
    _, draw = drawn
    rng = np.random.default_rng(0)
    conditions = ["stained" if row % 2 else "intact" for row in range(300)]
    photos = {
        f"memory://{row:03d}": draw(condition, rng)
        for row, condition in enumerate(conditions)
    }
    examples = [
        replace(
            one,
            photo_uri=f"memory://{row:03d}",
            condition=conditions[row],
            sentiment=(
                "negative"
                if conditions[row] == "stained"
                else ("neutral", "positive")[row % 4 // 2]
            ),
        )
        for row, one in enumerate(drawn[0](300, "train", 1, {}))
    ]
    read = photos.__getitem__
    unseen = as_reviews(examples[200:], read, 32)
    found = fit_model(
        as_reviews(examples[:200], read, 32),
        as_shots([], examples[:200], read, 32),
        unseen,
        tiny.model_copy(update={"epochs": 1, "image_epochs": 4}),
        tools(seed=2),
    )
    said = found.model.image.logits_of(unseen.pictures)[0][unseen.picture_of].argmax(1)
    assert ((said == 0) == (unseen.labels == 0)).mean() > 0.9


def test_a_model_that_remembers_answers_the_same_and_reads_everything_once(
    trained: Fit, drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [drawn[1]("torn", np.random.default_rng(seed)) for seed in range(4)]
    texts = ["lovely vase", "awful lamp", "okay", "lovely vase"]
    read: list[int] = []
    real = type(trained.model.image).logits
    monkeypatch.setattr(
        type(trained.model.image),
        "logits",
        lambda self, some: (read.append(len(some)), real(self, some))[1],
    )
    one = trained.model
    model = CompactModel(
        one.text, one.image, one.fusion, one.base_model, one.max_tokens
    )
    asked = model.remembering()
    for dealt in (photos, photos[::-1], [None] * 4, photos[1:] + photos[:1]):
        found = asked.predict(texts, dealt)
        again = model.predict(texts, dealt)
        assert found.probabilities == pytest.approx(again.probabilities, abs=0.01)
        assert found.modality == again.modality
    assert read[0] == 4 and sum(read) == 4 + 3 * 4, "once remembering, thrice not"


def test_words_of_the_category_stand_beside_the_tower(trained: Fit, drawn) -> None:
    one = trained.model
    alone = CompactModel(one.text, one.image, one.fusion, "tiny", 32)
    photos: dict[str, bytes] = {}
    fresh = drawn[0](240, "golden", 3, photos, photo_share=0.0)
    truth = np.array([SENTIMENTS.index(row.sentiment) for row in fresh])
    texts, nothing = [row.text for row in fresh], [None] * len(fresh)

    def right(model: CompactModel) -> float:
        found = model.predict(texts, nothing).probabilities
        return float((found.argmax(1) == truth).mean())

    assert right(one) >= right(alone) - 0.02
    assert one.parameters > alone.parameters


def test_a_saved_model_answers_the_same(trained: Fit, tmp_path: Path, drawn) -> None:
    photo = drawn[1]("torn", np.random.default_rng(0))
    request = (
        ["the vase is lovely", None, "awful lamp", ""],
        [None, photo, photo, photo],
    )
    trained.model.save(tmp_path)
    loaded = CompactModel.load(tmp_path)
    assert np.array_equal(
        loaded.predict(*request).probabilities,
        trained.model.predict(*request).probabilities,
    )
    assert loaded.predict(*request).modality == (
        "text",
        "image",
        "text+image",
        "text+image",
    )
    assert (
        loaded.base_model == trained.model.base_model
        and loaded.parameters == trained.model.parameters
    )
    assert not [
        path
        for path in tmp_path.rglob("*")
        if path.suffix not in {".json", ".safetensors", ""}
    ]


def test_saving_twice_gives_the_same_bytes(trained: Fit, tmp_path: Path) -> None:
    for name in ("one", "other"):
        trained.model.save(tmp_path / name)
    assert (tmp_path / "one/manifest.json").read_bytes() == (
        tmp_path / "other/manifest.json"
    ).read_bytes()


@pytest.fixture
def saved(trained: Fit, tmp_path: Path) -> Path:
    trained.model.save(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "text/model.safetensors",
        "image/model.safetensors",
        "fusion.json",
        "config.json",
        "text/tokenizer.json",
        "words/weights.safetensors",
    ],
)
def test_a_changed_file_is_refused(saved: Path, name: str) -> None:
    content = bytearray((saved / name).read_bytes())
    content[len(content) // 2] ^= 1
    (saved / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}.*changed since training"):
        CompactModel.load(saved)


def test_a_missing_file_and_a_missing_manifest_are_refused(saved: Path) -> None:
    (saved / "fusion.json").unlink()
    with pytest.raises(DataError, match=r"fusion\.json.*missing"):
        CompactModel.load(saved)
    (
        saved / "manifest.json"
    ).unlink()  # What a kill while saving leaves: the manifest comes last.
    with pytest.raises(DataError, match="no model folder"):
        CompactModel.load(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "format 99"),
        ({"labels": ["bad", "good"]}, "labels"),
        (
            {
                "image": {
                    "size": 32,
                    "mean": 0.1,
                    "scale": 0.25,
                    "fit": "crop",
                    "sha256": "0",
                }
            },
            "preprocessing",
        ),
    ],
)
def test_a_model_of_another_code_is_refused(
    saved: Path, change: dict, message: str
) -> None:
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps({**config, **change}))
    manifest = json.loads((saved / "manifest.json").read_text())
    manifest["config.json"] = hashlib.sha256(
        (saved / "config.json").read_bytes()
    ).hexdigest()
    (saved / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=message):
        CompactModel.load(saved)


def test_folders_of_older_formats_answer_by_what_they_hold(
    trained: Fit, tmp_path: Path
) -> None:
    one = trained.model
    text = CompactModel(one.text, None, one.fusion, "tiny", 32)
    towers = CompactModel(one.text, one.image, one.fusion, "tiny", 32)
    for model, number in ((text, 3), (towers, 4), (one, 3)):
        folder = tmp_path / f"{number}-{model.reads_photos}"
        model.save(folder)
        older = json.loads((folder / "config.json").read_text())
        del older["kind"], older["tower_temperature"]
        older["format"] = number
        (folder / "config.json").write_text(json.dumps(older))
        seal(folder)
    found = load_classifier(tmp_path / "3-False")
    assert found.kind == "compact" and not found.reads_photos
    said = ["the vase is lovely", "awful lamp"], [None, None]
    assert np.array_equal(
        CompactModel.load(tmp_path / "4-True").predict(*said).probabilities,
        towers.predict(*said).probabilities,
    )
    with pytest.raises(DataError, match="model format 3 .*train it again"):
        load_classifier(tmp_path / "3-True")


def test_rows_that_cannot_be_answered_are_named(trained: Fit) -> None:
    with pytest.raises(DataError, match="row 1 has no text and no photo"):
        trained.model.predict(["fine", None], [None, None])
    with pytest.raises(DataError, match="cannot be read"):
        trained.model.predict(["fine"], [b"no picture"])
    text_only = CompactModel(trained.model.text, None, trained.model.fusion, "tiny", 32)
    with pytest.raises(DataError, match="without photos"):
        text_only.predict([None], [b"anything"])
    assert text_only.predict(["fine"], [b"anything"]).modality == ("text",)


def test_a_loss_that_is_not_finite_stops_the_training(
    rows: Rows, tools, tiny: Options
) -> None:
    steep = {"learning_rate": 1e20, "head_learning_rate": 1e20}
    with pytest.raises(DataError, match=r"text tower step \d+: the loss is (nan|inf)"):
        fit_model(*rows, tiny.model_copy(update=steep), tools(seed=1))


def test_an_absent_sentiment_is_named_before_training(
    drawn, rows: Rows, tools, tiny: Options
) -> None:
    made = [one for one in drawn[0](60, "train", 1, {}, 0.0) if one.rating != 3]
    polar = as_reviews(made, {}.__getitem__, 32)
    with pytest.raises(DataError, match="no training row is neutral"):
        fit_model(polar, *rows[1:], tiny, tools(seed=1))


def test_texts_that_are_all_cut_are_found_before_training(
    rows: Rows, tools, tiny: Options
) -> None:
    short = tiny.model_copy(update={"max_tokens": 8})
    with pytest.raises(DataError, match=r"all 240 rows were cut at 8 tokens"):
        fit_model(*rows, short, tools(seed=1))


def test_equal_photos_are_found_before_training(
    rows: Rows, tools, tiny: Options
) -> None:
    reviews, shots, validation = rows
    grey = replace(shots, pictures=np.full_like(shots.pictures, 128))
    with pytest.raises(
        DataError,
        match=r"preflight, image tower: 8 different inputs give the same logits",
    ):
        fit_model(reviews, grey, validation, tiny, tools(seed=1))
