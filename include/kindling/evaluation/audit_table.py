"""A file of answers from any model: truth, prediction and group a row, read with errors by line."""

import csv
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kindling.errors import DataError

#: Names by which a column is known, whatever their case; the first that is there counts.
NAMES: Mapping[str, tuple[str, ...]] = {
    "truth": ("truth", "y_true", "true", "gold", "label", "target", "actual"),
    "prediction": (
        "prediction",
        "predicted",
        "y_pred",
        "pred",
        "answer",
        "candidate",
    ),
    "group": ("group", "product_id", "product", "cluster", "user_id", "subject"),
    "second": (
        "second",
        "second_prediction",
        "prediction_2",
        "y_pred_2",
        "other",
        "baseline",
    ),
}
#: Before a class's name, of columns that hold its probability.
PROBABILITY = ("p_", "prob_", "probability_")
#: The probability of the class that is predicted, where there is no column for each.
CONFIDENCE = ("confidence", "score")
MAX_CLASSES = 20
#: Rows times squared classes, each of which is a number in memory.
MAX_CELLS = 100_000_000
#: How far a row's probabilities may sum from 1.
SUM_TOLERANCE = 0.02
#: Faulty lines that one message names.
NAMED = 5


@dataclass(frozen=True)
class Columns:
    """Names of columns; empty ones are recognised by `NAMES`."""

    truth: str = ""
    prediction: str = ""
    group: str = ""
    second: str = ""


@dataclass(frozen=True)
class AuditTable:
    """n rows."""

    classes: tuple[str, ...]
    #: int64 [n], index in `classes`.
    truth: np.ndarray
    predicted: np.ndarray
    #: int64 [n]; each row its own where the file names no group.
    groups: np.ndarray
    #: Column of the groups; empty where there is none.
    grouped_by: str
    #: int64 [n], a second model's; None without.
    second: np.ndarray | None
    #: float64 [n, classes], or None.
    probabilities: np.ndarray | None
    #: float64 [n] of the predicted class, where the file has no more; or None.
    confidence: np.ndarray | None
    #: Role -> column.
    columns: Mapping[str, str]
    #: Columns that have no role -> their values [n].
    others: Mapping[str, Sequence[str]] = field(default_factory=dict)
    digests: tuple[str, ...] = ()


def read(path: Path, wanted: Columns) -> AuditTable:
    """DataError names the file, the line, the value and what is allowed."""
    header, lines, rows = _rows(path)
    places = _places(path, header, wanted)
    values = {role: [row[at] for row in rows] for role, at in places.items()}
    _no_empty(path, lines, values, header, places)
    classes = _classes(path, values)
    codes = {name: number for number, name in enumerate(classes)}

    def coded(role: str) -> np.ndarray:
        return np.array([codes[one] for one in values[role]], dtype=np.int64)

    taken = set(places.values())
    probabilities, used = _probabilities(path, header, lines, rows, classes)
    confidence: np.ndarray | None = None
    also: set[int] = set()
    if probabilities is None:
        confidence, also = _confidence(path, header, lines, rows)
    taken |= used | also
    groups = values.get("group") or [str(number) for number in range(len(rows))]
    return AuditTable(
        classes=classes,
        truth=coded("truth"),
        predicted=coded("prediction"),
        groups=np.unique(groups, return_inverse=True)[1].astype(np.int64),
        grouped_by=header[places["group"]] if "group" in places else "",
        second=coded("second") if "second" in places else None,
        probabilities=probabilities,
        confidence=confidence,
        columns={role: header[at] for role, at in places.items()},
        others={
            name: [row[at] for row in rows]
            for at, name in enumerate(header)
            if at not in taken
        },
        digests=tuple(
            hashlib.sha256("\0".join(row).encode()).hexdigest() for row in rows
        ),
    )


def _rows(path: Path) -> tuple[list[str], list[int], list[list[str]]]:
    """Header, the line that each row begins on, rows."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: a folder, not a CSV file") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8"
        ) from None
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    found = list(_numbered(path, reader))
    if len(found) < 2:
        raise DataError(
            f"{path}: {'empty' if not found else 'a header and no row'}; a line of column"
            " names and one line an answer is wanted"
        )
    header = [name.strip() for name in found[0][1]]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{path}, line 1: column {', '.join(twice)} is there twice")
    for line, row in found[1:]:
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {line}: {len(row)} values, the header names"
                f" {len(header)} columns"
            )
    return header, [line for line, _ in found[1:]], [row for _, row in found[1:]]


def _numbered(
    path: Path, reader: "Iterator[list[str]]"
) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, with the line they begin on."""
    line = 1
    try:
        for row in reader:
            if any(value.strip() for value in row):
                yield line, [value.strip() for value in row]
            line = reader.line_num + 1  # type: ignore[attr-defined]
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: {error}") from None


