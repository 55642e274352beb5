"""Writes a catalogue folder: all of it or nothing, and nothing at all when it is there already."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from shop.errors import BadInput
from shop.reading import MANIFEST, load
from shop.records import Contents, Manifest


def write(out: Path, manifest: Manifest, contents: Callable[[], Contents]) -> bool:
    """Write the catalogue to `out` unless an equal, undamaged one is there; True when written.

    Raises BadInput when `out` is something that is no catalogue, OSError when the disk refuses.
    """
    out = out.absolute()
    if (
        out.exists()
        and not (out / MANIFEST).is_file()
        and (not out.is_dir() or any(out.iterdir()))
    ):
        raise BadInput(
            f"{out}: exists and is no catalogue (no {MANIFEST}); give another --out or remove it"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(out.parent):
        if _holds_already(out, manifest):
            return False
        making = out.parent / f".{out.name}.making"
        shutil.rmtree(making, ignore_errors=True)
        try:
            _fill(making, manifest, contents())
            _swap(making, out)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return True


@contextmanager
def _alone_in(parent: Path) -> Iterator[None]:
    """Lets a second maker wait, so that the fixed temporary name is safe and a killed maker's is swept."""
    handle = os.open(parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _holds_already(out: Path, manifest: Manifest) -> bool:
    if not (out / MANIFEST).is_file():
        return False
    try:
        return load(out).manifest.same_origin(manifest)
    except BadInput:
        return False


def _fill(folder: Path, manifest: Manifest, contents: Contents) -> None:
    (folder / "photos").mkdir(parents=True)
    sha256 = {
        "products.jsonl": _write_lines(folder / "products.jsonl", contents.products),
        "reviews.jsonl": _write_lines(folder / "reviews.jsonl", contents.reviews),
        "truth.jsonl": _write_lines(folder / "truth.jsonl", contents.truths),
    }

    def draw(name: str) -> tuple[str, str]:
        return f"photos/{name}", _write(
            folder / "photos" / name, contents.photos[name]()
        )

    # Pillow leaves the interpreter's lock while it filters and encodes.
    with ThreadPoolExecutor(2) as pool:
        sha256.update(pool.map(draw, sorted(contents.photos)))
    counts = {
        "products": len(contents.products),
        "reviews": len(contents.reviews),
        "photos": len(contents.photos),
        "review_photos": sum(review.photo is not None for review in contents.reviews),
    }
    done = replace(
        manifest,
        note=contents.note,
        niches=contents.niches,
        counts=counts,
        sha256=sha256,
    )
    _write(
        folder / MANIFEST,
        json.dumps(asdict(done), indent=1, ensure_ascii=False).encode(),
    )


def _write_lines(path: Path, rows: Iterable[Any]) -> str:
    return _write(
        path,
        "".join(
            json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows
        ).encode(),
    )


def _write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _swap(making: Path, out: Path) -> None:
    """Put the finished folder in place; an older one is moved aside first, then removed."""
    old = out.parent / f".{out.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    making.rename(out)
    shutil.rmtree(old, ignore_errors=True)
