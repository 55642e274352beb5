"""Star ratings as shops write them, brought to whole stars from 1 to 5; no value rather than a wrong one."""

import functools
import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from kindling.scraping.rating_words import (
    ABOUT_RATING,
    COUNTED,
    FULL_FIRST,
    NOT_A_RATING,
    NUMBER_WORD,
    NUMBERS,
    OUT_OF,
    UNIT,
)

_VALUE = r"(?<![\w.,])(-?\d{1,4}(?:[.,]\d{1,3})?)(?!\d)"
_BEST = r"(?<![\d.,])(\d{1,3}(?:[.,]0+)?)(?![\d]|[.,]\d|\s?[/.-]\s?\d)"
#: A number as the whole text, with as many decimals as a mean may have.
_BARE = re.compile(r"[+-]?\d{1,4}(?:[.,]\d{1,20})?")
_OUT_OF = re.compile(
    rf"{_VALUE}\s*{UNIT}?\s*[(,:]?\s*{OUT_OF}\s*{_BEST}", re.IGNORECASE
)
_FULL_AFTER = re.compile(rf"\s*{UNIT}?\s*[(,:]?\s*{OUT_OF}\s*{_BEST}", re.IGNORECASE)
#: "4.2（5点満点）": full marks in brackets, named as such.
_BRACKETED = re.compile(
    rf"{_VALUE}\s*{UNIT}?\s*[(（]\s*(\d{{1,3}})\s*(?:点満点|점\s*만점|分满分|分滿分)"
)
_FULL_FIRST = re.compile(
    rf"(?<![\d.,])(\d{{1,3}})\s*(?:stars?|yıldız)?\s*{FULL_FIRST}\s*[:,]?\s*(\d{{1,3}}(?:[.,]\d{{1,2}})?)(?!\d)"
    r"|(?:out of|满分|滿分)\s*(\d{1,3})(?:\s*(?:stars?|分|星))?\s*[:,，]\s*(\d{1,3}(?:[.,]\d{1,2})?)(?!\d)",
    re.IGNORECASE,
)
_WORDS_OUT_OF = re.compile(
    rf"(?<!\w)({NUMBER_WORD}|\d(?:[.,]\d)?)\s*{UNIT}?\s*{OUT_OF}\s*({NUMBER_WORD}|\d{{1,3}})(?!\w)",
    re.IGNORECASE,
)
_WORD_STARS = re.compile(rf"(?<!\w)({NUMBER_WORD})[\s-]+{UNIT}(?!\w)", re.IGNORECASE)
_STAR_TOKEN = re.compile(r"star|rating|rated|score", re.IGNORECASE)
#: "a-star-4-5", "rating_3", "stars--40": numbers in class names.
_CLASS = re.compile(
    r"(?:^|\s)(?:[a-z]+[-_]+)*(?:stars?|rating|rated|score)[-_]*(?:value[-_]+)?"
    r"([0-5])(?:[-_.](0|5|25|50|75))?(?:[-_](?:of|out-of)[-_](\d{1,2}))?(?:[-_]?(half))?(?=[\s_-]|$)"
    r"(?![-_]\d)",
    re.IGNORECASE,
)
_UNIT_WORD = re.compile(UNIT, re.IGNORECASE)
_PERCENT = re.compile(r"(?<![\w.,])(\d{1,3}(?:[.,]\d{1,3})?)\s*%")
_PLAIN = re.compile(
    r"(?<![\w.,:/$€£#-])(-?\d{1,4}(?:[.,]\d{1,2})?)(?![\w]|[.,:/-]\d|\s?[$€£])"
)
_VULGAR = re.compile("(\\d)\\s?([¼½¾⅓⅔⅛⅜⅝⅞])")
_HALF_WRITTEN = re.compile(r"(?<![\w/.,])(\d)\s+1/2(?!\s*\d)")
_FULL_GLYPHS, _EMPTY_GLYPHS, _HALF_GLYPHS = "★⭐🌟⭑✭✮✯", "☆✩✰⚝⭒", "½⯨⯪◐◑⯩"
_FULL_BUBBLES, _EMPTY_BUBBLES = "●⬤🟢⚫♥❤🖤", "○◯⚪♡🤍"
_MARKS = str.maketrans({
    "\ufe0f": None, "\u066b": ".", "\u00a0": " ", "，": ",", "：": ":", "．": ".", "／": "/", "％": "%",
})  # fmt: skip
#: "5 out of 3 reviews" counts reviews: only these are full marks.
_FULL_MARKS = frozenset({3, 4, 5, 6, 7, 10, 20, 100})


