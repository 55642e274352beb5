"""Labels, verdicts and synthetic rows stay while what they were made from does."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kindling import recipe as recipes
from kindling.ports.llm import Llm, Message
from kindling.recipe import LabelConfig
from kindling.records import (
    ChallengeVerdict,
    DedupeDecision,
    Label,
    Photo,
    PhotoDecision,
    Product,
    Record,
    Rejection,
    Review,
    StageReport,
    Synthesis,
    sentiment_of,
)
from kindling.stages import label
from kindling.stages.carry import Basis
from kindling.stages.contract import Context, Outcome
from kindling.stages.kept_synthesis import still_written
from kindling.stages.kept_verdicts import still_judged
from kindling.stages.view import Earlier, RunView
from kindling.stores.memory import MemoryRows

RECIPE = recipes.load("smoke")
OPINION = {1: "awful flimsy torn", 3: "average plain", 5: "lovely sturdy superb"}
SETTINGS = "as before"


def review(number: int, version: int = 0) -> Review:
    rng = np.random.default_rng(number)
    rating = (1, 3, 5)[number % 3]
    body = f"It is {OPINION[rating]} w{rng.integers(9)} w{rng.integers(9)} {version}"
    product = f"p{number % 15}"
    return Review(f"r{number}", product, "Skirts", "", body, rating, "scraped")


def decided(rows: Iterable[Review]) -> list[DedupeDecision]:
    return [
        DedupeDecision(one.review_id, one.review_id, True, "unique", 1.0, "train")
        for one in rows
    ]


def commit(
    store: MemoryRows,
    run: str,
    rows: Iterable[Record],
    stage: str = "dedupe",
    rejections: Iterable[Rejection] = (),
    **figures: Any,
) -> None:
    store.begin_run(run, "smoke", {})
    store.commit(StageReport(stage, run, 0, 0, figures=figures), rows, rejections)


def labelled(
    store: MemoryRows,
    run: str,
    config: LabelConfig | None = None,
    llm: Llm | None = None,
) -> Outcome:
    """The stage's outcome, committed as the runner would."""
    context = Context(run, RECIPE, (), 20, 7)
    needs = SimpleNamespace(
        view=RunView(store, run), earlier=Earlier(store, run), llm=llm
    )
    outcome = label.run(config or LabelConfig(), context, needs)
    commit(store, run, outcome.records, "label", **outcome.figures)
    return outcome


def by_id(outcome: Outcome) -> dict[str, Label]:
    return {one.review_id: one for one in outcome.records if isinstance(one, Label)}


@pytest.fixture
def store() -> MemoryRows:
    """One night of 120 labelled reviews."""
    made, some = MemoryRows(), [review(number) for number in range(120)]
    commit(made, "n0", [*some, *decided(some)])
    labelled(made, "n0")
    return made


def second_night(store: MemoryRows, some: list[Review], run: str = "n1") -> Outcome:
    commit(store, run, [*some, *decided(some)])
    return labelled(store, run)


def test_known_reviews_keep_their_labels_and_new_ones_are_voted_on(
    store: MemoryRows,
) -> None:
    before = {one.review_id: one for one in RunView(store, "n0").labels()}
    some = [review(number) for number in range(1, 125)]
    some[4] = review(5, version=1)
    found = second_night(store, some)
    labels = by_id(found)
    assert labels.keys() == {one.review_id for one in some}
    kept = labels.keys() & before.keys() - {"r5"}
    assert all(labels[one] == before[one] for one in kept)
    assert found.figures["labels_new"] == 6
    assert "from run n0" in found.figures["carried"]
    assert all(
        labels[one.review_id].sentiment == sentiment_of(one.rating) for one in some
    )


def test_a_third_night_counts_from_the_night_that_learned(store: MemoryRows) -> None:
    for night in range(1, 4):
        some = [review(number) for number in range(120 + 5 * night)]
        found = second_night(store, some, f"n{night}")
        assert ("carried" in found.figures) == (night < 3), "12.5 % are too many"
    assert found.figures["basis"]["run_id"] == "n3"


class Reader:
    """A language model that is always right by the opinion's words."""

    name = "reader"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def choose(
        self, messages: Sequence[Message], options: Sequence[str], *, seed: int = 0
    ) -> Mapping[str, float]:
        text = messages[-1].content
        self.asked.append(text)
        rating = next(stars for stars, words in OPINION.items() if words in text)
        return {one: 0.9 if one == sentiment_of(rating) else 0.05 for one in options}


def test_a_language_model_is_asked_only_about_what_is_new() -> None:
    config = LabelConfig(llm_rows=120, accept=1, star_reliability=0.5)
    store, some, first = MemoryRows(), [review(n) for n in range(120)], Reader()
    commit(store, "n0", [*some, *decided(some)])
    figures = labelled(store, "n0", config, first).figures["llm"]
    assert figures["sample"] == 60
    second, more = Reader(), [review(number) for number in range(125)]
    commit(store, "n1", [*more, *decided(more)])
    found = labelled(store, "n1", config, second)
    assert len(second.asked) == found.figures["labels_new"] == 5
    assert found.figures["llm"]["calibrator"] == figures["calibrator"]
    assert all("llm" in by_id(found)[f"r{number}"].votes for number in range(120, 125))