def _places(path: Path, header: Sequence[str], wanted: Columns) -> dict[str, int]:
    """Role -> place of its column."""
    lower = [name.lower() for name in header]
    found: dict[str, int] = {}
    for role, names in NAMES.items():
        asked = getattr(wanted, role)
        if asked:
            if asked not in header:
                raise DataError(
                    f"{path}: no column {asked!r} for the {role}; columns: {', '.join(header)}"
                )
            found[role] = header.index(asked)
            continue
        known = [lower.index(name) for name in names if name in lower]
        free = [at for at in known if at not in found.values()]
        if free:
            found[role] = free[0]
    for role in ("truth", "prediction"):
        if role not in found:
            raise DataError(
                f"{path}: no column is recognised as the {role} (columns: {', '.join(header)});"
                f" name it with --{role}, or call it one of {', '.join(NAMES[role])}"
            )
    return found


def _no_empty(
    path: Path,
    lines: Sequence[int],
    values: Mapping[str, Sequence[str]],
    header: Sequence[str],
    places: Mapping[str, int],
) -> None:
    for role, column in values.items():
        empty = [line for line, value in zip(lines, column, strict=True) if not value]
        if empty:
            raise DataError(
                f"{path}: {header[places[role]]} (the {role}) is empty on {_named(empty)};"
                " every row needs one, leave out those without"
            )


def _named(lines: Sequence[int]) -> str:
    shown = ", ".join(str(line) for line in lines[:NAMED])
    more = f" and {len(lines) - NAMED} more" if len(lines) > NAMED else ""
    return f"line {shown}{more}"


def _classes(path: Path, values: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    roles = [role for role in ("truth", "prediction", "second") if role in values]
    found = sorted({one for role in roles for one in values[role]})
    n = len(values["truth"])
    if len(found) > MAX_CLASSES:
        raise DataError(
            f"{path}: {len(found)} different values in {' and '.join(roles)}, at most"
            f" {MAX_CLASSES} classes are audited; are these numbers, not classes?"
        )
    if len(set(values["truth"])) < 2:
        raise DataError(
            f"{path}: the truth of all {n} rows is {found[0]!r}; nothing can be told of a"
            " model that had one answer to give"
        )
    if n * len(found) ** 2 > MAX_CELLS:
        raise DataError(
            f"{path}: {n} rows of {len(found)} classes are more than fit in memory; audit"
            f" {MAX_CELLS // len(found) ** 2} rows drawn by group"
        )
    return tuple(found)


def _probabilities(
    path: Path,
    header: Sequence[str],
    lines: Sequence[int],
    rows: Sequence[Sequence[str]],
    classes: Sequence[str],
) -> tuple[np.ndarray | None, set[int]]:
    """[n, classes] and the places of their columns; None where a class has no column."""
    for start in PROBABILITY:
        wanted = [f"{start}{name}" for name in classes]
        if all(name in header for name in wanted):
            places = [header.index(name) for name in wanted]
            found = np.array(
                [
                    [_share(path, line, header[at], row[at]) for at in places]
                    for line, row in zip(lines, rows, strict=True)
                ]
            )
            off = np.flatnonzero(np.abs(found.sum(1) - 1) > SUM_TOLERANCE)
            if len(off):
                raise DataError(
                    f"{path}, line {lines[off[0]]}: the probabilities sum to"
                    f" {found[off[0]].sum():.3f}, 1 is wanted ({len(off)} such rows)"
                )
            return found / found.sum(1, keepdims=True), set(places)
    return None, set()


def _confidence(
    path: Path,
    header: Sequence[str],
    lines: Sequence[int],
    rows: Sequence[Sequence[str]],
) -> tuple[np.ndarray | None, set[int]]:
    lower = [name.lower() for name in header]
    place = next((lower.index(name) for name in CONFIDENCE if name in lower), None)
    if place is None:
        return None, set()
    return np.array(
        [
            _share(path, line, header[place], row[place])
            for line, row in zip(lines, rows, strict=True)
        ]
    ), {place}


def _share(path: Path, line: int, column: str, value: str) -> float:
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not 0 <= found <= 1:
        raise DataError(
            f"{path}, line {line}, {column}: {value!r}; a number from 0 to 1 is wanted"
        )
    return found
