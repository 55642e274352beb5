"""The words of the bundled catalogue, read from the two TOML files beside this module."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from shop.records import Condition


@dataclass(frozen=True)
class Aspect:
    """One thing people write about; `good` and `bad` follow "the <name> "."""

    name: str
    good: tuple[str, ...]
    bad: tuple[str, ...]


@dataclass(frozen=True)
class Category:
    name: str
    item: str
    shape: str
    price: tuple[int, int]
    nouns: tuple[str, ...]
    uses: tuple[str, ...]
    aspects: tuple[Aspect, ...]
    #: Which damage is how likely once something is damaged, and how people tell it.
    damage_odds: Mapping[Condition, float]
    damage: Mapping[Condition, tuple[str, ...]]


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(
        (resources.files(__package__) / name).read_text(encoding="utf-8")
    )


@cache
def phrases() -> dict[str, Any]:
    """The grammar's phrases, as phrases.toml groups them."""
    return _read("phrases.toml")


@cache
def names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The series and the brands that products are named after."""
    content = _read("assortment.toml")
    return tuple(content["series"]), tuple(content["brands"])


@cache
def categories() -> dict[str, Category]:
    """Name -> category, in the order of assortment.toml."""
    return {
        entry["name"]: _category(entry)
        for entry in _read("assortment.toml")["category"]
    }


def _category(entry: dict[str, Any]) -> Category:
    low, high = entry["price"]
    aspects = tuple(
        Aspect(one["name"], tuple(one["good"]), tuple(one["bad"]))
        for one in entry["aspect"]
    )
    damage = {condition: tuple(told) for condition, told in entry["damage"].items()}
    return Category(
        entry["name"],
        entry["item"],
        entry["shape"],
        (low, high),
        tuple(entry["nouns"]),
        tuple(entry["uses"]),
        aspects,
        entry["damage_odds"],
        damage,
    )
