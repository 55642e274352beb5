"""Rows and objects in memory, behind the same ports: for tests and one-off experiments."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from kindling.errors import DataError
from kindling.records import Record, Rejection, StageReport

R = TypeVar("R", bound=Record)


class MemoryRows:
    """RowStore that forgets."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], list[Record]] = {}
        self._reports: dict[tuple[str, str], StageReport] = {}

    def read(self, record_type: type[R], run_id: str, **equals: Any) -> list[R]:
        """All rows of that type in the run, ordered by key; `equals` filters columns."""
        found = [
            row
            for (run, _), rows in self._rows.items()
            if run == run_id
            for row in rows
            if type(row) is record_type
            and all(getattr(row, name) == value for name, value in equals.items())
        ]
        return sorted(found, key=lambda row: getattr(row, record_type.key))

    def report(self, run_id: str, stage: str) -> StageReport | None:
        """The stage's manifest: present means that all of its rows are there."""
        return self._reports.get((run_id, stage))

    def commit(
        self,
        report: StageReport,
        records: Iterable[Record],
        rejections: Iterable[Rejection],
    ) -> None:
        """Replace the stage's rows for this run and write its manifest."""
        rows = [*records, *rejections]
        keys = [
            (
                type(row),
                getattr(row, row.key),
                getattr(row, "reason", "") if isinstance(row, Rejection) else "",
            )
            for row in rows
        ]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"{report.stage} made two rows of one key: {twice}")
        self._rows[report.run_id, report.stage] = rows
        self._reports[report.run_id, report.stage] = report


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
