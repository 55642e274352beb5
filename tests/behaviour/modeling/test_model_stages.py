"""Train, evaluate and promote as stages: what they read, what they hand on, and that a rerun is the same night."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kindling.errors import ConfigurationError, DataError
from kindling.evaluation.figures import EvaluationFigures
from kindling.evaluation.looks import Ledger
from kindling.recipe import TrainConfig
from kindling.records import (
    Estimate,
    Photo,
)
from kindling.stages import evaluate, promote, runner, train
from kindling.stages.view import Holdout
from kindling.stores.memory import MemoryObjects

from .one_night import CONTEXT, EVALUATE, PROMOTE, TRAIN, commit, elsewhere, night


def test_a_night_from_rows_to_champion(needs: Any) -> None:
    trained, evaluated, promoted = night(needs)
    assert (
        trained.rows_in == 270
        and trained.rows_out == 180
        and trained.figures["rows"]["train/synthetic/negative"] > 0
    )
    assert set(needs.registry.params["1"]) >= {"epochs", "seed", "recipe"}
    figures = EvaluationFigures.from_dict(evaluated.figures)
    figure = figures.systems["candidate"]["three_way_macro_f1"]
    assert (
        isinstance(figure, Estimate)
        and figure.n == evaluated.rows_in == 150
        and figure.value > 0.6
    )
    assert (
        figures.golden_photos > 30
        and figures.photo is not None
        and figures.photo.log_loss_gain.low > 0
    )
    assert needs.registry.metrics["1"]["golden_three_way_macro_f1"] == figure.value
    assert promoted.figures.promoted, promoted.figures.reasons
    assert needs.registry.champion().version == "1"

    page = needs.objects.get(evaluated.uris["report"]).decode()
    assert (
        evaluated.uris["report"].endswith("runs/night-1/report.html")
        and "Photos are drawn." in page
    )
    numbers = json.loads(needs.objects.get(evaluated.uris["figures"]))
    assert (
        numbers["evaluation"]["data_sha256"] == figure.data_sha256
        and numbers["provenance"]["seed"] == 5
    )
    json.dumps(
        [runner._plain(one.figures) for one in (trained, evaluated, promoted)],
        default=vars,
    )

    again = promote.run(PROMOTE, CONTEXT, needs)
    assert again.figures.promoted and again.figures.checks[0].name == "already champion"


def test_a_second_training_is_the_same_model_and_is_compared_with_the_first(
    needs: Any,
) -> None:
    night(needs)
    _, evaluated, promoted = night(needs)
    old, new = (
        needs.registry._root / version / "manifest.json" for version in ("1", "2")
    )
    assert old.read_bytes() == new.read_bytes()
    figures = EvaluationFigures.from_dict(evaluated.figures)
    difference = figures.differences["champion"]["three_way_macro_f1"]
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)
    assert promoted.figures.promoted and promoted.figures.previous_champion == "1"
    ledger = Ledger(needs.standing, CONTEXT.recipe.name)
    first, second = ledger.entries()
    assert (first.look.version, second.look.version) == ("1", "2")
    assert first.outcome == second.outcome == "pass" and ledger.reference() == "1"
    assert second.look.over_champion == second.look.over_reference == 0
    assert ledger.opened("another night") == {f"golden-p{at}" for at in range(12)}
    assert figures.sealed == {}, "twelve products are too few to seal any"


def test_sealed_rows_print_and_decide_nothing(
    needs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty products: thirteen are read by no gate, on this night and its retry."""
    rows = needs.holdout.examples()
    many = [
        replace(one, product_id=f"golden-p{at % 40}") for at, one in enumerate(rows)
    ]
    monkeypatch.setattr(Holdout, "examples", lambda _: many)
    train.run(TrainConfig(model="tfidf"), CONTEXT, needs)
    first = evaluate.run(EVALUATE, CONTEXT, needs)
    figures = EvaluationFigures.from_dict(first.figures)
    assert figures.sealed_products == 13
    assert figures.sealed_rows + figures.golden_rows == len(many) == first.rows_in
    printed = figures.sealed["three_way_macro_f1"]
    asked = figures.systems["candidate"]["three_way_macro_f1"]
    assert printed.n == figures.sealed_rows and printed.data_sha256 != asked.data_sha256
    page = needs.objects.get(first.uris["report"]).decode()
    assert f"of {figures.sealed_rows} golden rows of 13 products that no gate" in page
    again = evaluate.run(EVALUATE, CONTEXT, needs)
    volatile = {"latencies": None}
    assert {**again.figures, **volatile} == {**first.figures, **volatile}
    assert len(Ledger(needs.standing, CONTEXT.recipe.name).entries()) == 1


