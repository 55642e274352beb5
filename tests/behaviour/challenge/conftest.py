"""Real clothing reviews, split by product as a run would split them, and a run of the two stages."""

import csv
import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from kindling import recipe
from kindling.records import (
    DedupeDecision,
    Review,
    Split,
    StageReport,
    Synthesis,
    sentiment_of,
)
from kindling.stages.contract import Context, Outcome
from kindling.stages.view import Earlier, RunView
from kindling.stores.memory import MemoryRows

NICHE = ("Outerwear", "Shorts", "Skirts")


def split_of(product_id: str) -> Split:
    point = zlib.crc32(product_id.encode()) % 100
    return "golden" if point < 15 else "validation" if point < 27 else "train"


@pytest.fixture(scope="session")
def clothing(data_root: Path) -> dict[Split, list[Review]]:
    with gzip.open(
        data_root / "clothing" / "reviews.csv.gz", "rt", encoding="utf-8", newline=""
    ) as file:
        lines = [line for line in csv.DictReader(file) if len(line["Review Text"]) > 2]
    found: dict[Split, list[Review]] = {"train": [], "validation": [], "golden": []}
    for text, line in {line["Review Text"]: line for line in lines}.items():
        product = line["Clothing ID"]
        found[split_of(product)].append(
            Review(
                f"r{zlib.crc32(text.encode()):08x}",
                product,
                line["Class Name"] or "none",
                line["Title"],
                text,
                int(line["Rating"]),
                "scraped",
            )
        )
    return found


@pytest.fixture
def run_stage() -> Callable[..., Outcome]:
    """(stage module, config, rows by split, synthetic rows, their sources) -> outcome."""

    def run(stage, config, real, synthetic=(), sources=None, intended=None) -> Outcome:
        def made(row) -> Synthesis:
            sentiment = (intended or {}).get(row.review_id, sentiment_of(row.rating))
            return Synthesis(
                row.review_id,
                sentiment,
                "planted",
                (sources or {}).get(row.review_id, ()),
            )

        rows = MemoryRows()
        rows.commit(
            StageReport("before", "r", 0, 0),
            [
                *(row for split in real.values() for row in split),
                *synthetic,
                *(
                    DedupeDecision(
                        row.review_id, row.review_id, True, "unique", 1.0, split
                    )
                    for split, reviews in real.items()
                    for row in reviews
                ),
                *(made(row) for row in synthetic),
            ],
            [],
        )
        return stage.run(
            config,
            Context("r", recipe.load("clothing"), NICHE, 150, 7),
            SimpleNamespace(
                view=RunView(rows, "r"), earlier=Earlier(rows, "r"), llm=None
            ),
        )

    return run
