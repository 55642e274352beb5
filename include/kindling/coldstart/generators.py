"""Where generated rows come from: rows that are there, or whatever a command prints."""

import json
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from kindling.coldstart.written import Written, read_line
from kindling.errors import ConfigurationError, DataError
from kindling.records import SENTIMENTS, Review, sentiment_of


@dataclass(frozen=True)
class Request:
    """What a generator may know at one point of one draw, and how much is wanted."""

    #: Real rows of the niche.
    own: Sequence[Review]
    #: Real rows of other categories.
    neighbours: Sequence[Review]
    #: Ids of real niche rows that must not be known here: judged ones, and those not drawn.
    hidden: frozenset[str]
    categories: tuple[str, ...]
    rows_a_cell: int
    seed: int


class Generator(Protocol):
    """Anything that writes reviews."""

    #: What reports call it.
    name: str

    def write(self, request: Request) -> Sequence[Written]:
        """Rows for the request's categories, as many as it has. DataError where it fails."""
        ...


class FromRows:
    """Rows that are there already. One that was made from a hidden review is left out."""

    def __init__(self, name: str, rows: Sequence[Written]) -> None:
        self.name = name
        self._rows = rows

    def write(self, request: Request) -> Sequence[Written]:
        """Those rows of the wanted categories that stand on nothing hidden."""
        return [
            row
            for row in self._rows
            if row.category in request.categories
            and request.hidden.isdisjoint(row.sources)
        ]


class ByCommand:
    """A command that reads one JSON object from its input and prints a JSON object a row.

    Given are `seed`, `cells` (`category`, `sentiment`, `count`) and `examples` (`id`, `niche`,
    `category`, `sentiment`, `rating`, `title`, `body`). A row has `text`, `sentiment` (or
    `rating`), `category` and, where it knows them, `sources`: ids of examples.
    """

    def __init__(self, command: str, timeout_s: float = 600.0) -> None:
        self._words = shlex.split(command)
        if not self._words:
            raise ConfigurationError("the generator's command is empty")
        self.name = command
        self._timeout_s = timeout_s

    def write(self, request: Request) -> Sequence[Written]:
        """The rows that it printed; DataError names the exit code or the line that is wrong."""
        try:
            done = subprocess.run(
                self._words,
                input=json.dumps(_asked(request)),
                capture_output=True,
                text=True,
                timeout=self._timeout_s,
                check=False,
            )
        except FileNotFoundError:
            raise ConfigurationError(
                f"generator {self.name!r}: no such command {self._words[0]!r}"
            ) from None
        except subprocess.TimeoutExpired:
            raise DataError(
                f"generator {self.name!r} did not end within {self._timeout_s:.0f} s"
            ) from None
        if done.returncode:
            raise DataError(
                f"generator {self.name!r} ended with {done.returncode}: "
                f"{done.stderr.strip()[-300:] or 'it said nothing'}"
            )
        lines = enumerate(done.stdout.splitlines(), 1)
        return [
            read_line(line, f"generator {self.name!r}, line {number}")
            for number, line in lines
            if line.strip()
        ]


def _asked(request: Request) -> dict[str, Any]:
    examples = [(True, row) for row in request.own]
    examples += [(False, row) for row in request.neighbours]
    return {
        "seed": request.seed,
        "cells": [
            {"category": category, "sentiment": one, "count": request.rows_a_cell}
            for category in request.categories
            for one in SENTIMENTS
        ],
        "examples": [asdict(_Example.of(row, niche)) for niche, row in examples],
    }


@dataclass(frozen=True)
class _Example:
    id: str
    niche: bool
    category: str
    sentiment: str
    rating: int
    title: str
    body: str

    @classmethod
    def of(cls, row: Review, niche: bool) -> "_Example":
        mood = sentiment_of(row.rating)
        return cls(
            row.review_id, niche, row.category, mood, row.rating, row.title, row.body
        )
