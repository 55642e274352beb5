"""A benchmark reads a folder that holds its data set, or the data set's own folder."""

from pathlib import Path


def dataset(data: Path, name: str) -> Path:
    """The data set `name` inside `data`; `data` itself where it has no such folder."""
    inside = data / name
    return inside if inside.is_dir() else data
