"""Star ratings as shops write them, brought to whole stars from 1 to 5."""

import math
import re
from dataclasses import dataclass

_NUMBER = r"(?<![\w.,])(-?\d{1,4}(?:[.,]\d{1,3})?)(?![\d])"
#: "4 out of 5" in the languages of the pages that this was measured on.
_OUT_OF = re.compile(
    rf"{_NUMBER}\s*(?:/|out of|of|von|de|su|sur|van|af|av|z|из)\s*(\d{{1,3}}(?:[.,]0+)?)(?!\d)",
    re.IGNORECASE,
)
_JAPANESE = re.compile(r"(\d)つ星のうち\s*(\d(?:\.\d)?)")
_PERCENT = re.compile(rf"{_NUMBER}\s*%")
_PLAIN = re.compile(_NUMBER)
#: "5 out of 3 reviews" counts reviews: only these are full marks.
_FULL_MARKS = frozenset({3, 4, 5, 6, 7, 10, 20, 100})


@dataclass(frozen=True)
class Rating:
    """A rating as stated; `best` is None where the text does not say what full marks are."""

    value: float
    best: float | None = None


def parse_rating(stated: object) -> Rating | None:
    """The rating in a number or a text such as "4,5 von 5", "80 %" or "★★★★☆"; None when there is none."""
    if isinstance(stated, bool) or stated is None:
        return None
    if isinstance(stated, int | float):
        return Rating(_finite(stated))
    text = str(stated)[:1000]
    for read in (_japanese, _out_of, _percent, _glyphs, _plain):
        if found := read(text):
            return found
    return None


def stars(
    value: float, best: float | None = None, worst: float | None = None
) -> int | None:
    """Whole stars 1-5, halves up; None when `value` lies outside its scale (schema.org's default is 1 to 5).

    Scales of five and more count as shares of full marks, so that 20 % and 2 of 10 are one star;
    shorter scales (thumbs, smileys) are stretched from their worst to their best.
    """
    best = 5.0 if best is None else best
    if not 0 < best < math.inf:
        return None
    if best >= 5:
        return max(1, math.floor(value / best * 5 + 0.5)) if 0 < value <= best else None
    worst = 1.0 if worst is None else worst
    if not worst <= value <= best or worst == best:
        return None
    return math.floor(1 + (value - worst) * 4 / (best - worst) + 0.5)


def _finite(number: float) -> float:
    try:
        value = float(number)
    except OverflowError:
        return math.inf
    return math.inf if math.isnan(value) else value


def _decimal(text: str) -> float:
    return float(text.replace(",", "."))


def _japanese(text: str) -> Rating | None:
    match = _JAPANESE.search(text)
    return Rating(float(match[2]), float(match[1])) if match else None


def _out_of(text: str) -> Rating | None:
    match = _OUT_OF.search(text)
    if not match:
        return None
    value, best = _decimal(match[1]), _decimal(match[2])
    return Rating(value, best if best in _FULL_MARKS and value <= best else None)


def _percent(text: str) -> Rating | None:
    match = _PERCENT.search(text)
    return Rating(_decimal(match[1]), 100.0) if match else None


def _glyphs(text: str) -> Rating | None:
    full, empty = text.count("★"), text.count("☆")
    # "4 ★" says four, not one.
    if not full or full + empty > 10 or full + empty == 1 and _PLAIN.search(text):
        return None
    return Rating(float(full), float(max(5, full + empty)))


def _plain(text: str) -> Rating | None:
    match = _PLAIN.search(text)
    return Rating(_decimal(match[1])) if match else None
