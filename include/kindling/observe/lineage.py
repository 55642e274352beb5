"""Hashes that say from what a result was made."""

import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any


@cache
def code_sha256() -> str:
    """Hash of every source and data file of the package: two runs with the same one ran the same code."""
    digest = hashlib.sha256()
    root = resources.files("kindling")
    for path in sorted(root.rglob("*")):  # type: ignore[attr-defined]
        if path.suffix in {".py", ".yaml", ".html"} and path.is_file():
            digest.update(
                path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes()
            )
    return digest.hexdigest()


def sha256_of(value: Any) -> str:
    """Hash of a JSON-able value, independent of key order."""
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
    ).hexdigest()
