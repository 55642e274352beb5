"""Small files of reviews, and what the source makes of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kindling.ports.source import SourceTools
from kindling.sources.files import Options
from kindling.sources.files.collecting import Files, Survey
from kindling.stores.memory import MemoryObjects

HEADER = "id,title,body,rating,product_id,category,date"


def line(number: int, stars: object = 4, body: str = "") -> str:
    text = body or f"Text number {number} of a thing that works well enough."
    return f'{number},Title {number},"{text}",{stars},p{number % 15},Teapots,2024-03-{number % 27 + 1:02d}'


@pytest.fixture
def tools() -> SourceTools:
    return SourceTools(MemoryObjects(), None, 0, "", None)


@pytest.fixture
def survey(tmp_path: Path, tools: SourceTools) -> Callable[..., Survey]:
    """Reads bytes or text as a file of that name; keywords are the source's options."""

    def read(
        content: bytes | str, name: str = "reviews.csv", **options: object
    ) -> Survey:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return Files(Options(path=str(path), **options), tools).survey()

    return read


@pytest.fixture
def reasons() -> Callable[[Survey], dict[str, str]]:
    """Row id -> reason of everything that was refused."""
    return lambda survey: {one.row_id: one.reason for one in survey.rows.rejections}
