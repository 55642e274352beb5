"""Lines of a delimited file as rows of cells: delimiters told, quotes that never close contained."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from kindling.sources.files.lines import Line, Refused

DELIMITERS = (",", ";", "\t", "|")
#: A quoted cell over more lines or characters than this was never meant to be one.
_MAX_SPAN_LINES = 500
_MAX_SPAN = 200_000
_PROBE_RECORDS = 60
#: A header is looked for in this many records; exports put a title or a blank line before it.
_HEADER_WITHIN = 10


@dataclass(frozen=True)
class Record:
    """The cells of one record and the number of the line that it begins on."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Dialect:
    """How the file parts its cells."""

    delimiter: str
    #: Quotes inside a quoted cell are escaped by a backslash instead of being doubled.
    backslash: bool = False


def records(
    lines: Iterable[Line | Refused], dialect: Dialect
) -> Iterator[Record | Refused]:
    """Every record, or why a line is none. A quote that never closes costs its own line alone."""
    waiting: list[Line | Refused] = []
    source = iter(lines)
    while True:
        line = waiting.pop(0) if waiting else next(source, None)
        if line is None:
            return
        if isinstance(line, Refused):
            yield line
            continue
        if line.number == 1 and _separator_line(line.text):
            continue
        if not line.text.strip():
            continue
        cells = parse(line.text, dialect)
        if cells is not None:
            yield Record(line.number, cells)
            continue
        found, read = _spanning(line, waiting, source, dialect)
        if found is not None:
            yield found
            continue
        waiting = read
        yield Refused(
            line.number, "quote_never_closed", "a quote that opens here is never closed"
        )


def _spanning(
    first: Line,
    waiting: list[Line | Refused],
    source: Iterator[Line | Refused],
    dialect: Dialect,
) -> tuple[Record | None, list[Line | Refused]]:
    """The record that goes on over the next lines; without one, the lines that were looked at."""
    read: list[Line | Refused] = []
    text = first.text
    while len(read) < _MAX_SPAN_LINES and len(text) < _MAX_SPAN:
        line = waiting.pop(0) if waiting else next(source, None)
        if line is None:
            break
        read.append(line)
        if isinstance(line, Refused):
            break
        text += "\n" + line.text
        if '"' not in line.text:
            continue
        cells = parse(text, dialect, strict=True)
        if cells is not None:
            return Record(first.number, cells), []
        if parse(text, dialect) is not None:
            # Something follows the closing quote: it was the next record's opening one.
            break
    return None, read + waiting


def parse(text: str, dialect: Dialect, strict: bool = False) -> tuple[str, ...] | None:
    """The cells of a record; None where a quote is still open, or with `strict` where text follows one."""
    delimiter = dialect.delimiter
    if '"' not in text:
        return tuple(text.split(delimiter))
    cells, position = [], 0
    while True:
        start = position
        while start < len(text) and text[start] == " " and delimiter != " ":
            start += 1
        if start < len(text) and text[start] == '"':
            end = _closing(text, start + 1, dialect)
            if end < 0:
                return None
            after = text.find(delimiter, end + 1)
            after = len(text) if after < 0 else after
            tail = text[end + 1 : after]
            if strict and tail.strip():
                return None
            cells.append(_unescaped(text[start + 1 : end], dialect) + tail.strip())
        else:
            after = text.find(delimiter, position)
            after = len(text) if after < 0 else after
            cells.append(text[position:after])
        if after >= len(text):
            return tuple(cells)
        position = after + len(delimiter)


def _closing(text: str, start: int, dialect: Dialect) -> int:
    while True:
        end = text.find('"', start)
        if end < 0:
            return -1
        if dialect.backslash and text[end - 1] == "\\":
            start = end + 1
        elif text[end + 1 : end + 2] == '"':
            start = end + 2
        else:
            return end


def _unescaped(text: str, dialect: Dialect) -> str:
    text = text.replace('""', '"')
    return text.replace('\\"', '"') if dialect.backslash else text


def _separator_line(text: str) -> str:
    """Excel's `sep=;` line: the delimiter that it names."""
    head, _, delimiter = text.strip('" ').partition("=")
    return delimiter[:1] if head.casefold() == "sep" and len(delimiter) <= 2 else ""


def dialect_of(
    sample: str, known: Callable[[Sequence[str]], int], hint: str = ""
) -> Dialect:
    """The dialect under which the header names most that is known, and the records agree best."""
    first, _, _ = sample.partition("\n")
    backslash = sample.count('\\"') > sample.count('""')
    if (named := _separator_line(first.strip())) and not hint:
        return Dialect(named, backslash)
    candidates = [hint] if hint else list(DELIMITERS)
    return max(
        (Dialect(delimiter, backslash) for delimiter in candidates),
        key=lambda dialect: _fitness(sample, dialect, known),
    )


def _fitness(
    sample: str, dialect: Dialect, known: Callable[[Sequence[str]], int]
) -> tuple[int, float, int]:
    rows = _probe(sample, dialect)
    header = header_of(rows, known)
    names = rows[header].cells if rows else ()
    alike = sum(len(row.cells) == len(names) > 1 for row in rows[header:])
    return known(names), alike / max(1, len(rows) - header), len(names)


def _probe(sample: str, dialect: Dialect) -> list[Record]:
    numbered = (
        Line(number, text.rstrip("\r"))
        for number, text in enumerate(sample.split("\n"), 1)
    )
    found = islice(records(numbered, dialect), _PROBE_RECORDS)
    return [one for one in found if isinstance(one, Record)]


def header_of(rows: Sequence[Record], known: Callable[[Sequence[str]], int]) -> int:
    """Position of the record that names the columns: the first one that names most that is known."""
    scores = [known(row.cells) for row in rows[:_HEADER_WITHIN]]
    best = max(scores, default=0)
    return scores.index(best) if best else 0
