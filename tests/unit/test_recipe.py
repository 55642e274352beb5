"""A broken recipe is refused with file, key and allowed values."""

import subprocess
import sys
from pathlib import Path

import pytest

from kindling import recipe as recipes
from kindling.errors import ConfigurationError


@pytest.mark.parametrize("name", recipes.names())
def test_shipped_recipes_load(name: str) -> None:
    assert recipes.load(name).name == name


def test_smoke_demo_and_clothing_are_shipped() -> None:
    assert {"smoke", "demo", "clothing"} <= set(recipes.names())
    assert recipes.load("clothing").niche == ("Outerwear", "Shorts", "Skirts")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "dedupe: {treshold: 0.8}",
            r"dedupe\.treshold: unknown key; allowed: .*threshold",
        ),
        (
            "dedupe: {threshold: 3}",
            r"dedupe\.threshold: .*less than or equal to 1, got 3",
        ),
        ("catalogue: shoes", r"catalogue: .*'bundled-demo'.*'clothing'"),
        (
            "label: {accept: 0.6, discard: 0.8}",
            r"label: .*discard must be below accept",
        ),
        (
            "train: {model: compct}",
            r"train: .*unknown classifier 'compct'; known: compact, tfidf",
        ),
        (
            "train: {model_options: {epoch: 3}}",
            r"train: .*classifier compact: epoch: .*keys of classifier compact: epochs",
        ),
        (
            "train: {model: tfidf, model_options: {ngrams: 9}}",
            r"classifier tfidf: ngrams: .*less than or equal to 3, got 9",
        ),
        ("dedup: {}", r"dedup: unknown key; allowed: .*dedupe"),
        ("name: [", "not valid YAML"),
    ],
)
def test_broken_recipe(tmp_path: Path, change: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    fields = {
        "name": "name: mine",
        "summary": "summary: mine",
        "catalogue": "catalogue: bundled-smoke",
    }
    fields[change.split(":")[0]] = change
    path.write_text("\n".join(fields.values()))
    with pytest.raises(ConfigurationError, match=message) as raised:
        recipes.load(str(path))
    assert str(path) in str(raised.value)
    assert raised.value.exit_code == 2


def test_reading_a_recipe_waits_for_no_torch() -> None:
    code = (
        "import sys; from kindling import recipe; recipe.load('clothing');"
        "print('torch' in sys.modules, 'sklearn' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["False", "False"]


def test_unknown_recipe_names_the_known() -> None:
    with pytest.raises(
        ConfigurationError, match="unknown recipe 'clothes'; known: .*clothing"
    ):
        recipes.load("clothes")
