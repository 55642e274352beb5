"""The joins: what is kept and admitted, and which door shows golden rows."""

import dataclasses
from typing import Any

import pytest

from kindling.errors import DataError
from kindling.records import (
    ChallengeVerdict,
    DedupeDecision,
    Example,
    Label,
    Photo,
    PhotoDecision,
    Product,
    Record,
    Review,
    StageReport,
    Synthesis,
)
from kindling.stages.view import Holdout, RunView, Searchable
from kindling.stores.memory import MemoryRows

SECRET = "golden words"


def committed(*records: Record) -> MemoryRows:
    rows = MemoryRows()
    rows.commit(StageReport("scrape", "r", 0, 0), records, [])
    return rows


def review(review_id: str, **fields: Any) -> Review:
    plain = Review(review_id, "p", "Teapots", "", f"text of {review_id}", 5, "scraped")
    return dataclasses.replace(plain, **fields)


def decision(review_id: str, split: Any, **fields: Any) -> DedupeDecision:
    plain = DedupeDecision(review_id, review_id, True, "unique", 1.0, split)
    return dataclasses.replace(plain, **fields)


def accepted(review_id: str, sentiment: Any = "positive") -> Label:
    return Label(review_id, sentiment, 0.95, "accept", {})


def world() -> MemoryRows:
    """Train rows a and b, validation v, golden g, a dropped copy, two synthetic rows of a and b."""
    made = review("syn-1", rating=1, origin="synthetic", photo_id="drawn")
    return committed(
        Product("p", "Pot", "Teapots", "u"),
        review("a", photo_id="shared"),
        review("b", photo_id="own"),
        review("copy"),
        review("v", rating=3),
        review("g", product_id="golden-p", body=SECRET, photo_id="shared"),
        made,
        dataclasses.replace(made, review_id="syn-2", photo_id=None),
        Photo("shared", "golden-p", "review", "scraped", "u1", 1, 1),
        Photo("own", "p", "review", "scraped", "u2", 1, 1),
        Photo("drawn", "p", "review", "synthetic", "u3", 1, 1, condition="torn"),
        PhotoDecision("shared", False, "golden"),
        PhotoDecision("own", True, "free"),
        decision("a", "train", photo_kept=False),
        decision("b", "train"),
        decision("copy", "train", kept=False, reason="exact_duplicate"),
        decision("v", "validation"),
        decision("g", "golden"),
        Synthesis("syn-1", "negative", "m", ("a", "b"), "torn"),
        Synthesis("syn-2", "negative", "m", ("a", "b")),
        ChallengeVerdict("syn-1", 0.5, True, "", 0.25),
        ChallengeVerdict("syn-2", 0.5, False, "near_copy", 0.25),
        *(accepted(one) for one in ("a", "b", "v", "g", "copy")),
        *(accepted(one, "negative") for one in ("syn-1", "syn-2")),
    )


def test_train_holds_kept_real_rows_and_admitted_synthetic_ones_at_their_weight() -> (
    None
):
    found = {one.review_id: one for one in RunView(world(), "r").examples("train")}
    assert {name: one.weight for name, one in found.items()} == {
        "a": 1.0,
        "b": 1.0,
        "syn-1": 0.25,
    }
    assert found["syn-1"].condition == "torn" and found["syn-1"].photo_uri == "u3"
    assert found["b"].photo_uri == "u2"


def test_a_picture_that_a_golden_page_shows_is_looked_at_nowhere_else() -> None:
    view = RunView(world(), "r")
    found = {one.review_id: one for one in view.examples("train")}
    assert found["a"].photo_uri is None
    assert [photo.photo_id for photo in view.usable_photos()] == ["own"]


def test_an_unlabelled_row_is_no_example() -> None:
    rows = committed(review("a"), decision("a", "train"))
    assert RunView(rows, "r").examples("train") == []


def everything(value: object) -> str:
    return repr(value)


def test_no_method_of_the_view_shows_a_golden_word() -> None:
    view = RunView(world(), "r")
    shown = [
        view.products(),
        view.splits_of_products(),
        view.real("train"),
        view.real("validation"),
        view.stars(),
        view.usable_photos(),
        view.synthetic(),
        view.admitted(),
        view.labelled(),
        view.studies(),
        view.examples("train"),
        view.examples("validation"),
        view.night_of("label"),
        view.made_photos(),
        view.verdicts(),
        view.labels(),
        view.rejections("label"),
    ]
    methods = {name for name in vars(RunView) if not name.startswith("_")}
    assert len(methods) == len(shown) + 2 - 2, "list every new method here"
    assert SECRET not in everything(shown)
    assert [(one.review_id, one.rating) for one in view.stars()] == [("g", 5), ("v", 3)]


def test_the_holdout_shows_golden_rows_and_no_other() -> None:
    found: list[Example] = Holdout(world(), "r").examples()
    assert [(one.review_id, one.split, one.photo_uri) for one in found] == [
        ("g", "golden", "u1")
    ]


def test_search_finds_what_customers_of_every_split_wrote() -> None:
    found = Searchable(world(), "r").reviews()
    assert [one.review.review_id for one in found] == ["a", "b", "g", "v"]


@pytest.mark.parametrize("source", ["g", "v", "copy", "nobody"])
def test_a_synthetic_row_made_from_anything_but_kept_train_rows_is_refused(
    source: str,
) -> None:
    rows = world()
    leak = [
        review("syn-3", origin="synthetic"),
        Synthesis("syn-3", "negative", "m", ("a", source)),
    ]
    rows.commit(StageReport("synthesize", "r", 0, 0), leak, [])
    with pytest.raises(DataError, match=f"syn-3 was made from {source}"):
        RunView(rows, "r").synthetic()


def test_a_report_is_there_when_every_shard_is() -> None:
    rows = MemoryRows()
    view = RunView(rows, "r")
    half = StageReport("scrape", "r", 3, 2, {"why": 1}, {"pages": 4}, shards=2)
    rows.commit(half, [], [])
    assert view.report("scrape") is None
    rows.commit(dataclasses.replace(half, shard=1), [], [])
    whole = view.report("scrape")
    assert whole is not None
    assert (whole.rows_in, whole.rows_out, whole.rejected) == (6, 4, {"why": 2})
    assert whole.figures == {"0": {"pages": 4}, "1": {"pages": 4}}


@pytest.mark.parametrize("last", ["train", "validation", "golden"])
def test_a_product_on_several_sides_is_on_the_one_furthest_from_training(
    last: str,
) -> None:
    """Whichever of its reviews is read last: its photos are no train photos."""
    sides = [one for one in ("train", "validation", "golden") if one != last] + [last]
    rows = committed(
        *(review(f"r{at}") for at in range(3)),
        *(decision(f"r{at}", side) for at, side in enumerate(sides)),
    )
    assert RunView(rows, "r").splits_of_products() == {"p": "golden"}
    fewer = committed(
        review("r0"),
        review("r1"),
        decision("r0", "validation"),
        decision("r1", "train"),
    )
    assert RunView(fewer, "r").splits_of_products() == {"p": "validation"}