def test_other_settings_learn_anew(store: MemoryRows) -> None:
    some = [review(number) for number in range(120)]
    commit(store, "n1", [*some, *decided(some)])
    found = labelled(store, "n1", LabelConfig(star_reliability=0.9))
    assert "carried" not in found.figures


def test_a_forgotten_review_makes_the_night_learn_anew(store: MemoryRows) -> None:
    some = [review(number) for number in range(1, 120)]
    # As `forget` leaves it: the review is in no night any more, the report is as it was.
    report = store.report("n0", "dedupe")
    assert report
    store.commit(report, [*some, *decided(some)], [])
    found = second_night(store, some)
    assert "carried" not in found.figures
    anew, fresh = by_id(found), MemoryRows()
    assert by_id(second_night(fresh, some)) == anew


def verdict(name: str) -> ChallengeVerdict:
    return ChallengeVerdict(
        name, 0.5, name != "s1", "near_copy" if name == "s1" else ""
    )


def made(name: str, source: str, photo: str | None = None) -> list[Record]:
    row = Review(name, "p1", "Skirts", "", f"made {name}", 5, "synthetic", photo)
    return [row, Synthesis(name, "positive", "test", (source,))]


@pytest.fixture
def synthetic_night() -> MemoryRows:
    """A night of 40 reviews and 20 synthetic ones, each from one of them."""
    store, some = MemoryRows(), [review(number) for number in range(40)]
    photo = Photo("base", "p1", "product", "scraped", "u", 1, 1)
    edit = Photo(
        "edit",
        "p1",
        "review",
        "synthetic",
        "v",
        1,
        1,
        condition="torn",
        base_photo_id="base",
    )
    rows = [
        *some,
        *decided(some),
        Product("p1", "Skirt", "Skirts", "u"),
        photo,
        PhotoDecision("base", True, "free"),
    ]
    commit(store, "n0", rows)
    basis = Basis.of("n0", some).to_dict()
    cells = {"Skirts/positive": {"lacking": 20}}
    rows_made = [
        row
        for number in range(20)
        for row in made(f"s{number}", f"r{number}", "edit" if number == 3 else None)
    ]
    commit(
        store,
        "n0",
        [*rows_made, edit],
        "synthesize",
        settings=SETTINGS,
        basis=basis,
        cells=cells,
    )
    commit(
        store,
        "n0",
        [verdict(f"s{number}") for number in range(20)],
        "challenge",
        [Rejection("s1", "near_copy")],
        settings=SETTINGS,
        basis=basis,
    )
    return store


def next_night(
    store: MemoryRows, some: list[Review], usable: bool = True, lacking: int = 20
) -> Outcome | None:
    photo = Photo("base", "p1", "product", "scraped", "u", 1, 1)
    shown = PhotoDecision("base", usable, "free" if usable else "golden")
    commit(store, "n1", [*some, *decided(some), photo, shown])
    return still_written(
        Earlier(store, "n1"),
        RunView(store, "n1"),
        some,
        {"Skirts/positive": lacking},
        0.1,
        SETTINGS,
    )


def names(outcome: Outcome | None) -> set[str]:
    assert outcome is not None
    return {one.review_id for one in outcome.records if isinstance(one, Review)}


ALL = [review(number) for number in range(40)]


def test_synthetic_rows_stay_but_for_those_whose_source_has_changed(
    synthetic_night: MemoryRows,
) -> None:
    outcome = next_night(synthetic_night, [review(0, version=1), *ALL[2:], review(41)])
    assert names(outcome) == {f"s{number}" for number in range(2, 20)}
    assert outcome
    fallen = {one.row_id for one in outcome.rejections}
    assert fallen == {"s0", "s1"}


def test_a_row_whose_photo_became_golden_falls(synthetic_night: MemoryRows) -> None:
    outcome = next_night(synthetic_night, ALL, usable=False)
    assert names(outcome) == {f"s{number}" for number in range(20)} - {"s3"}
    assert outcome and not [one for one in outcome.records if isinstance(one, Photo)]


def test_all_is_written_anew_where_too_much_changed_or_more_is_lacking(
    synthetic_night: MemoryRows,
) -> None:
    grown = [*ALL, *(review(number) for number in range(50, 55))]
    assert next_night(synthetic_night, grown) is None
    assert next_night(synthetic_night, ALL, lacking=23) is None
    assert next_night(synthetic_night, ALL[3:]) is None
    assert names(next_night(synthetic_night, ALL, lacking=22))


def test_verdicts_stay_for_the_rows_that_stay(synthetic_night: MemoryRows) -> None:
    def judged(rows: list[Review]) -> Outcome | None:
        return still_judged(Earlier(synthetic_night, "n1"), ALL, rows, 0.1, SETTINGS)

    synthetic_night.begin_run("n1", "smoke", {})
    rows = [one.review for one in RunView(synthetic_night, "n0").synthetic()]
    outcome = judged(rows[:5])
    assert outcome
    assert list(outcome.records) == [verdict(one.review_id) for one in rows[:5]]
    assert [one.row_id for one in outcome.rejections] == [
        one.review_id for one in rows[:5] if one.review_id == "s1"
    ]
    assert judged([*rows, dataclasses.replace(rows[0], review_id="other")]) is None
    assert judged([dataclasses.replace(rows[0], body="other words")]) is None
