"""The kinds of catalogue, and the making of one into a folder."""

import hashlib
from importlib import resources
from pathlib import Path

from shop.bundled.assortment import SIZES
from shop.bundled.making import bundled
from shop.clothing.making import clothing
from shop.clothing.source import read
from shop.errors import BadInput
from shop.records import Manifest
from shop.writing import write

KINDS = (*SIZES, "clothing")
SEED = 20261121


def make(kind: str, out: Path, seed: int, data: Path | None) -> bool:
    """Make the catalogue unless it is there; True when something was written."""
    if kind == "clothing":
        if data is None:
            raise BadInput(
                "--kind clothing needs --data: the folder that holds clothing/reviews.csv.gz"
            )
        source = read(data)
        return write(
            out,
            Manifest(kind, seed, source.sha256, code_sha256(), ""),
            lambda: clothing(source, seed),
        )
    return write(
        out, Manifest(kind, seed, "", code_sha256(), ""), lambda: bundled(kind, seed)
    )


def code_sha256() -> str:
    """The hash of all that decides what is made; the web part does not."""
    root = Path(str(resources.files("shop")))
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if path.suffix in (".py", ".toml") and inside.parts[0] != "web":
            digest.update(inside.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
