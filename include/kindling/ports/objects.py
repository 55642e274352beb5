"""Bytes by address: pages, photos, reports."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class ObjectStore(Protocol):
    """Bytes by URI, `file://` or `s3://`."""

    def put(self, data: bytes, suffix: str) -> str:
        """Store under the content's SHA-256 and return the URI; storing twice is a no-op."""
        ...

    def put_named(self, name: str, data: bytes) -> str:
        """Store under a name such as `runs/R/report.html`, replacing atomically; returns the URI."""
        ...

    def put_directory(self, name: str, directory: Path) -> str:
        """Store a folder's files under a name; returns the URI of the folder."""
        ...

    def get(self, uri: str) -> bytes:
        """The bytes; DataError naming the URI when they are not there."""
        ...

    def find_named(self, name: str) -> bytes | None:
        """What was last stored under a name, or None."""
        ...

    def remove_named(self, name: str) -> None:
        """Forget what was stored under a name, or under names in it as a folder; nothing there is fine."""
        ...


class ErasableObjects(ObjectStore, Protocol):
    """An object store that can be searched through and made to forget."""

    def walk(self) -> Iterator[str]:
        """URI of every object, in order."""
        ...

    def replace(self, uri: str, data: bytes | None) -> None:
        """Other bytes at a URI, or none: None removes it. What is not there is fine."""
        ...
