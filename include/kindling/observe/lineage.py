"""Hashes that say from what a result was made."""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from kindling.catalog import SHARED_CODE, stage

_SOURCES = {".py", ".yaml", ".html", ".sql", ".json", ".txt", ".md"}


@cache
def stage_code_sha256(name: str) -> str:
    """Hash of the code that decides a stage's result: its module, what it names, what all share.

    A change to anything else (another stage, the endpoint) leaves it as it was, so that the
    stage is not run again for it.
    """
    return _digest((*SHARED_CODE, f"stages/{name}.py", *stage(name).code))


@cache
def code_sha256() -> str:
    """Hash of every source and data file of the package: two runs with the same one ran the same code."""
    return _digest((".",))


def sha256_of(value: Any) -> str:
    """Hash of a JSON-able value, independent of key order."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(parts: Iterable[str]) -> str:
    root = Path(str(resources.files("kindling")))
    digest = hashlib.sha256()
    for path in sorted({file for part in parts for file in _files(root / part)}):
        name = path.relative_to(root).as_posix()
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise FileNotFoundError(f"{path} is named in the catalog and does not exist")
    found = [path] if path.is_file() else path.rglob("*")
    return [one for one in found if one.suffix in _SOURCES and one.is_file()]
