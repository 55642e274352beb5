"""A file of any known format as numbered rows of named cells."""

import gzip
import json
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from kindling.sources.files import delimited
from kindling.sources.files.lines import (
    Encoding,
    Line,
    Refused,
    Unreadable,
    encoding_of,
    lines,
    open_bytes,
    sample_of,
)
from kindling.sources.files.names import NAMES, folded, known
from kindling.sources.files.ragged import UNNAMED, may_be_shorter, names_for

SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet")
#: A JSON document is read whole; lines (JSONL) are not.
_MAX_DOCUMENT = 512 * 1024 * 1024
#: Records that the format is told from.
_PROBED = 200
_DAMAGE = (EOFError, OSError, zlib.error)


@dataclass(frozen=True)
class Row:
    """One review, or one product, as it is in the file."""

    number: int
    cells: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A file whose format was told. Its rows can be read any number of times."""

    path: Path
    kind: str
    #: How it was read, for people: encoding, delimiter.
    reading: str
    names: tuple[str, ...]
    encoding: Encoding | None = None
    dialect: delimited.Dialect | None = None
    #: Line of the header; 0 where the file has none.
    header: int = 0
    #: Cells that a row has at least; fewer than there are names where rows leave their last cells out.
    at_least: int = 0

    def rows(self) -> Iterator[Row | Refused]:
        """Every row, or the number and reason of one that is not read."""
        if self.kind == "parquet":
            return _parquet_rows(self.path)
        if self.kind == "json":
            return _document_rows(self.path)
        assert self.encoding is not None
        found = lines(self.path, self.encoding)
        if self.kind == "jsonl":
            return _json_lines(found)
        assert self.dialect is not None
        return _delimited_rows(found, self)

    def sample(self, size: int) -> list[Row]:
        """The first rows that can be read."""
        return [one for one in islice(self.rows(), 4 * size) if isinstance(one, Row)][
            :size
        ]


def suffix_of(path: Path) -> str:
    """The format that the file's name tells, `.gz` left out; empty for none that is read."""
    name = path.name.casefold().removesuffix(".gz")
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def table_of(path: Path, delimiter: str = "", encoding: str = "") -> Table:
    """The table in a file; Unreadable says why there is none."""
    sample = sample_of(path)
    if not sample:
        raise Unreadable("the file is empty")
    if sample.startswith(b"PAR1"):
        return Table(path, "parquet", "Parquet", _parquet_names(path))
    if suffix_of(path) == ".parquet":
        raise Unreadable("this is no Parquet file, though its name says so")
    told = encoding_of(sample, encoding)
    text = _text(sample, told)
    if not text.strip():
        raise Unreadable("the file holds nothing but white space")
    if text.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}:
        return _json_table(path, told, text)
    return _delimited_table(path, told, text, delimiter)


def _text(sample: bytes, told: Encoding) -> str:
    name = told.name if told.name != "utf-8" else "utf-8-sig"
    text = sample.decode(name, "replace").removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def _json_table(path: Path, told: Encoding, text: str) -> Table:
    first = text.lstrip("\ufeff \t\r\n").partition("\n")[0].strip()
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        value = None
    listed = next((one for one in _lists(value) if one), None)
    kind = "jsonl" if isinstance(value, dict) and listed is None else "json"
    if value is None and suffix_of(path) in {".jsonl", ".ndjson"}:
        kind = "jsonl"
    table = Table(
        path, kind, f"{kind.upper()}, {told}", (), told if kind == "jsonl" else None
    )
    names = dict.fromkeys(key for row in table.sample(200) for key in row.cells)
    return Table(path, kind, table.reading, tuple(names), table.encoding)


def _delimited_table(path: Path, told: Encoding, text: str, delimiter: str) -> Table:
    hint = delimiter or ("\t" if suffix_of(path) == ".tsv" else "")
    dialect = delimited.dialect_of(text, known, hint)
    numbered = (Line(number, one) for number, one in enumerate(text.split("\n"), 1))
    probe = [
        one
        for one in islice(delimited.records(numbered, dialect), _PROBED)
        if isinstance(one, delimited.Record)
    ]
    if not probe:
        raise Unreadable("no line of it can be read as a row of cells")
    header = probe[delimited.header_of(probe, known)]
    spoken = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
    reading = f"{told}, {spoken.get(dialect.delimiter, repr(dialect.delimiter))}"
    if not known(header.cells) and _is_data(header.cells):
        names = tuple(f"column {n}" for n in range(1, len(header.cells) + 1))
        return Table(
            path, "csv", reading + ", no header", names, told, dialect, header=0
        )
    rows = [one for one in probe if one.number > header.number]
    names = names_for(_unique(header.cells), rows, _starry(header.cells))
    least = may_be_shorter(names, rows)
    if least < len(names):
        reading += f", rows of {least} cells"
    return Table(path, "csv", reading, names, told, dialect, header.number, least)


def _starry(cells: Sequence[str]) -> list[int]:
    """Positions of the names that may be ratings."""
    known_names = NAMES["stars"]
    return [place for place, cell in enumerate(cells) if folded(cell) in known_names]