@dataclass(frozen=True)
class Rating:
    """A rating as stated; `best` is None where the text does not say what full marks are."""

    value: float
    best: float | None = None
    #: False where `best` follows from the notation ("80 %") and no number says it.
    best_stated: bool = field(default=True, compare=False)


def parse_rating(stated: object) -> Rating | None:
    """The rating in a number or a text such as "4,5 von 5", "80 %" or "★★★★☆"; None when there is none."""
    if isinstance(stated, bool) or stated is None:
        return None
    if isinstance(stated, int | float):
        return Rating(_finite(stated))
    return _of_text(str(stated)[:1000].strip())


@functools.lru_cache(maxsize=10_000)
def _of_text(text: str) -> Rating | None:
    """Labels repeat from review to review, so each is read once."""
    if _BARE.fullmatch(text) and text.isascii():
        return None if _grouped(text) else Rating(_decimal(text))
    text = _unified(text)
    if not text:
        return None
    return next((found for read in _READERS if (found := read(text))), None)


def full_marks_after(text: str, value: float) -> float | None:
    """Full marks in a text that goes on behind a rating, such as "/ 5" or "von 5"; None where it has none."""
    rest = _unified(text[:200])
    match = _FULL_AFTER.match(rest)
    if not match or COUNTED.match(rest[match.end() :]):
        return None
    best = _decimal(match[1])
    return best if value <= best and best in _FULL_MARKS else None


def full_marks_beside(text: str, value: float) -> float | None:
    """Full marks that a text near a rating states for this very value; None where it states none."""
    text = _unified(text[:2000])
    for match in _OUT_OF.finditer(text):
        if math.isclose(_decimal(match[1]), value):
            return full_marks_after(text[match.end(1) :], value)
    return None


def stars(
    value: float, best: float | None = None, worst: float | None = None
) -> int | None:
    """Whole stars 1-5, halves up; None when `value` lies outside its scale (schema.org's default is 1 to 5).

    Scales of five and more count as shares of full marks, so that 20 % and 2 of 10 are one star, and 0 is
    one star where the scale says that it begins there; shorter scales (thumbs, smileys) are stretched from
    their worst to their best.
    """
    best = 5.0 if best is None else best
    if not 0 < best < math.inf:
        return None
    if best >= 5:
        if value == 0 and worst == 0:
            return 1
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


def _grouped(text: str) -> bool:
    """Whether a comma groups thousands: "1,037" is a count."""
    return bool(re.search(r",\d{3}$", text))


def _unified(text: str) -> str:
    """One digit set, one decimal mark, fractions as decimals, no variation selectors."""
    text = text.translate(_MARKS)
    text = _VULGAR.sub(lambda found: _with_fraction(found[1], found[2]), text)
    text = _HALF_WRITTEN.sub(r"\1.5", text)
    if text.isascii():
        return text.strip()
    return "".join(_ascii_digit(char) for char in text).strip()


def _with_fraction(digit: str, fraction: str) -> str:
    return f"{int(digit) + unicodedata.numeric(fraction):.3g}"


def _ascii_digit(char: str) -> str:
    value = unicodedata.decimal(char, None)
    return char if value is None else str(value)


def _full_first(text: str) -> Rating | None:
    match = _FULL_FIRST.search(text)
    if not match:
        return None
    best, value = match[1] or match[3], _decimal(match[2] or match[4])
    return Rating(value, float(best)) if value <= float(best) else None


