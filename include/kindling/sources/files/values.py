"""Cells as values: stars, dates, categories, addresses of photos. Nothing before something wrong."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from kindling.scraping.rating import parse_rating, stars

#: Words that may stand beside the number of a rating; any other word makes the cell no rating.
_STAR_WORDS = frozenset(
    "star stars stern sterne sternen étoile étoiles etoile etoiles estrella estrellas stella "
    "stelle ster sterren gwiazdka gwiazdki gwiazdek estrela estrelas stjärna stjärnor stjerne "
    "stjerner hvězda hvězdy hvězdiček yıldız puan rating rated note nota bewertung punkt punkte "
    "points point score ocena voto cijfer out of von de su sur van na z af av di sobre by out "
    "rating: reviewed review".split()
)
_NUMBER_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_WORD = re.compile(r"[^\W\d_]+")
_EMOJI_STARS = str.maketrans({"⭐": "★", "🌟": "★", "✩": "☆", "✭": "★", "\ufe0f": None})

DateOrder = Literal["day first", "month first", "unknown"]
_NUMERIC_DATE = re.compile(r"(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})(?!\d)")
_URL = re.compile(r"https?://[^\s\"'<>|]+")
_PICTURE = re.compile(r"[^\s,;|]+\.(?:jpe?g|png|webp)(?![^\s,;|])", re.IGNORECASE)


def text_of(cell: Any) -> str:
    """The cell as text; empty for what says that there is nothing."""
    if cell is None or isinstance(cell, float) and math.isnan(cell):
        return ""
    if isinstance(cell, list | tuple):
        return " ".join(filter(None, map(text_of, cell)))
    text = str(cell).strip()
    return "" if text.casefold() in {"nan", "null", "none", "n/a", "\\n"} else text


def stars_of(
    cell: Any, best: float | None = None, named: Mapping[str, int] | None = None
) -> int | None:
    """Whole stars 1-5 of a cell; None where it is no rating or could be two different ones."""
    if isinstance(cell, bool):
        return None
    if isinstance(cell, int | float):
        return None if math.isnan(cell) else stars(cell, best)
    text = text_of(cell).translate(_EMOJI_STARS).casefold()
    if named and text in named:
        return named[text]
    if text in _NUMBER_WORDS or text.split(" ")[0] in _NUMBER_WORDS:
        text = text.replace(text.split(" ")[0], str(_NUMBER_WORDS[text.split(" ")[0]]))
    numbers = _NUMBER.findall(text)
    if len(text) > 60 or len(numbers) > 2 or set(_WORD.findall(text)) - _STAR_WORDS:
        return None
    if text.count("-") or (len(numbers) == 2 and _between(text) in {"", ".", ","}):
        return None
    found = parse_rating(text)
    # Two numbers that are not "value of full marks" could be a range, a date or a count.
    if found is None or (len(numbers) == 2 and found.best is None):
        return None
    return stars(found.value, found.best or best)


def _between(text: str) -> str:
    first, second = list(_NUMBER.finditer(text))[:2]
    return text[first.end() : second.start()].strip()


def best_of(cells: Iterable[Any]) -> float | None:
    """Full marks of a column of bare numbers: 10 or 100 where many lie above 5, else unstated.

    A few above 5 are mistakes in a column of stars, and are refused as such.
    """
    numbers = [value for value in map(_bare, cells) if value is not None]
    above = sum(value > 5 for value in numbers)
    if above < max(3, 0.2 * len(numbers)):
        return None
    tens = sum(value <= 10 for value in numbers)
    return 10.0 if tens >= 0.95 * len(numbers) else 100.0


def _bare(cell: Any) -> float | None:
    text = text_of(cell).replace(",", ".")
    return float(text) if re.fullmatch(r"\d{1,3}(?:\.\d+)?", text) else None


def order_of(cells: Iterable[Any]) -> DateOrder:
    """Whether a column's numeric dates begin with the day; unknown where every one could be both."""
    parts = [_NUMERIC_DATE.match(text_of(cell)) for cell in cells]
    firsts = [int(match[1]) for match in parts if match and len(match[1]) < 3]
    seconds = [int(match[2]) for match in parts if match and len(match[1]) < 3]
    if any(12 < one < 32 for one in firsts) and not any(one > 12 for one in seconds):
        return "day first"
    if any(12 < one < 32 for one in seconds) and not any(one > 12 for one in firsts):
        return "month first"
    dotted = any("." in text_of(cell)[:6] for cell in cells if text_of(cell))
    return "day first" if firsts and dotted else "unknown"


def category_of(cell: Any) -> str:
    """The narrowest name of a category cell: the last of a list or of a path such as `A > B`."""
    cell = _as_list(cell)
    if isinstance(cell, list | tuple):
        parts = [text_of(one) for one in cell]
    else:
        parts = re.split(r"\s*(?:>|»|›|\|| / )\s*", text_of(cell))
    named = [part for part in parts if part]
    return named[-1][:200] if named else ""


def photos_of(cell: Any) -> list[str]:
    """Addresses and file names of pictures in a cell: one, several in one text, or JSON."""
    cell = _as_list(cell)
    if isinstance(cell, Mapping):
        return _largest(cell)
    if isinstance(cell, list | tuple):
        found = [address for one in cell for address in photos_of(one)]
        return list(dict.fromkeys(found))
    text = text_of(cell)
    urls = [url.rstrip(",;)]") for url in re.split(r"[,;]\s*(?=https?://)", text)]
    addresses = [
        match[0] for url in urls for match in [_URL.match(url.strip())] if match
    ]
    if not addresses:
        addresses = [url.rstrip(",;)]") for url in _URL.findall(text)]
    return addresses or _PICTURE.findall(text)


def _largest(image: Mapping[str, Any]) -> list[str]:
    """One picture that is given in several sizes."""
    keys = sorted(
        image,
        key=lambda key: next(
            (
                rank
                for rank, size in enumerate(("large", "full", "hi_res", "medium"))
                if size in key.casefold()
            ),
            9,
        ),
    )
    for key in keys:
        if found := photos_of(image[key]):
            return found[:1]
    return []


def _as_list(cell: Any) -> Any:
    if isinstance(cell, str) and cell.lstrip()[:1] in {"[", "{"}:
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            try:
                return json.loads(cell.replace("'", '"'))
            except (ValueError, RecursionError):
                return cell
    return cell


def share_of_stars(cells: Sequence[Any]) -> float:
    """Share of the filled cells that are a rating."""
    filled = [cell for cell in cells if text_of(cell)]
    best = best_of(filled)
    good = sum(stars_of(cell, best) is not None for cell in filled)
    return good / len(filled) if filled else 0.0
