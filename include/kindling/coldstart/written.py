"""Generated rows of any origin, read line by line with the fault of each said in words."""

import csv
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from kindling.errors import DataError
from kindling.records import SENTIMENTS, Sentiment, sentiment_of


@dataclass(frozen=True)
class Written:
    """A generated review, what it was to say, and the real reviews that it was made from."""

    text: str
    sentiment: Sentiment
    category: str
    sources: tuple[str, ...] = ()


def read_rows(path: Path) -> list[Written]:
    """The rows of a CSV or JSON-lines file, each also as .gz; DataError names file and line."""
    kind = "".join(path.suffixes).removesuffix(".gz")[-6:]
    try:
        with _opened(path) as file:
            if kind.endswith(".csv"):
                rows = list(_of_csv(file, path))
            elif kind.endswith((".jsonl", ".json")):
                rows = [
                    read_line(line, f"{path}, line {number}")
                    for number, line in enumerate(file, 1)
                    if line.strip()
                ]
            else:
                raise DataError(f"{path}: wanted .csv or .jsonl, each also as .gz")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    if not rows:
        raise DataError(f"{path}: no row")
    return rows


def read_line(line: str, where: str) -> Written:
    """One JSON object; DataError begins with `where`."""
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error.msg})") from None
    if not isinstance(found, dict):
        raise DataError(f"{where}: {type(found).__name__}, wanted an object")
    return _row(found, where)


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _of_csv(file: IO[str], path: Path) -> Iterator[Written]:
    for number, row in enumerate(csv.DictReader(file), 2):
        yield _row(row, f"{path}, line {number}")


def _row(found: Mapping[str, Any], where: str) -> Written:
    title, body = str(found.get("title") or ""), str(found.get("body") or "")
    text = str(found.get("text") or "").strip() or ". ".join(
        filter(None, (title, body))
    )
    if not text:
        raise DataError(f"{where}: no text; wanted `text`, or `title` and `body`")
    category = str(found.get("category") or "").strip()
    if not category:
        raise DataError(f"{where}: no `category`")
    return Written(text, _sentiment(found, where), category, _sources(found, where))


def _sentiment(found: Mapping[str, Any], where: str) -> Sentiment:
    said = str(found.get("sentiment") or "").strip().lower()
    if said in SENTIMENTS:
        return said
    stars = str(found.get("rating") or "").strip()
    if not said and stars in ("1", "2", "3", "4", "5"):
        return sentiment_of(int(stars))
    raise DataError(
        f"{where}: sentiment {said or stars!r}; wanted `sentiment` of "
        f"{', '.join(SENTIMENTS)}, or `rating` from 1 to 5"
    )


def _sources(found: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """A list of ids, or in a CSV ids with spaces between."""
    given = found.get("sources") or ()
    if isinstance(given, str):
        return tuple(given.split())
    if not isinstance(given, Sequence):
        raise DataError(f"{where}: sources {given!r}; wanted a list of ids")
    return tuple(map(str, given))
