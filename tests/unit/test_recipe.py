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
        (
            "sources: [{kind: shop, catalogue: shoes}]",
            r"line 3, sources\.0: source shop: catalogue: .*'bundled-demo'.*'clothing'",
        ),
        ("sources: []", r"line 3, sources: .*at least 1"),
        ("sources: [{kind: shopp}]", r"unknown source 'shopp'; known: .*shop"),
        ("sources: [{catalogue: x}]", r"sources\.0: kind is missing; known: .*shop"),
        (
            "sources: [{kind: shop, css_rule: x}]",
            r"css_rule: .*keys of source shop: .*css_rules",
        ),
        (
            "sources: [{kind: shop, url: ftp://x}]",
            r"'ftp://x' is not an address; it begins with http",
        ),
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
            "train: {model: tfidf, model_options: {inverse_penalty: 0}}",
            r"classifier tfidf: inverse_penalty: .*greater than 0, got 0",
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
        "sources": "sources: [{kind: shop, catalogue: bundled-smoke}]",
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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name: caf\xe9", r"not UTF-8 \(byte 9\); save it as UTF-8"),
        (b"- a\n- b", "a recipe is a mapping of keys, this is list"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused_with_its_reason(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        recipes.load(str(path))


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").mkdir()
    with pytest.raises(ConfigurationError, match="a folder, not a recipe file"):
        recipes.load(str(tmp_path / "mine.yaml"))


def test_a_wrong_key_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nsummary: mine\nsources:\n  - kind: shop\n  - kind: shop\n    url: 3\n"
        "dedupe:\n  golden_share: 0.2\n  threshold: 7\n"
    )
    with pytest.raises(ConfigurationError) as raised:
        recipes.load(str(path))
    assert "line 5, sources.1" in str(raised.value)
    assert "line 9, dedupe.threshold" in str(raised.value)
