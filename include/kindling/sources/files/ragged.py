"""Files whose every row has another number of cells than the header: told by the rows, not refused one by one.

Exports leave out empty cells at a row's end, or write a row number that the header does not name. One odd row
among even ones is another matter: nobody can tell which of its cells is missing, so it is refused by its line.
"""

from collections import Counter
from collections.abc import Sequence

from kindling.sources.files import values
from kindling.sources.files.delimited import Record

#: How the names of columns begin that the header does not name.
UNNAMED = "not in the header"
#: Share of the rows that have to be of one length before that is the file's own.
_MOST = 0.8
_MIN_ROWS = 3


def names_for(
    header: Sequence[str], rows: Sequence[Record], stars: Sequence[int]
) -> tuple[str, ...]:
    """The header as the rows have it: with a name for a row number, or for cells beyond the last name.

    `stars` are the positions of names that may be ratings: the shift under which more of them can be read
    is the right one.
    """
    extra = _usual(rows) - len(header)
    if extra <= 0:
        return tuple(header)
    added = tuple(f"{UNNAMED} {number + 1}" for number in range(extra))
    shares = {
        shift: max((_readable(rows, one + shift) for one in stars), default=0.0)
        for shift in (0, extra)
    }
    before = shares[extra] > shares[0]
    return (*added, *header) if before else (*header, *added)


def may_be_shorter(names: Sequence[str], rows: Sequence[Record]) -> int:
    """Cells from which on a row is whole: fewer than the names where rows leave their last cells out."""
    usual = _usual(rows)
    return usual if 0 < usual < len(names) else len(names)


def _usual(rows: Sequence[Record]) -> int:
    """The length that most of the rows have; 0 where none is usual."""
    lengths = Counter(len(row.cells) for row in rows)
    if not lengths or len(rows) < _MIN_ROWS:
        return 0
    length, count = lengths.most_common(1)[0]
    return length if count >= _MOST * len(rows) else 0


def _readable(rows: Sequence[Record], position: int) -> float:
    cells = [row.cells[position] for row in rows if position < len(row.cells)]
    return values.share_of_stars(cells)
