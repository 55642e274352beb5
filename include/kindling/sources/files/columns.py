"""Which column means what: by the recipe, by its name, or by what its cells hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kindling.sources.files.names import NAMES, folded
from kindling.sources.files.values import photos_of, share_of_stars, text_of

How = Literal["recipe", "name", "content"]
MEANINGS = tuple(NAMES)
#: Of a column that is taken for stars: share of its filled cells that are a rating.
_MIN_STARS = 0.5
#: Of a column that is taken for ids: share of its filled cells that differ from one another.
_MIN_UNIQUE = 0.95
#: Words of a column's name that make its small numbers something else than stars.
_COUNTS = frozenset(
    "average mean count number total votes helpful price age quantity size verified".split()
)
_PRODUCT_NAMES = ("title", "name", "product name", "product title")


@dataclass(frozen=True)
class Column:
    """One column with its meaning, how that was told, and a cell of it."""

    name: str
    meaning: str
    how: How
    example: str


@dataclass(frozen=True)
class Columns:
    """The columns of a file that are read, by meaning, and what else is to be said of them."""

    by_meaning: Mapping[str, Column]
    unread: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def cell(self, cells: Mapping[str, Any], meaning: str) -> Any:
        """The row's cell of that meaning; None where the file has no such column."""
        column = self.by_meaning.get(meaning)
        return cells.get(column.name) if column else None

    @property
    def holds(self) -> Literal["reviews", "products", "neither"]:
        """What the rows are. A list of products has ids and names, and no review text with stars."""
        here = set(self.by_meaning)
        if {"body", "stars"} <= here:
            return "reviews"
        if {"product_id", "product_name"} <= here and "stars" not in here:
            return "products"
        return "neither"


def recognise(
    names: Sequence[str],
    sample: Sequence[Mapping[str, Any]],
    given: Mapping[str, str] | None = None,
) -> Columns:
    """The meaning of every column. `given` is the recipe's mapping, meaning -> column, and wins."""
    cells = {name: [row.get(name) for row in sample] for name in names}
    chosen: dict[str, tuple[str, How]] = {}
    notes: list[str] = []
    for meaning, name in (given or {}).items():
        if name in cells:
            chosen[meaning] = (name, "recipe")
        else:
            notes.append(f"the recipe's column {name!r} ({meaning}) is not in the file")
    for meaning in MEANINGS:
        if meaning not in chosen:
            taken = {name for name, _ in chosen.values()}
            found = _by_name(meaning, [one for one in names if one not in taken], cells)
            if found:
                chosen[meaning] = (found, "name")
    _by_content(names, cells, chosen)
    _name_of_products(names, chosen)
    if "id" in chosen and chosen["id"][1] == "name":
        _drop_id_that_is_none(cells, chosen, notes)
    by_meaning = {
        meaning: Column(name, meaning, how, _example(cells[name]))
        for meaning, (name, how) in chosen.items()
    }
    used = {name for name, _ in chosen.values()}
    return Columns(
        by_meaning, tuple(name for name in names if name not in used), tuple(notes)
    )


def _by_name(
    meaning: str, names: Sequence[str], cells: Mapping[str, list[Any]]
) -> str | None:
    ranked = sorted(
        (NAMES[meaning].index(folded(name)), position, name)
        for position, name in enumerate(names)
        if folded(name) in NAMES[meaning] and _fits(meaning, cells[name])
    )
    if not ranked:
        return None
    best = ranked[0][2]
    fullest = max((name for *_, name in ranked), key=lambda one: _filled(cells[one]))
    # An export that keeps an old, nearly empty column of the same meaning.
    if _filled(cells[best]) < 0.1 * _filled(cells[fullest]):
        return fullest
    return best


def _fits(meaning: str, cells: Sequence[Any]) -> bool:
    """Whether the cells can be what the column's name says: `Bewertung` is stars or a text."""
    filled = [cell for cell in cells if text_of(cell)]
    if not filled:
        return meaning not in {"stars", "body"}
    if meaning == "stars":
        return share_of_stars(filled) >= _MIN_STARS
    if meaning == "body":
        return share_of_stars(filled) < 0.9 or _words(filled) > 3
    if meaning == "photo":
        return any(photos_of(cell) for cell in filled)
    return True


def _by_content(
    names: Sequence[str],
    cells: Mapping[str, list[Any]],
    chosen: dict[str, tuple[str, How]],
) -> None:
    """Stars and text that no name tells: ratings of few values, and the column with most words."""
    free = [name for name in names if name not in {one for one, _ in chosen.values()}]
    if "stars" not in chosen:
        fitting = [
            name
            for name in free
            if _looks_like_stars(cells[name])
            and not _COUNTS & set(folded(name).split())
        ]
        if len(fitting) == 1:
            chosen["stars"] = (fitting[0], "content")
            free.remove(fitting[0])
    if "body" not in chosen and "stars" in chosen and free:
        wordiest = max(free, key=lambda name: _words(cells[name]))
        if _words(cells[wordiest]) >= 4:
            chosen["body"] = (wordiest, "content")


def _looks_like_stars(cells: Sequence[Any]) -> bool:
    filled = [text_of(cell) for cell in cells if text_of(cell)]
    few = len(set(filled)) <= 11 and len(filled) >= 0.5 * len(cells)
    # Zero and one are a yes and a no.
    return few and not set(filled) <= {"0", "1"} and share_of_stars(filled) > 0.95


def _name_of_products(names: Sequence[str], chosen: dict[str, tuple[str, How]]) -> None:
    """In a list of products `title` or `name` is the product's."""
    if "product_name" in chosen or "stars" in chosen or "product_id" not in chosen:
        return
    named = {folded(name): name for name in names}
    found = next((named[one] for one in _PRODUCT_NAMES if one in named), None)
    if found:
        chosen.pop("title", None)
        chosen["product_name"] = (found, "name")


def _drop_id_that_is_none(
    cells: Mapping[str, list[Any]],
    chosen: dict[str, tuple[str, How]],
    notes: list[str],
) -> None:
    """A column of ids whose values repeat names something else, such as an order."""
    name = chosen["id"][0]
    values = [text_of(cell) for cell in cells[name] if text_of(cell)]
    if len(values) > 20 and len(set(values)) < _MIN_UNIQUE * len(values):
        del chosen["id"]
        notes.append(f"{name!r} repeats itself, so it is not read as the review's id")


def _words(cells: Sequence[Any]) -> float:
    texts = [text_of(cell) for cell in cells]
    filled = [text for text in texts if text and not text.startswith("http")]
    return sum(len(text.split()) for text in filled) / max(1, len(texts))


def _filled(cells: Sequence[Any]) -> int:
    return sum(bool(text_of(cell)) for cell in cells)


def _example(cells: Sequence[Any]) -> str:
    text = next((text_of(cell) for cell in cells if text_of(cell)), "")
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."
