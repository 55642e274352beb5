"""Rows, facts and objects in memory, behind the same ports: for tests and one-off experiments."""

import hashlib
import json
import threading
import time
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from kindling.errors import DataError
from kindling.ports.rows import Outline
from kindling.ports.standing import Fact
from kindling.records import Record, Rejection, Review, StageReport

R = TypeVar("R", bound=Record)


class MemoryRows:
    """RowStore that forgets."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, int], list[Record]] = {}
        self._reports: dict[tuple[str, str, int], StageReport] = {}
        #: Runs in the order in which they began, with what they share with others.
        self._runs: dict[str, tuple[str, str]] = {}

    def begin_run(self, run_id: str, recipe: str, settings: Mapping[str, Any]) -> None:
        """Note the run: only runs that were begun come before others."""
        self._runs.setdefault(run_id, (recipe, json.dumps(settings, sort_keys=True)))

    def before(self, run_id: str, stage: str) -> str | None:
        """The newest earlier run of the same recipe and parameters that has committed the stage."""
        if run_id not in self._runs:
            return None
        order = list(self._runs)
        for other in reversed(order[: order.index(run_id)]):
            alike = self._runs[other] == self._runs[run_id]
            if alike and self.shard_reports(other, stage):
                return other
        return None

    def rejections(self, run_id: str, stage: str) -> list[Rejection]:
        """What one stage of the run has left out, ordered by row and reason."""
        found = [
            row
            for (run, name, _), rows in self._rows.items()
            if (run, name) == (run_id, stage)
            for row in rows
            if isinstance(row, Rejection)
        ]
        return sorted(found, key=lambda row: (row.row_id, row.reason))

    def commit_same(self, report: StageReport, run_id: str) -> None:
        """Write the report's manifest over the rows that another run committed for the same shard."""
        rows = self._rows[run_id, report.stage, report.shard]
        place = (report.run_id, report.stage, report.shard)
        self._rows[place], self._reports[place] = rows, report

    def read(self, record_type: type[R], run_id: str, **equals: Any) -> list[R]:
        """All rows of that type in the run, ordered by key; `equals` filters columns."""
        found = [
            row
            for (run, _, _), rows in self._rows.items()
            if run == run_id
            for row in rows
            if type(row) is record_type and _matches(row, equals)
        ]
        return sorted(found, key=lambda row: str(getattr(row, record_type.key)))

    def each(
        self,
        record_type: type[R],
        run_id: str,
        keys: Collection[str] | None = None,
        **equals: Any,
    ) -> Iterator[R]:
        """`read`, a row at a time; only those of `keys` where they are given."""
        for row in self.read(record_type, run_id, **equals):
            if keys is None or getattr(row, row.key) in keys:
                yield row

    def outlines(self, run_id: str) -> Iterator[Outline]:
        """Every scraped review of the run without its words, ordered by id."""
        for row in self.read(Review, run_id, origin="scraped"):
            words = f"{row.title}\x1f{row.body}".encode("utf-8", "surrogatepass")
            yield Outline(
                row.review_id,
                row.product_id,
                row.category,
                row.rating,
                row.photo_id,
                row.source_url,
                hashlib.md5(words, usedforsecurity=False).digest(),
            )

    def report(self, run_id: str, stage: str, shard: int = 0) -> StageReport | None:
        """A shard's manifest: present means that all of the shard's rows are there."""
        return self._reports.get((run_id, stage, shard))

    def shard_reports(self, run_id: str, stage: str) -> list[StageReport]:
        """Manifests of every committed shard of the stage, ordered by shard."""
        return [
            report
            for (run, name, _), report in sorted(self._reports.items())
            if (run, name) == (run_id, stage)
        ]

    def commit(
        self,
        report: StageReport,
        records: Iterable[Record],
        rejections: Iterable[Rejection],
    ) -> None:
        """Replace the rows of the report's shard and write its manifest."""
        rows = [*records, *rejections]
        _refuse_twins(report.stage, rows)
        for other in self.shard_reports(report.run_id, report.stage):
            if other.shards != report.shards:
                del self._rows[other.run_id, other.stage, other.shard]
                del self._reports[other.run_id, other.stage, other.shard]
        place = (report.run_id, report.stage, report.shard)
        self._rows[place] = rows
        self._reports[place] = report


def _matches(row: Record, equals: Mapping[str, Any]) -> bool:
    return all(getattr(row, name) == value for name, value in equals.items())


def _refuse_twins(stage: str, rows: Iterable[Record]) -> None:
    seen = set()
    for row in rows:
        reason = row.reason if isinstance(row, Rejection) else ""
        key = (type(row), getattr(row, row.key), reason)
        if key in seen:
            raise ValueError(f"{stage} made two rows of one key: {key}")
        seen.add(key)