def _is_data(cells: Sequence[str]) -> bool:
    """Whether a first line without a known name is a row: it holds a text or a number."""
    return any(len(cell.split()) > 6 for cell in cells) or any(
        cell.strip().isdigit() for cell in cells
    )


def _unique(cells: Sequence[str]) -> tuple[str, ...]:
    names: list[str] = []
    for position, cell in enumerate(cells, 1):
        name = cell.strip().lstrip("\ufeff") or f"column {position}"
        times = sum(one == name or one.startswith(f"{name} (") for one in names)
        names.append(f"{name} ({times + 1})" if times else name)
    return tuple(names)


def _delimited_rows(
    found: Iterator[Line | Refused], table: Table
) -> Iterator[Row | Refused]:
    assert table.dialect is not None
    names, header = table.names, table.header
    named = tuple(name for name in names if not name.startswith(UNNAMED))
    for record in delimited.records(found, table.dialect):
        if isinstance(record, Refused):
            yield record
        elif record.number < header:
            yield Refused(record.number, "before_header", "stands before the header")
        elif record.number == header:
            continue
        elif header and _unique(record.cells) == named:
            yield Refused(record.number, "header_again", "the header once more")
        elif not any(cell.strip() for cell in record.cells):
            continue
        else:
            yield _fitted(record, names, table.at_least or len(names))


def _fitted(
    record: delimited.Record, names: Sequence[str], at_least: int
) -> Row | Refused:
    cells, wanted = record.cells, len(names)
    while len(cells) > wanted and not cells[-1].strip():
        cells = cells[:-1]
    if not at_least <= len(cells) <= wanted:
        return Refused(
            record.number, "ragged_row", f"{len(cells)} cells, the header has {wanted}"
        )
    return Row(record.number, dict(zip(names, cells, strict=False)))


def _json_lines(found: Iterator[Line | Refused]) -> Iterator[Row | Refused]:
    for line in found:
        if isinstance(line, Refused):
            yield line
        elif line.text.strip():
            try:
                value = json.loads(line.text)
            except (ValueError, RecursionError) as error:
                yield Refused(line.number, "not_json", str(error)[:200])
                continue
            yield _object(line.number, value)


def _document_rows(path: Path) -> Iterator[Row | Refused]:
    try:
        with open_bytes(path) as file:
            data = file.read(_MAX_DOCUMENT + 1)
    except _DAMAGE as error:
        yield Refused(1, "damaged_archive", f"{type(error).__name__}: {error}")
        return
    if len(data) > _MAX_DOCUMENT:
        yield Refused(
            1, "too_large", "a JSON document this large is read as JSONL only"
        )
        return
    try:
        value = json.loads(data.decode(json.detect_encoding(data)))
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        yield Refused(line, "not_json", str(error)[:200])
        return
    elements = next((one for one in _lists(value) if one), None)
    if elements is None:
        yield Refused(1, "no_list", "no list of objects in the document")
        return
    for number, element in enumerate(elements, 1):
        yield _object(number, element)


def _lists(value: Any) -> Iterator[list[Any]]:
    """The document itself, or what its keys hold, where that is a list of objects."""
    for one in (value, *(value.values() if isinstance(value, dict) else ())):
        if isinstance(one, list) and any(isinstance(part, dict) for part in one):
            if value is one or len(one) > 1 and len(value) <= 5:
                yield one


def _object(number: int, value: Any) -> Row | Refused:
    if not isinstance(value, dict):
        return Refused(number, "no_object", f"{type(value).__name__}, not an object")
    cells: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            cells |= {f"{key} {name}": part for name, part in inner.items()}
        else:
            cells[str(key)] = inner
    return Row(number, cells)


def _parquet_names(path: Path) -> tuple[str, ...]:
    import pyarrow
    import pyarrow.parquet

    try:
        with _unpacked(path) as file:
            return tuple(pyarrow.parquet.ParquetFile(file).schema_arrow.names)
    except (pyarrow.ArrowException, *_DAMAGE) as error:
        raise Unreadable(f"a damaged Parquet file: {str(error)[:200]}") from None


def _parquet_rows(path: Path) -> Iterator[Row | Refused]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    with _unpacked(path) as file:
        try:
            for batch in pyarrow.parquet.ParquetFile(file).iter_batches(2_000):
                for cells in batch.to_pylist():
                    number += 1
                    yield Row(number, cells)
        except (pyarrow.ArrowException, *_DAMAGE, UnicodeDecodeError) as error:
            yield Refused(number + 1, "damaged_parquet", str(error)[:200])


def _unpacked(path: Path) -> Any:
    """The file itself, or a copy on disk of what its gzip holds: Parquet is read from its end."""
    file = open_bytes(path)
    if not isinstance(file, gzip.GzipFile):
        return file
    copy = tempfile.TemporaryFile()
    with file:
        shutil.copyfileobj(file, copy, 1 << 20)
    copy.seek(0)
    return copy
