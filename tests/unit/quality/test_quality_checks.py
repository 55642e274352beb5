"""Every planted fault is quarantined with its own reason, and good rows are not."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from kindling.errors import ConfigurationError, DataError
from kindling.quality import checks
from kindling.records import Label, Review

SCRAPED = [
    Review(
        f"r{i}",
        f"p{i % 4}",
        "Skirts",
        "",
        f"Fits well, number {i}.",
        1 + i % 5,
        "scraped",
        source_url=f"http://127.0.0.1/p{i % 4}",
    )
    for i in range(10)
]
SYNTHETIC = [
    replace(row, review_id=f"syn-{row.review_id}", origin="synthetic", source_url="")
    for row in SCRAPED
]
LABELS = [
    Label(
        f"r{i}",
        ("negative", "positive")[i % 2],
        0.5 + i / 20,
        ("accept", "review", "discard")[i % 3],
        {},
    )
    for i in range(10)
]


@pytest.mark.parametrize(
    ("suite", "rows"),
    [("scrape", SCRAPED), ("synthesize", SYNTHETIC), ("label", LABELS)],
)
def test_good_rows_pass(suite, rows):
    assert checks.check(rows, suite) == []


@pytest.mark.parametrize(
    ("suite", "rows", "fault", "reason"),
    [
        ("scrape", SCRAPED, {"body": ""}, "body_empty"),
        ("scrape", SCRAPED, {"body": "ok"}, "body_too_short"),
        ("scrape", SCRAPED, {"body": "a" * 20_001}, "body_too_long"),
        ("scrape", SCRAPED, {"rating": 0}, "rating_out_of_range"),
        ("scrape", SCRAPED, {"rating": 4.5}, "rating_out_of_range"),
        ("scrape", SCRAPED, {"rating": None}, "rating_missing"),
        ("scrape", SCRAPED, {"product_id": ""}, "product_id_empty"),
        ("scrape", SCRAPED, {"category": ""}, "category_empty"),
        ("scrape", SCRAPED, {"source_url": ""}, "source_url_missing"),
        (
            "scrape",
            SCRAPED,
            {"source_url": "javascript:alert(1)"},
            "source_url_not_http",
        ),
        ("synthesize", SYNTHETIC, {"review_id": "r-7"}, "review_id_not_synthetic"),
        ("synthesize", SYNTHETIC, {"origin": "scraped"}, "origin_not_synthetic"),
        ("synthesize", SYNTHETIC, {"body": ""}, "body_empty"),
        ("synthesize", SYNTHETIC, {"body": "no"}, "body_too_short"),
        ("synthesize", SYNTHETIC, {"body": "a" * 20_001}, "body_too_long"),
        ("synthesize", SYNTHETIC, {"rating": 6}, "rating_out_of_range"),
        ("synthesize", SYNTHETIC, {"rating": None}, "rating_missing"),
        ("synthesize", SYNTHETIC, {"category": ""}, "category_empty"),
        ("label", LABELS, {"sentiment": "mixed"}, "sentiment_unknown"),
        ("label", LABELS, {"sentiment": None}, "sentiment_missing"),
        ("label", LABELS, {"confidence": 1.01}, "confidence_out_of_range"),
        ("label", LABELS, {"confidence": float("nan")}, "confidence_missing"),
        ("label", LABELS, {"band": "maybe"}, "band_unknown"),
        ("label", LABELS, {"band": None}, "band_missing"),
    ],
)
def test_a_bad_row_is_quarantined_with_its_reason(suite, rows, fault, reason):
    bad = replace(rows[3], **fault)
    rejections = checks.check([*rows[:3], bad, *rows[4:]], suite)
    assert [(one.row_id, one.reason) for one in rejections] == [
        (bad.review_id, f"quality:{reason}")
    ]
    assert "expect_" in rejections[0].detail and len(rejections[0].detail) < 300


def test_rows_that_share_a_key_fail_together():
    rows = [*SCRAPED, replace(SCRAPED[2], body="Another text under the same id.")]
    [only] = checks.check(rows, "scrape")
    assert (only.row_id, only.reason) == ("r2", "quality:review_id_not_unique")
    assert "2 rows" in only.detail


def test_the_first_failing_rule_gives_the_reason_whatever_the_order_of_rows():
    rows = [
        replace(SCRAPED[0], body="", rating=9, category=""),
        replace(SCRAPED[1], rating=9),
        *SCRAPED[2:],
    ]
    expected = {"r0": "quality:body_empty", "r1": "quality:rating_out_of_range"}
    for seed in range(3):
        shuffled = random.Random(seed).sample(rows, len(rows))
        found = checks.check(shuffled, "scrape")
        assert {one.row_id: one.reason for one in found} == expected


@pytest.mark.parametrize(
    ("suite", "rows", "message"),
    [
        ("scrape", [], "no review was extracted"),
        (
            "scrape",
            [replace(row, body="") for row in SCRAPED],
            "most review bodies are empty",
        ),
        ("scrape", [replace(row, rating=5) for row in SCRAPED], "same rating"),
        ("label", [], "nothing was labelled"),
        (
            "label",
            [replace(row, sentiment="positive") for row in LABELS],
            "same sentiment",
        ),
    ],
)
def test_an_unfit_table_stops_the_run(suite, rows, message):
    with pytest.raises(DataError, match=message):
        checks.check(rows, suite)


def test_no_synthetic_rows_is_not_a_fault():
    assert checks.check([], "synthesize") == []


def test_an_unknown_suite_names_the_known_ones():
    with pytest.raises(ConfigurationError, match="label, scrape, synthesize"):
        checks.check(SCRAPED, "scarpe")


def test_a_rule_that_cannot_run_is_an_error_and_no_pass(monkeypatch):
    rule = {
        "expectation": "expect_column_values_to_match_regex",
        "column": "body",
        "kwargs": {"regex": "("},
        "reason": "broken",
    }
    monkeypatch.setattr(checks, "_rules", lambda suite: [rule])
    with pytest.raises(ConfigurationError, match="cannot run"):
        checks.check(SCRAPED, "scrape")


def test_it_prints_nothing_and_writes_no_file(tmp_path: Path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    checks.check(SCRAPED, "scrape")
    assert list(tmp_path.rglob("*")) == []
    assert capfd.readouterr() == ("", "")