class MemoryStanding:
    """StandingStore that forgets. `clock` gives the time of a fact."""

    def __init__(
        self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._facts: list[Fact] = []
        self._first: dict[tuple[str, str], Fact] = {}
        self._lock = threading.RLock()
        self._clock = clock

    def append(self, topic: str, key: str, value: Mapping[str, Any]) -> Fact:
        """Add a fact; a key may have many, of which the newest counts."""
        copied = json.loads(json.dumps(dict(value)))
        with self._lock:
            fact = Fact(len(self._facts) + 1, topic, key, copied, self._clock())
            self._facts.append(fact)
        return fact

    def put_once(self, topic: str, key: str, value: Mapping[str, Any]) -> Fact:
        """The key's first fact: this one, or the one that came before it."""
        with self._lock:
            if (topic, key) not in self._first:
                self._first[topic, key] = self.append(topic, key, value)
            return self._first[topic, key]

    def get(self, topic: str, key: str) -> Fact | None:
        """The key's newest fact."""
        return self.latest(topic).get(key)

    def read(self, topic: str, after: int = 0) -> Iterator[Fact]:
        """All facts of the topic in the order they were added, from behind `after`."""
        found = [one for one in self._facts if one.topic == topic]
        yield from (one for one in found if one.number > after)

    def latest(self, topic: str) -> dict[str, Fact]:
        """The newest fact of every key of the topic."""
        return {one.key: one for one in self.read(topic)}


class MemoryTombstones:
    """Tombstones that are handed over."""

    def __init__(self, hashes: Iterable[str] = ()) -> None:
        self._hashes = frozenset(hashes)

    def among(self, hashes: Sequence[str]) -> frozenset[str]:
        """Those of the hashes that are buried."""
        return self._hashes.intersection(hashes)


@dataclass
class _Key:
    """A key's lease and result."""

    worker: str = ""
    until: float = 0.0
    result: bytes | None = None
    again: bool = False


class MemoryFrontier:
    """Frontier that forgets. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._crawls: dict[str, dict[str, _Key]] = {}
        self._runs: dict[str, str] = {}
        self._lock = threading.RLock()
        self._clock = clock

    def open(self, run_id: str, crawl: str) -> None:
        """Begin or go on with a crawl."""
        with self._lock:
            self._runs[crawl] = run_id
            keys = self._crawls.setdefault(crawl, {})
            if any(self._held(one) for one in keys.values()):
                return
            for name, one in keys.items():
                if one.again:
                    keys[name] = _Key()

    def add(self, crawl: str, keys: Sequence[str]) -> None:
        """Keys in the order to lease them; known ones stay as they are."""
        if crawl not in self._crawls:
            raise ValueError(f"crawl {crawl!r} was not opened")
        with self._lock:
            for key in keys:
                self._crawls[crawl].setdefault(key, _Key())

    def lease(
        self, crawl: str, worker: str, keys: Sequence[str], most: int, seconds: float
    ) -> list[str]:
        """Those of the keys that are open and nobody holds, in the order they were added."""
        with self._lock:
            free = [
                (name, one)
                for name, one in self._crawls[crawl].items()
                if name in keys and one.result is None and not self._held(one)
            ][:most]
            for _, one in free:
                one.worker, one.until = worker, self._clock() + seconds
        return [name for name, _ in free]

    def renew(self, crawl: str, worker: str, seconds: float) -> None:
        """Hold what this worker holds for so long from now."""
        with self._lock:
            for one in self._crawls[crawl].values():
                if one.worker == worker and one.result is None:
                    one.until = self._clock() + seconds

    def settle(
        self,
        crawl: str,
        results: Mapping[str, bytes],
        again: Collection[str] = (),
    ) -> None:
        """Results by key; a key's first result counts."""
        with self._lock:
            for name, result in results.items():
                one = self._crawls[crawl][name]
                if one.result is None:
                    one.result, one.again = result, name in again

    def settled(self, crawl: str, keys: Collection[str]) -> dict[str, bytes]:
        """Results of those of the keys that have one."""
        known = self._crawls[crawl]
        found = {name: known[name].result for name in keys if name in known}
        return {name: one for name, one in found.items() if one is not None}

    def remove(self, run_id: str) -> None:
        """Remove all that crawls of the run have asked for and were answered."""
        with self._lock:
            for crawl, run in self._runs.items():
                if run == run_id:
                    self._crawls[crawl].clear()

    def _held(self, one: _Key) -> bool:
        return one.result is None and one.until > self._clock()


class MemoryObjects:
    """ObjectStore that forgets; URIs are `memory://…`."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}

    def put(self, data: bytes, suffix: str) -> str:
        """Store under the content's SHA-256 and return the URI; storing twice is a no-op."""
        return self.put_named(
            f"sha256/{hashlib.sha256(data).hexdigest()}{suffix}", data
        )

    def put_named(self, name: str, data: bytes) -> str:
        """Store under a name, replacing; returns the URI."""
        if ".." in name.split("/"):
            raise ValueError(f"object name {name!r} leaves the store")
        uri = f"memory://{name}"
        self._objects[uri] = data
        return uri

    def find_named(self, name: str) -> bytes | None:
        """What was last stored under a name, or None."""
        return self._objects.get(f"memory://{name}")

    def remove_named(self, name: str) -> None:
        """Forget what was stored under a name, or under names in it as a folder."""
        uri = f"memory://{name}"
        for one in list(self._objects):
            if one == uri or one.startswith(f"{uri}/"):
                del self._objects[one]

    def put_directory(self, name: str, directory: Path) -> str:
        """Store a folder's files under a name; returns the URI of the folder."""
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                self.put_named(
                    f"{name}/{path.relative_to(directory).as_posix()}",
                    path.read_bytes(),
                )
        return f"memory://{name}"

    def get(self, uri: str) -> bytes:
        """The bytes; DataError naming the URI when they are not there."""
        if uri not in self._objects:
            raise DataError(f"object {uri} is not in the store")
        return self._objects[uri]

    def walk(self) -> Iterator[str]:
        """URI of every object, in order."""
        yield from sorted(self._objects)

    def replace(self, uri: str, data: bytes | None) -> None:
        """Other bytes at a URI, or none: for forgetting alone."""
        if data is not None:
            self._objects[uri] = data
        else:
            self._objects.pop(uri, None)
