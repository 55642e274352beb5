"""A broken recipe is refused with file, key and allowed values."""

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


def test_unknown_recipe_names_the_known() -> None:
    with pytest.raises(
        ConfigurationError, match="unknown recipe 'clothes'; known: .*clothing"
    ):
        recipes.load("clothes")