def test_rows_that_a_champion_was_trained_on_are_known_from_its_folder(
    needs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = TrainConfig(model="tfidf")
    train.run(plain, CONTEXT, needs)
    needs.registry.promote("1")
    rows = needs.holdout.examples()
    shown = [one.photo_id for one in needs.view.examples("train") if one.photo_id][:10]
    copied = [replace(rows[at], photo_id=one) for at, one in enumerate(shown)]
    monkeypatch.setattr(Holdout, "examples", lambda _: [*copied, *rows[10:]])
    train.run(plain, CONTEXT, needs)
    found = EvaluationFigures.from_dict(evaluate.run(EVALUATE, CONTEXT, needs).figures)
    assert (found.champion_version, found.champion_saw) == ("1", 10)
    assert found.differences["champion"]["three_way_macro_f1"].n == 140


def test_training_never_asks_for_golden_rows(
    needs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = {
        row.uri
        for row in needs.rows.read(Photo, CONTEXT.run_id)
        if row.product_id.startswith("golden")
    }
    seen: list[str] = []
    real = MemoryObjects.get
    monkeypatch.setattr(
        MemoryObjects, "get", lambda self, uri: (seen.append(uri), real(self, uri))[1]
    )
    needs.holdout = None
    train.run(replace_epochs(TRAIN), CONTEXT, needs)
    assert seen and not photos & set(seen)


def replace_epochs(config: TrainConfig) -> TrainConfig:
    quick = {**config.model_options, "epochs": 1, "image_epochs": 1}
    return config.model_copy(update={"model_options": quick})


def test_tfidf_goes_through_the_same_night(needs: Any) -> None:
    """A first night's model: it reads no photos, and is evaluated and gated all the same."""
    plain = TrainConfig(model="tfidf")
    commit("train", train.run(plain, CONTEXT, needs), needs)
    evaluated = commit("evaluate", evaluate.run(EVALUATE, CONTEXT, needs), needs)
    promoted = commit("promote", promote.run(PROMOTE, CONTEXT, needs), needs)
    figures = EvaluationFigures.from_dict(evaluated.figures)
    assert figures.systems["candidate"]["three_way_macro_f1"].value > 0.5
    assert figures.photo is None
    assert "text" in figures.latencies
    names = {check.name for check in promoted.figures.checks}
    assert {"bar", "not worse than TF-IDF"} <= names


def test_a_vision_language_model_goes_through_the_same_night(
    needs: Any, llava: Path
) -> None:
    options = {"folder": str(llava), "ranks": 1, "batch_size": 16, "text_tokens": 32}
    tuned = TrainConfig(model="vlm", model_options=options)
    trained = commit("train", train.run(tuned, CONTEXT, needs), needs)
    evaluated = commit("evaluate", evaluate.run(EVALUATE, CONTEXT, needs), needs)
    promoted = commit("promote", promote.run(PROMOTE, CONTEXT, needs), needs)
    assert "ZeRO-2, 1 ranks" in trained.implementation["training"]
    assert trained.figures["merge_difference"] < 1e-3
    figures = EvaluationFigures.from_dict(evaluated.figures)
    assert figures.systems["candidate"]["three_way_macro_f1"].n == 150
    assert figures.photo is not None and "text+image" in figures.latencies
    names = {check.name for check in promoted.figures.checks}
    assert {"bar", "not worse than TF-IDF"} <= names


def test_a_helping_machine_registers_and_commits_nothing(needs: Any) -> None:
    before = needs.rows.report(CONTEXT.run_id, "train")
    train.take_part(TrainConfig(model="tfidf"), CONTEXT, needs)
    assert needs.registry.candidate(CONTEXT.run_id) is None
    assert needs.rows.report(CONTEXT.run_id, "train") == before
    with pytest.raises(ConfigurationError, match="evaluate runs on one machine"):
        runner.take_part("evaluate", CONTEXT, needs.rows, lambda *_: needs)


def test_no_checkpoint_is_left_after_the_model_is_registered(needs: Any) -> None:
    train.run(replace_epochs(TRAIN), CONTEXT, needs)
    assert not [uri for uri in needs.objects._objects if "checkpoints" in uri]


def test_max_rows_limits_training(needs: Any) -> None:
    outcome = train.run(
        replace_epochs(TRAIN).model_copy(update={"max_rows": 100}), CONTEXT, needs
    )
    assert outcome.rows_out == 100


def test_a_model_below_the_bar_leaves_the_alias(needs: Any) -> None:
    night(needs)
    _, _, promoted = night(needs, PROMOTE.model_copy(update={"bar": 0.999}))
    assert not promoted.figures.promoted and promoted.figures.reasons[0].startswith(
        "bar: "
    )
    assert needs.registry.champion().version == "1" == promoted.figures.champion_version
    assert promoted.rows_out == 0


def test_a_first_night_that_passes_nothing_serves_provisionally_until_one_passes(
    needs: Any,
) -> None:
    strict = PROMOTE.model_copy(update={"bar": 0.999})
    _, _, promoted = night(needs, strict)
    assert promoted.figures.provisional and not promoted.figures.promoted
    assert needs.registry.serving().version == promoted.figures.serving_version
    assert needs.registry.champion() is None
    passed = promote.run(PROMOTE, CONTEXT, needs)
    assert passed.figures.promoted and not passed.figures.provisional
    assert not needs.registry.serving().provisional


def test_a_recipe_may_forbid_a_provisional_model(needs: Any) -> None:
    _, _, promoted = night(
        needs, PROMOTE.model_copy(update={"bar": 0.999, "provisional": False})
    )
    assert needs.registry.serving() is None
    assert promoted.figures.serving_version is None


def test_a_champion_that_changed_after_the_evaluation_stops_the_promotion(
    needs: Any,
) -> None:
    night(needs, PROMOTE.model_copy(update={"bar": 0.999}))
    other = needs.registry.register("night-0", needs.registry._root / "1", {}, {})
    needs.registry.promote(other.version)
    promoted = promote.run(PROMOTE, CONTEXT, needs)
    assert (
        not promoted.figures.promoted
        and "run evaluate again" in promoted.figures.reasons[-1]
    )


def test_missing_steps_are_named(needs: Any) -> None:
    with pytest.raises(DataError, match="registered no model"):
        evaluate.run(EVALUATE, CONTEXT, needs)
    with pytest.raises(DataError, match="no evaluation"):
        promote.run(PROMOTE, CONTEXT, needs)
    context, other = replace(CONTEXT, run_id="nowhere"), elsewhere(needs, "nowhere")
    with pytest.raises(DataError, match="0 accepted train rows"):
        train.run(TRAIN, context, other)
    with pytest.raises(DataError, match="golden holdout is empty"):
        evaluate.run(EVALUATE, context, other)


def test_the_figures_are_those_of_the_served_model(needs: Any, tmp_path) -> None:
    """Evaluation asks a model that remembers; it must not drift from the one that is served."""
    from kindling.extensions import load_classifier

    _, evaluated, _ = night(needs)
    golden = needs.holdout.examples()
    model = load_classifier(needs.registry.download("1", tmp_path / "again"))
    found = model.predict(
        [one.text for one in golden],
        [needs.objects.get(one.photo_uri) if one.photo_uri else None for one in golden],
    )
    right = np.mean(
        [
            said == one.sentiment
            for said, one in zip(found.sentiments, golden, strict=True)
        ]
    )
    figures = EvaluationFigures.from_dict(evaluated.figures)
    assert figures.systems["candidate"]["accuracy"].value == pytest.approx(right)


def test_a_golden_row_that_was_trained_on_is_counted(needs: Any) -> None:
    train.run(replace_epochs(TRAIN), CONTEXT, needs)
    clean = EvaluationFigures.from_dict(evaluate.run(EVALUATE, CONTEXT, needs).figures)
    assert clean.leaked_rows == 0
    (stolen, *_) = needs.view.examples("train")
    (golden, *_) = needs.holdout.examples()
    copied = replace(golden, text=f"{stolen.text.upper()}!")
    assert evaluate._leaked([copied, golden], needs.view, short_text=10) == 1
    assert evaluate._leaked([copied], needs.view, short_text=1_000) == 0
