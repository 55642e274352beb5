"""The stage on a small night with the published encoder: what it decides holds for training."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from kindling.recipe import AppraiseConfig, load
from kindling.records import (
    ChallengeVerdict,
    CurvePoint,
    DedupeDecision,
    Label,
    Product,
    Record,
    Review,
    Split,
    StageReport,
    Synthesis,
    sentiment_of,
)
from kindling.stages.appraise import run
from kindling.stages.contract import Context
from kindling.stages.view import RunView
from kindling.stores.memory import MemoryRows

SAYS = {
    1: ("It broke at once", "A poor thing, I sent it back", "Ugly and too small"),
    3: ("It is all right", "Neither good nor bad", "Fine for the price, no more"),
    5: ("I love it", "Lovely work, buy it", "Perfect and well made"),
}
PLACES = ("kitchen", "garden", "office", "hall", "cellar", "attic", "porch", "studio")
COUNTS: dict[Split, int] = {"train": 40, "validation": 40, "golden": 24}
CONFIG = AppraiseConfig(points=(0, 10), draws=2)


class Cache:
    """An embedding cache in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, np.ndarray] = {}

    def get(self, model: str, keys: Sequence[str]) -> dict[str, np.ndarray]:
        return {key: self.kept[key] for key in keys if key in self.kept}

    def put(self, model: str, vectors: Mapping[str, np.ndarray]) -> None:
        self.kept.update(vectors)


def real(number: int, split: Split) -> list[Record]:
    stars = (1, 3, 5)[number % 3]
    product, place = f"{split}-p{number % 8}", PLACES[number % 8]
    body = f"{SAYS[stars][number % 2]}, it is in the {place} now, {split} {number}."
    one = Review(f"{split}-{number:02}", product, "Cups", "", body, stars, "scraped")
    return [
        one,
        DedupeDecision(one.review_id, one.review_id, True, "unique", 1.0, split),
        Label(one.review_id, sentiment_of(stars), 0.95, "accept", {}),
    ]


def made(number: int, turned: bool) -> list[Record]:
    stars = (1, 3, 5)[number % 3]
    says = {1: 5, 3: 1, 5: 3}[stars] if turned else stars
    body = f"{SAYS[says][2]}, bought for the {PLACES[number % 8]}, {number}."
    one = Review(f"syn-{number:03}", "train-p0", "Cups", "", body, stars, "synthetic")
    mood = sentiment_of(stars)
    return [
        one,
        Synthesis(one.review_id, mood, "m", ()),
        ChallengeVerdict(one.review_id, 0.5, True, "", 0.5),
        Label(one.review_id, mood, 0.95, "accept", {}),
    ]


def night(turned: bool) -> MemoryRows:
    records: list[Record] = [Product("train-p0", "Cup", "Cups", "")]
    for split, count in COUNTS.items():
        for number in range(count):
            records += real(number, split)
    for number in range(90):
        records += made(number, turned)
    rows = MemoryRows()
    rows.commit(StageReport("scrape", "r", 0, 0), records, [])
    return rows


def appraised(
    rows: MemoryRows, config: AppraiseConfig = CONFIG
) -> tuple[StageReport, Cache]:
    cache = Cache()
    context = Context("r", load("smoke"), ("Cups",), 10, 1)
    needs = SimpleNamespace(
        view=RunView(rows, "r"), embeddings=cache, text_model=None, threads=1
    )
    outcome = run(config, context, needs)
    report = StageReport(
        "appraise", "r", outcome.rows_in, outcome.rows_out, figures=outcome.figures
    )
    rows.commit(report, outcome.records, outcome.rejections)
    return report, cache


def synthetic_in_training(rows: MemoryRows) -> int:
    examples = RunView(rows, "r").examples("train")
    return sum(one.origin == "synthetic" for one in examples)


@pytest.fixture(scope="module")
def turned() -> tuple[MemoryRows, StageReport, Cache]:
    rows = night(turned=True)
    assert synthetic_in_training(rows) == 90
    return rows, *appraised(rows)


def test_rows_that_do_not_help_are_left_out_of_training_and_said_to_be(
    turned: tuple[MemoryRows, StageReport, Cache],
) -> None:
    rows, report, _ = turned
    assert (report.rows_in, report.rows_out) == (90, 0)
    assert not report.figures["synthetic_used"] and report.figures["reason"]
    assert synthetic_in_training(rows) == 0


def test_the_curve_is_stored_by_line_and_point(
    turned: tuple[MemoryRows, StageReport, Cache],
) -> None:
    rows, _, _ = turned
    stored = rows.read(CurvePoint, "r")
    at = {(one.line, one.real_rows) for one in stored if not one.under}
    assert {("neighbours only", 0), ("seeds only", 0)} & at == set()
    assert {("zero-shot", 0), ("seeds only", 10), ("seeds + neighbours", -1)} <= at
    compared = [one for one in stored if one.under and one.verdict]
    assert {one.verdict for one in compared} <= {"helps", "harms", "cannot tell"}
    assert all(len(one.data_sha256) == 64 and one.n > 0 for one in stored)


def test_no_golden_row_is_looked_at_and_no_synthetic_one_is_cached(
    turned: tuple[MemoryRows, StageReport, Cache],
) -> None:
    _, _, cache = turned
    assert len(cache.kept) == 80, "train and validation rows, and no other"


def test_a_second_look_does_not_see_what_the_first_decided(
    turned: tuple[MemoryRows, StageReport, Cache],
) -> None:
    rows, first, _ = turned
    again, _ = appraised(rows)
    assert (again.rows_in, again.figures["reason"]) == (90, first.figures["reason"])


def test_the_recipe_may_use_them_all_the_same_and_draw_nothing() -> None:
    rows = night(turned=True)
    config = AppraiseConfig(draws=0, use="always")
    report, _ = appraised(rows, config)
    assert report.figures["curve"] is None
    assert report.figures["curve_missing"] == "appraise.draws is 0"
    assert synthetic_in_training(rows) == 90


def test_a_niche_without_real_rows_gets_no_curve_and_no_synthetic_row() -> None:
    rows = night(turned=False)
    context = Context("r", load("smoke"), ("Bowls",), 10, 1)
    needs = SimpleNamespace(
        view=RunView(rows, "r"), embeddings=Cache(), text_model=None, threads=1
    )
    figures = run(CONFIG, context, needs).figures
    assert "0 real niche rows of 0 products" in figures["curve_missing"]
    assert not figures["synthetic_used"]
