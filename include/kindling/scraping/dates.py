"""Dates as shops write them, brought to ISO; no date rather than one whose day and month may be swapped."""

import datetime
import functools
import itertools
import re
import warnings
from collections.abc import Iterator

_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?![\d-])")
_EPOCH = re.compile(r"-?\d{9,10}(?:\.\d+)?|\d{12,13}")
#: Year first, with any marks between: 2024年10月5日, 2024. 10. 5., 2024/10/05.
_YEAR_FIRST = re.compile(
    r"(?<!\d)(\d{4})\s?[年년./-]\s?(\d{1,2})\s?[月월./-]\s?(\d{1,2})(?!\d)"
)
_NUMERIC = re.compile(
    r"(?<!\d)(\d{1,2})\s?([./-])\s?(\d{1,2})\s?\2\s?(\d{4}|\d{2})(?!\d)"
)
#: "7. Juni 2018", "7 de junio de 2018", "7th of June, 2018"; then "June 7th, 2018", "2018 m. birželio 7".
_MONTH = r"[^\W\d_]{3,20}\.?"
_OF = r"(?:\s?(?:de|of|del|di|do|d[’']|of the)\s)?"
_DAY_FIRST = re.compile(
    rf"(?<!\d)\d{{1,2}}(?:st|nd|rd|th|er|re|e|[.ºª])?\s?{_OF}\s?{_MONTH},?{_OF}\s?\d{{4}}(?!\d)",
    re.IGNORECASE,
)
_MONTH_FIRST = re.compile(
    rf"{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{4}}(?!\d)", re.IGNORECASE
)
_HYPHENED = re.compile(rf"(?<!\d)\d{{1,2}}-{_MONTH}-\d{{4}}(?!\d)", re.IGNORECASE)
_MONTH_DAY_FIRST_LOCALES = {"en-us", "en-ca", "en-ph", "es-us"}
_FIRST_YEAR = 1990
#: Of one form and one page; a page with more is no product's.
_MAX_DATES = 500
#: The Buddhist era is this many years ahead (Thailand).
_BUDDHIST = 543


def iso_date(
    stated: object, language: str = "", today: datetime.date | None = None
) -> str:
    """The date as YYYY-MM-DD, empty where none can be told for certain.

    `language` is a tag such as "fr" or "en-GB": it names the months and orders day and month. `today` (of
    the fetch) allows "3 days ago" and forbids later dates. Words around the date are left out.
    """
    text = str(stated).strip()[:200] if stated is not None else ""
    if not text:
        return ""
    found = _read(text, language.strip().replace("_", "-").lower(), today)
    latest = (today or datetime.date.today()) + datetime.timedelta(days=2)
    if found is None or not datetime.date(_FIRST_YEAR, 1, 1) <= found <= latest:
        return ""
    return found.isoformat()


def dates_in(text: str) -> Iterator[str]:
    """Whatever in a long text may be a date with day, month and year."""
    for pattern in (_ISO, _YEAR_FIRST, _NUMERIC, _DAY_FIRST, _MONTH_FIRST, _HYPHENED):
        for match in itertools.islice(pattern.finditer(text), _MAX_DATES):
            yield match[0]


def _read(
    text: str, language: str, today: datetime.date | None
) -> datetime.date | None:
    if match := _ISO.search(text):
        return _date(match[1], match[2], match[3])
    if _EPOCH.fullmatch(text):
        return _of_epoch(float(text))
    if match := _YEAR_FIRST.search(text):
        return _date(match[1], match[2], match[3])
    if match := _NUMERIC.search(text):
        return _of_numbers(match, language)
    for pattern in (_DAY_FIRST, _MONTH_FIRST, _HYPHENED):
        if match := pattern.search(text):
            found = _of_words(match[0], language.split("-")[0])
            if found is not None:
                return found
    return _relative(text, language.split("-")[0], today) if today else None


def _date(year: str, month: str, day: str) -> datetime.date | None:
    number = int(year) if len(year) == 4 else 2000 + int(year)
    if number > 2400:
        number -= _BUDDHIST
    try:
        return datetime.date(number, int(month), int(day))
    except ValueError:
        return None


def _of_epoch(seconds: float) -> datetime.date | None:
    if abs(seconds) > 1e11:
        seconds /= 1000
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).date()
    except (OverflowError, OSError, ValueError):
        return None


def _of_numbers(match: re.Match[str], language: str) -> datetime.date | None:
    """Day and month where it is clear which is which: by their size, or by the language's order."""
    first, second, year = match[1], match[3], match[4]
    if int(second) > 12:
        return _date(year, first, second)
    if int(first) > 12 or first == second:
        return _date(year, second, first)
    if language in _MONTH_DAY_FIRST_LOCALES:
        return _date(year, first, second)
    # Points are not written in month-first countries; plain "en" may be of any.
    if match[2] == "." or (language and language != "en"):
        return _date(year, second, first)
    return None


@functools.lru_cache(maxsize=20_000)
def _of_words(text: str, language: str) -> datetime.date | None:
    text = re.sub(r"(?<=\d)(?:st|nd|rd|th|er|re|[ºª])(?![^\W\d_])", "", text)
    for languages in ([language], None) if language else (None,):
        found = _parsed(text, languages, {"REQUIRE_PARTS": ["day", "month", "year"]})
        if found is not None:
            return found.date()
    return None


@functools.lru_cache(maxsize=20_000)
def _relative(text: str, language: str, today: datetime.date) -> datetime.date | None:
    """ "3 days ago"; months and years ago name no day."""
    base = datetime.datetime.combine(today, datetime.time(12))
    settings = {"PARSERS": ["relative-time"], "RELATIVE_BASE": base}
    found = _parsed(text[:60], [language] if language else None, settings)
    if found is None or abs((base - found).days) > 28:
        return None
    return found.date()


def _parsed(
    text: str, languages: list[str] | None, settings: dict[str, object]
) -> datetime.datetime | None:
    # Loading it takes .3 s; most shops write ISO dates.
    import dateparser

    with warnings.catch_warnings():
        # dateparser's own use of a deprecated way to read a date without a year.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            found = dateparser.parse(text, languages=languages, settings=settings)
        except (ValueError, OverflowError):
            # A language that dateparser does not know.
            return None
    return found if isinstance(found, datetime.datetime) else None
