"""What exports and people call the columns of a review, best name first, in several languages."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from importlib.resources import files

import yaml

#: Meaning -> names as `folded` gives them. The order decides where two columns fit.
NAMES: dict[str, tuple[str, ...]] = {
    meaning: tuple(names)
    for meaning, names in yaml.safe_load(
        files("kindling.sources.files").joinpath("names.yaml").read_text("utf-8")
    ).items()
}

#: Columns of an export that tell it from others; two of them, or all where there is one.
SHAPES: dict[str, tuple[str, ...]] = {
    "Judge.me": ("picture urls", "reviewer name", "review date", "product handle"),
    "Loox": ("photo url", "verified purchase", "product handle", "author"),
    "Yotpo": ("review score", "review content", "published image url", "display name"),
    "Okendo": ("date created", "image urls", "product id", "is recommended"),
    "Trustpilot": ("review stars", "review created utc", "consumer name", "domain"),
    "Amazon Reviews 2023": ("parent asin", "verified purchase", "helpful vote"),
}


def folded(name: str) -> str:
    """A column's name in lower case, without accents, signs and camel humps."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.strip().lstrip("\ufeff"))
    plain = unicodedata.normalize("NFKD", name.replace("ł", "l").replace("Ł", "L"))
    letters = "".join(one for one in plain if not unicodedata.combining(one))
    return " ".join(re.sub(r"[^\w]+|_", " ", letters.casefold()).split())


_KNOWN = frozenset(name for names in NAMES.values() for name in names)


def known(cells: Sequence[str]) -> int:
    """How many of the cells are names of columns that a review may have."""
    return sum(folded(cell) in _KNOWN for cell in cells if len(cell) < 60)


def shape_of(columns: Iterable[str]) -> str:
    """The export that the columns look like; empty when they look like none."""
    here = {folded(column) for column in columns}
    scores = {
        shape: sum(one in here for one in signs) for shape, signs in SHAPES.items()
    }
    best = max(scores, key=lambda shape: scores[shape])
    return best if scores[best] >= 3 else ""
