"""Pictures of reviews from addresses or from a folder, decoded before they are believed."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from kindling.ports.objects import ObjectStore
from kindling.records import Rejection
from kindling.scraping.photos import BrokenPhoto, StoredPhoto, inspect
from kindling.sources.files.fetching import MAX_BYTES, NotFetched, fetch_all


def is_address(name: str) -> bool:
    return name.startswith(("http://", "https://"))


def gather(
    names: Sequence[str],
    folder: Path | None,
    objects: ObjectStore,
    allowed: Sequence[str] = (),
) -> tuple[Mapping[str, StoredPhoto], list[Rejection]]:
    """The stored pictures by name, and a rejection for each name that gave none."""
    addresses = [name for name in names if is_address(name)]
    found: dict[str, bytes | NotFetched] = {
        name: _from_folder(name, folder) for name in names if not is_address(name)
    }
    if addresses:
        found |= asyncio.run(fetch_all(addresses, allowed))
    stored: dict[str, StoredPhoto] = {}
    rejections = []
    for name in names:
        try:
            stored[name] = _store(name, found[name], objects)
        except (NotFetched, BrokenPhoto) as error:
            rejections.append(Rejection(name[:500], "photo_broken", str(error)[:500]))
    return stored, rejections


def _store(name: str, data: bytes | NotFetched, objects: ObjectStore) -> StoredPhoto:
    if isinstance(data, NotFetched):
        raise data
    suffix, width, height = inspect(data)
    digest = hashlib.sha256(data).hexdigest()
    return StoredPhoto(digest, objects.put(data, suffix), width, height, name)


def _from_folder(name: str, folder: Path | None) -> bytes | NotFetched:
    if folder is None:
        return NotFetched("a file name, and no folder of photos is given")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        # A cell may name any file of the machine.
        return NotFetched(f"outside of the folder of photos, {folder}")
    try:
        if path.stat().st_size > MAX_BYTES:
            return NotFetched(f"more than {MAX_BYTES // 1_000_000} MB")
        return path.read_bytes()
    except OSError as error:
        return NotFetched(f"{path}: {error.strerror}")
