"""Which rows a figure is about, in one number."""

import hashlib
from collections.abc import Iterable


def data_hash(rows: Iterable[tuple[str, str]]) -> str:
    """SHA-256 of (id, text) pairs, whatever their order."""
    digest = hashlib.sha256()
    for key, text in sorted(rows):
        digest.update(f"{key}\0{text}\0".encode())
    return digest.hexdigest()
