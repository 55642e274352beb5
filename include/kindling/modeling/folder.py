"""A model as a folder: JSON and safetensors, and a manifest that comes last and names every file.

Loading such a folder runs no code that came with it.
"""

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kindling.errors import DataError, KindlingError
from kindling.records import SENTIMENTS

if (
    TYPE_CHECKING
):  # A server that runs an exported model checks its folder without torch.
    import torch

CONFIG, MANIFEST = "config.json", "manifest.json"
#: Folder of the night's baseline within the folder of its model.
BASELINE = "baseline"


def seal(folder: Path) -> None:
    """Write the manifest: SHA-256 of every file that is in the folder, subfolders included."""
    write_json(folder / MANIFEST, _hashes(folder))


def verify(folder: Path, wanted: Iterable[str]) -> dict[str, str]:
    """The manifest (file -> SHA-256) once every file was found to be what it says.

    DataError when a file is missing, changed, or when the manifest lacks one of `wanted`.
    """
    if not (folder / MANIFEST).is_file():
        raise DataError(f"{folder} is no model folder: {MANIFEST} is missing")
    written: dict[str, str] = read_json(folder / MANIFEST)
    found = _hashes(folder)
    for name, sha256 in written.items():
        if found.get(name) != sha256:
            problem = "changed since training" if name in found else "missing"
            raise DataError(f"{folder / name}: {problem}")
    lacking = set(wanted) - set(written)
    if lacking:
        raise DataError(
            f"{folder / MANIFEST}: names too few files to be a model,"
            f" {', '.join(sorted(lacking))} missing"
        )
    return written


def read_json(path: Path) -> Any:
    """What a JSON file of the folder holds."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """The same value always gives the same bytes."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")


def read_config(folder: Path, what: str, readable: int) -> dict[str, Any]:
    """A model's configuration; DataError where it is of another format or of other classes."""
    config: dict[str, Any] = read_json(folder / CONFIG)
    if config["format"] != readable or tuple(config["labels"]) != SENTIMENTS:
        raise DataError(
            f"{folder}: {what} format {config['format']} with labels {config['labels']}; "
            f"this code reads format {readable} with {list(SENTIMENTS)}"
        )
    return config


def fill(module: "torch.nn.Module", path: Path, strict: bool = True) -> None:
    """Load a module's weights and stop its dropout; DataError when they are not its own."""
    import safetensors.torch
    from safetensors import SafetensorError

    try:
        weights = safetensors.torch.load_file(path)
        found = module.load_state_dict(weights, strict=strict)
    except (RuntimeError, SafetensorError) as error:
        raise DataError(f"{path} does not hold this code's tower: {error}") from error
    if found.unexpected_keys:
        raise DataError(f"{path}: unknown weights {', '.join(found.unexpected_keys)}")
    module.train(False)


def write_weights(path: Path, weights: "dict[str, torch.Tensor]") -> None:
    """Tensors to a safetensors file, from whatever device they are on."""
    import safetensors.torch

    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {name: one.detach().cpu().contiguous() for name, one in weights.items()}
    safetensors.torch.save_file(plain, path)


@contextlib.contextmanager
def disk_full_named(path: Path) -> Iterator[None]:
    """A full disk becomes an error that says where; torch and safetensors report it in their own ways."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        free = os.statvfs(
            next(parent for parent in (path, *path.parents) if parent.exists())
        ).f_bavail
        if getattr(error, "errno", None) == errno.ENOSPC or free == 0:
            raise KindlingError(
                f"disk full while writing {path}; free some space and run again"
            ) from error
        raise


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    }
