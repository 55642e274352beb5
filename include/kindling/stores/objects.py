"""Bytes by URI through fsspec: a folder on a laptop, S3 in a cluster, the same code."""

import contextlib
import errno
import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec

from kindling.errors import DataError, KindlingError


class FsspecObjects:
    """ObjectStore under one root, `file:///…` or `s3://bucket/prefix`.

    S3 credentials and endpoint come from the usual AWS variables (AWS_ENDPOINT_URL included).
    """

    def __init__(self, root: str) -> None:
        self._root = root.rstrip("/")
        self._protocol = root.split("://", 1)[0]
        self._filesystem = fsspec.filesystem(self._protocol)

    def put(self, data: bytes, suffix: str) -> str:
        """Store under the content's SHA-256 and return the URI; storing twice is a no-op."""
        sha256 = hashlib.sha256(data).hexdigest()
        uri = f"{self._root}/sha256/{sha256[:2]}/{sha256}{suffix}"
        # The name is the content's hash and writes are atomic: an object of that name is that object.
        if not self._filesystem.exists(uri):
            self._write(uri, data)
        return uri

    def put_named(self, name: str, data: bytes) -> str:
        """Store under a name such as `runs/R/report.html`, replacing atomically; returns the URI."""
        uri = self._named(name)
        self._write(uri, data)
        return uri

    def find_named(self, name: str) -> bytes | None:
        """What was last stored under a name, or None."""
        try:
            found: bytes = self._filesystem.cat_file(self._named(name))
        except FileNotFoundError:
            return None
        return found

    def remove_named(self, name: str) -> None:
        """Forget what was stored under a name, or under names in it as a folder."""
        with contextlib.suppress(FileNotFoundError):
            self._filesystem.rm(self._named(name), recursive=True)

    def put_directory(self, name: str, directory: Path) -> str:
        """Store a folder's files under a name; returns the URI of the folder."""
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                self.put_named(
                    f"{name}/{path.relative_to(directory).as_posix()}",
                    path.read_bytes(),
                )
        return f"{self._root}/{name}"

    def get(self, uri: str) -> bytes:
        """The bytes; DataError naming the URI when they are not there."""
        try:
            data: bytes = self._filesystem.cat_file(uri)
        except FileNotFoundError:
            raise DataError(f"object {uri} is not in the store") from None
        return data

    def walk(self) -> Iterator[str]:
        """URI of every object, in order."""
        try:
            found = self._filesystem.find(self._root)
        except FileNotFoundError:
            return
        for path in sorted(found):
            # Half-written files of a killed process are objects to whoever searches for bytes.
            yield str(self._filesystem.unstrip_protocol(path))

    def replace(self, uri: str, data: bytes | None) -> None:
        """Other bytes at a URI, or none: for forgetting alone. What is not there is fine."""
        if not uri.startswith(f"{self._root}/"):
            raise ValueError(f"{uri} is not in the store {self._root}")
        if data is not None:
            self._write(uri, data)
            return
        with contextlib.suppress(FileNotFoundError):
            self._filesystem.rm_file(uri)

    def _named(self, name: str) -> str:
        if ".." in name.split("/"):
            raise ValueError(f"object name {name!r} leaves the store")
        return f"{self._root}/{name.lstrip('/')}"

    def _write(self, uri: str, data: bytes) -> None:
        if self._protocol != "file":
            self._filesystem.pipe_file(
                uri, data
            )  # S3 shows an object only when it is whole.
            return
        target = Path(self._filesystem._strip_protocol(uri))
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            partial.write_bytes(data)
            os.replace(partial, target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            if error.errno == errno.ENOSPC:
                raise KindlingError(
                    f"disk full while writing {uri}; free some space and run again"
                ) from error
            raise
