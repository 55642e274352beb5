"""Forgets in the object store: pages, photos and shots go, reports and other pages lose the text."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from kindling.observe.traces import Traces, parsed
from kindling.ports.forgetting import Change, Subject
from kindling.ports.objects import ErasableObjects

#: Where objects lie under the hash of their content: they cannot be changed, only removed.
_BY_CONTENT = "/sha256/"
#: Where the registry keeps its own: models hold weights, and manifests are another store's.
_OF_REGISTRY = "/mlflow/"
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif")


class ForgetfulObjects:
    """Forgetful over the port of objects."""

    name = "objects"

    def __init__(self, objects: ErasableObjects) -> None:
        self._objects = objects

    def forget(self, subject: Subject) -> Sequence[Change]:
        """Remove what the plan names, then look into every other object for the text."""
        changes = []
        named, ids = set(subject.uris), set(subject.photos)
        traces = Traces(subject.needles, subject.names)
        for uri in self._objects.walk():
            if uri in named or _stem(uri) in ids:
                changes.append(self._remove(uri, self._objects.get(uri)))
            elif _OF_REGISTRY not in uri and not uri.endswith(_PICTURES):
                changes += self._cleaned(uri, traces)
        return changes

    def search(self, subject: Subject) -> Sequence[str]:
        """URIs that the plan names, that lie under a name of the subject, or that say its words."""
        named, ids = set(subject.uris), set(subject.photos)
        traces = Traces(subject.needles, subject.names)
        found = []
        for uri in self._objects.walk():
            if uri in named or _stem(uri) in ids:
                found.append(uri)
            elif not uri.endswith(_PICTURES) and traces.in_bytes(
                self._objects.get(uri)
            ):
                found.append(uri)
        return found

    def _cleaned(self, uri: str, traces: Traces) -> Iterator[Change]:
        data = self._objects.get(uri)
        if not _has_trace(data, traces):
            return
        clean = None if _BY_CONTENT in uri else _without(uri, data, traces)
        if clean is None:
            yield self._remove(uri, data)
            return
        self._objects.replace(uri, clean)
        yield Change(self.name, uri, _sha256(data), _sha256(clean))

    def _remove(self, uri: str, data: bytes) -> Change:
        self._objects.replace(uri, None)
        return Change(self.name, uri, _sha256(data))


def _has_trace(data: bytes, traces: Traces) -> bool:
    return traces.in_bytes(data) or traces.in_value(parsed(data))


def _without(uri: str, data: bytes, traces: Traces) -> bytes | None:
    """A report or a JSON file without the text; None where nothing would be left of it."""
    clean: bytes | None = None
    if uri.endswith(".html"):
        clean = traces.redacted(data.decode("utf-8", errors="replace")).encode()
    else:
        content: Any = parsed(data)
        if content is not None:
            kept = traces.scrubbed(content)
            clean = json.dumps(kept, ensure_ascii=False, indent=1).encode()
    return None if clean is None or traces.in_bytes(clean) else clean


def _stem(uri: str) -> str:
    return PurePosixPath(uri).name.partition(".")[0]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
