"""Bands in memory, behind the same port: for tests and one-off experiments."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

import numpy as np

from kindling.ports.bands import BandRow


class MemoryBands:
    """BandStore that forgets."""

    def __init__(self) -> None:
        #: (space, night, row) in the order in which they came.
        self._rows: list[tuple[str, str, BandRow]] = []

    def add(self, space: str, run_id: str, rows: Iterable[BandRow]) -> None:
        """Add a night's rows; one whose review is there in the same version is left as it is."""
        held = {_text_of(where, row) for where, _, row in self._rows}
        for row in rows:
            if _text_of(space, row) not in held:
                held.add(_text_of(space, row))
                self._rows.append((space, run_id, row))

    def learn(self, space: str, review_ids: Collection[str]) -> None:
        """Note that models may have learned from the reviews."""
        self._rows = [
            (where, night, replace(row, learned=True))
            if where == space and row.review_id in review_ids
            else (where, night, row)
            for where, night, row in self._rows
        ]

    def candidates(
        self, space: str, keys: np.ndarray, besides: str = ""
    ) -> list[BandRow]:
        """Rows that share one of the keys (uint64), oldest first."""
        asked = set(keys.tolist())
        return [
            row
            for where, night, row in self._rows
            if where == space and night != besides and not asked.isdisjoint(row.keys)
        ]

    def learned(self, spaces: str, besides: str) -> Iterator[BandRow]:
        """Rows that were learned from, of all spaces whose names begin so and all other nights."""
        for where, night, row in self._rows:
            if where.startswith(spaces) and night != besides and row.learned:
                yield row

    def of_review(self, spaces: str, review_id: str) -> list[BandRow]:
        """A review's rows in all spaces whose names begin so, the newest first."""
        return [
            row
            for where, _, row in reversed(self._rows)
            if where.startswith(spaces) and row.review_id == review_id
        ]

    def forget_night(self, space: str, run_id: str) -> None:
        """Take out what the night added."""
        self._rows = [one for one in self._rows if one[:2] != (space, run_id)]

    def remove(self, space: str, review_ids: Iterable[str]) -> None:
        """Take rows out; unknown ids are ignored."""
        gone = set(review_ids)
        self._rows = [
            one for one in self._rows if one[0] != space or one[2].review_id not in gone
        ]


def _text_of(space: str, row: BandRow) -> tuple[str, str, bytes, str, str]:
    return space, row.review_id, row.version, row.sentiment, row.scope
