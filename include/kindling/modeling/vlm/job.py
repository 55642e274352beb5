"""One training as a folder that every rank reads: rows, settings, and the state that ranks leave behind."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kindling.modeling.fitting import length_bucketed_plan
from kindling.modeling.vlm.conversation import Turn
from kindling.modeling.vlm.options import Options

JOB, ROWS, STATE, ERROR = "job.json", "rows.jsonl", "state.pt", "error.json"
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Row:
    """A review to learn from."""

    text: str
    #: Index in SENTIMENTS.
    label: int
    #: What it counts, its class's weight included.
    weight: float
    #: SHA-256 of its photo, whose bytes lie under that name in the folder; empty without one.
    photo: str = ""


@dataclass(frozen=True)
class Job:
    """What a rank has to know."""

    folder: Path
    options: Options
    seed: int
    threads: int
    rows: tuple[Row, ...]

    def write(self) -> None:
        """The folder's files, but for photos (`write_photo`)."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(asdict(row)) for row in self.rows]
        (self.folder / ROWS).write_text("\n".join(lines), encoding="utf-8")
        told = {
            "options": self.options.model_dump(),
            "seed": self.seed,
            "threads": self.threads,
        }
        (self.folder / JOB).write_text(json.dumps(told), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Job":
        """What `write` wrote."""
        told = json.loads((folder / JOB).read_text("utf-8"))
        lines = (folder / ROWS).read_text("utf-8").split("\n")
        rows = tuple(Row(**json.loads(line)) for line in lines)
        return cls(
            folder, Options(**told["options"]), told["seed"], told["threads"], rows
        )

    def turns(self, rows: Sequence[int] | Indices) -> list[Turn]:
        """What is asked about rows, by number; photos are read here and not before."""
        return [self._turn(self.rows[row]) for row in rows]

    def _turn(self, row: Row) -> Turn:
        photo = (self.folder / row.photo).read_bytes() if row.photo else None
        return Turn(row.text, photo)

    def plan(self) -> list[Indices]:
        """Batches of row numbers, the same on every rank: like lengths together, photos apart."""
        pictured = np.array([bool(row.photo) for row in self.rows])
        sides = [np.flatnonzero(pictured == side) for side in (False, True)]
        plan: list[Indices] = []
        for epoch in range(self.options.epochs):
            seed = self.seed + epoch
            batches = [batch for side in sides for batch in self._batches(side, seed)]
            order = np.random.default_rng([2, seed]).permutation(len(batches))
            plan += [batches[at] for at in order]
        return plan

    def _batches(self, side: Indices, seed: int) -> list[Indices]:
        if not len(side):
            return []
        lengths = [len(self.rows[row].text) for row in side]
        plan = length_bucketed_plan(lengths, self.options.batch_size, 1, seed)
        return [side[batch] for batch in plan]


def write_photo(folder: Path, data: bytes) -> str:
    """Keep a photo's bytes for the ranks; its name there."""
    name = sha256(data).hexdigest()
    (folder / name).write_bytes(data)
    return name


def share(batch: Indices, rank: int, ranks: int, micro: int) -> list[Indices]:
    """Micro-batches of a rank: every rank gets as many, filled up with -1 where rows are lacking."""
    each = -(-len(batch) // ranks)
    steps = -(-each // micro)
    own = np.full(steps * micro, -1, dtype=np.int64)
    rows = batch[rank::ranks]
    own[: len(rows)] = rows
    return list(own.reshape(steps, micro))


def load_state(path: Path) -> dict[str, Any] | None:
    """A training's state as `state.gather` made it, or None; nothing in it is unpickled to code."""
    if not path.is_file():
        return None
    found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return found