def _out_of(text: str) -> Rating | None:
    match = _OUT_OF.search(text) or _BRACKETED.search(text)
    if not match or NOT_A_RATING.match(text[match.end() :].lstrip()):
        return None
    value, best = _decimal(match[1]), _decimal(match[2])
    counts = COUNTED.match(text[match.end() :])
    full = best in _FULL_MARKS and value <= best and not counts
    return Rating(value, best if full else None)


def _words(text: str) -> Rating | None:
    """Numbers as words, taken only where stars or a rating are spoken of."""
    if not (_UNIT_WORD.search(text) or _STAR_TOKEN.search(text)):
        return None
    if match := _WORDS_OUT_OF.search(text):
        if NOT_A_RATING.match(text[match.end() :].lstrip()):
            return None
        value, best = (_number(match[1]), _number(match[2]))
        return Rating(value, best) if best in _FULL_MARKS and value <= best else None
    if match := _WORD_STARS.search(text):
        return Rating(_number(match[1]))
    tokens = text.lower().split()
    named = {NUMBERS[token] for token in tokens if token in NUMBERS}
    if len(named) == 1 and len(tokens) <= 6 and _STAR_TOKEN.search(text):
        return Rating(float(named.pop()))
    return None


def _number(text: str) -> float:
    return float(NUMBERS.get(text.lower()) or _decimal(text))


def _class_name(text: str) -> Rating | None:
    found = _CLASS.findall(text)
    if len(set(found)) != 1:
        return None
    whole, part, best, half = found[0]
    value = float(f"{whole}.{part or 0}") + (0.5 if half else 0.0)
    return Rating(value, float(best) if best else None)


def _percent(text: str) -> Rating | None:
    found = _PERCENT.findall(text)
    if len(found) != 1 or not _about_rating(_PERCENT.sub(" ", text), "width"):
        return None
    return Rating(_decimal(found[0]), 100.0, best_stated=False)


def _glyphs(text: str) -> Rating | None:
    full, empty, half = (
        sum(map(text.count, glyphs))
        for glyphs in (_FULL_GLYPHS, _EMPTY_GLYPHS, _HALF_GLYPHS)
    )
    if not full and not (half and empty):
        full, empty = (
            sum(map(text.count, glyphs)) for glyphs in (_FULL_BUBBLES, _EMPTY_BUBBLES)
        )
        # Without an empty one, dots and hearts are decoration.
        if full and not empty and full + half != 5:
            return None
    places = full + empty + half
    number = _PLAIN.search(text)
    # "4 ★" says four, not one.
    if not full + half or places > 10 or (places == 1 and number):
        return None
    if half > 1:
        return None
    return Rating(full + half / 2, float(max(5, places)))


def _plain(text: str) -> Rating | None:
    if NOT_A_RATING.search(text):
        return None
    found = list(_PLAIN.finditer(text))
    if not found or _is_selector([one[1] for one in found]):
        return None
    first = found[0]
    if COUNTED.match(text[first.end() :]) and not _UNIT_WORD.match(
        text[first.end() :].strip()
    ):
        return None
    before = text[: first.start()]
    after = re.split(r"[(|·•\-–—,\n]|\d", text[first.end() :], maxsplit=1)[0]
    if not _about_rating(f"{before} {after}"):
        return None
    return Rating(_decimal(first[1]))


def _is_selector(numbers: list[str]) -> bool:
    """Whether the numbers are the choices of a rating form: 1 2 3 4 5, or the other way round."""
    return len(numbers) >= 4 and (
        numbers == sorted(set(numbers)) or numbers == sorted(set(numbers), reverse=True)
    )


def _about_rating(words: str, also: str = "") -> bool:
    """Whether no word but those of ratings is left."""
    left = _UNIT_WORD.sub(" ", ABOUT_RATING.sub(" ", words))
    if also:
        left = left.replace(also, " ")
    return not re.search(r"[^\W\d_]", left)


_READERS: tuple[Callable[[str], Rating | None], ...] = (
    _full_first,
    _out_of,
    _words,
    _class_name,
    _percent,
    _glyphs,
    _plain,
)
