"""Reviews in the data that a page's own scripts are built from: __NEXT_DATA__, initial states, islands."""

import json
import re
from collections.abc import Iterator
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from kindling.scraping.findings import FoundReview
from kindling.scraping.rating import Rating, parse_rating
from kindling.scraping.schema_values import text
from kindling.scraping.urls import absolute

#: Lists under such a name hold reviews; under any other, text beside a number may be anything.
_REVIEWS = re.compile(
    r"review|avis|bewertung|rezension|opinion|recensi|reseñ|testimonial|feedback|ugc",
    re.IGNORECASE,
)
_BODY = tuple(
    "reviewbody reviewtext body text content comment message description reviewcontent "
    "commenttext textreview pros".split()
)
_TITLE = ("title", "headline", "reviewtitle", "summary", "subject", "name")
_RATING = tuple(
    "rating stars score ratingvalue reviewrating overallrating starrating rate ratingscore "
    "reviewscore note value".split()
)
_BEST = ("ratingrange", "maxrating", "bestrating", "ratingmax", "maxscore", "outof")
_ID = ("reviewid", "id", "uuid", "reviewuuid", "externalid")
_DATE = tuple(
    "datepublished createdat date submissiontime created reviewdate datecreated publishedat "
    "submitted createddate timestamp".split()
)
_PHOTO = ("photo", "image", "photos", "images", "media")
#: window.__STATE__ = {…}: the assignment before the data.
_ASSIGNED = re.compile(
    r"(?:window|self|globalThis)(?:\.|\[[\"'])__?[\w$]+(?:[\"']\])?\s*=\s*(?=[{\[])"
)
_MAX_SCRIPT = 3_000_000
_MAX_NODES = 200_000
_FULL_MARKS = (5.0, 10.0, 100.0)


def reviews(tree: LexborHTMLParser, url: str) -> list[FoundReview]:
    """The reviews in the page's embedded JSON, each once; a list whose scale cannot be told is left out."""
    found: dict[tuple[str, str, str], FoundReview] = {}
    for value in _islands(tree):
        for rows in _review_lists(value):
            for review in _read(rows, url):
                key = (review.review_id, review.title, review.body)
                found.setdefault(key, review)
    return list(found.values())


def _islands(tree: LexborHTMLParser) -> Iterator[Any]:
    decoder = json.JSONDecoder(strict=False)
    for script in tree.css("script"):
        kind = (script.attributes.get("type") or "").lower()
        if script.attributes.get("src") or "ld+json" in kind:
            continue
        content = script.text()
        if len(content) > _MAX_SCRIPT or not _REVIEWS.search(content):
            continue
        starts = (
            [0] if "json" in kind else [m.end() for m in _ASSIGNED.finditer(content)]
        )
        for start in starts[:20]:
            try:
                yield decoder.raw_decode(
                    content.lstrip() if not start else content, start
                )[0]
            except (ValueError, RecursionError):
                continue


def _review_lists(root: Any) -> Iterator[list[dict[str, Any]]]:
    """Lists of objects that lie under a name for reviews."""
    stack: list[tuple[Any, bool]] = [(root, False)]
    visited = 0
    while stack and visited < _MAX_NODES:
        value, named = stack.pop()
        visited += 1
        if isinstance(value, dict):
            stack.extend(
                (one, named or bool(_REVIEWS.search(key)))
                for key, one in reversed(value.items())
                if isinstance(one, dict | list)
            )
        elif isinstance(value, list):
            rows = [one for one in value if isinstance(one, dict)]
            if named and rows and all(_body(row) is not None for row in rows):
                yield rows
            else:
                stack.extend((one, named) for one in reversed(value))


def _read(rows: list[dict[str, Any]], url: str) -> list[FoundReview]:
    stated = [_rating(row) for row in rows]
    if not any(stated):
        return []
    highest = max(one.value for one in stated if one)
    best = next((full for full in _FULL_MARKS if highest <= full), None)
    if best is None:
        return []
    return [
        _review(row, rating, best, url)
        for row, rating in zip(rows, stated, strict=True)
    ]


def _review(
    row: dict[str, Any], rating: Rating | None, best: float, url: str
) -> FoundReview:
    values = _folded(row)
    photo = _photo(values)
    return FoundReview(
        review_id=text(_pick(values, _ID)),
        title=text(_pick(values, _TITLE)),
        body=_body(row) or "",
        rating=rating.value if rating else None,
        best=(rating.best or best) if rating else None,
        published=text(_pick(values, _DATE)),
        photo_url=absolute(url, photo) if photo else "",
        method="embedded",
        extractor="embedded",
    )


def _folded(row: dict[str, Any]) -> dict[str, Any]:
    return {re.sub(r"[\W_]", "", key).lower() or key: one for key, one in row.items()}


def _pick(values: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((values[name] for name in names if values.get(name)), None)


def _body(row: dict[str, Any]) -> str | None:
    """The row's text; None where it has no field for one and no rating, so that it is no review."""
    values = _folded(row)
    if not any(name in values for name in _RATING):
        return None
    fields = [name for name in _BODY if isinstance(values.get(name), str | dict)]
    return text(values[fields[0]]) if fields else None


def _rating(row: dict[str, Any]) -> Rating | None:
    values = _folded(row)
    stated = _pick(values, _RATING)
    if isinstance(stated, dict):
        inner = _folded(stated)
        values, stated = inner, _pick(inner, _RATING)
    found = parse_rating(stated if isinstance(stated, str | int | float) else None)
    best = parse_rating(_pick(values, _BEST))
    if found is None or found.value <= 0:
        return None
    return Rating(found.value, best.value if best else found.best)


def _photo(values: dict[str, Any]) -> str:
    for name in _PHOTO:
        value = values.get(name)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, dict):
            value = value.get("url") or value.get("src")
        if isinstance(value, str):
            return value
    return ""
