"""RowStore: PostgreSQL and the in-memory one keep the same promises."""

import dataclasses
import hashlib
import threading

import psycopg
import pytest

from kindling.errors import ConfigurationError, TransientError
from kindling.ports.rows import RowStore
from kindling.records import (
    Estimate,
    Label,
    Photo,
    Rejection,
    Review,
    StageReport,
    Synthesis,
)
from kindling.stores.memory import MemoryRows
from kindling.stores.postgres import PostgresRows

REVIEWS = [
    Review(
        "b",
        "p1",
        "Teapots",
        "",
        'Pours well \U0001fad6 "quoted" \\ tab\there',
        5,
        "scraped",
    ),
    Review(
        "a",
        "p2",
        "Teapots",
        "Leaks",
        "It leaks.\nEverywhere.",
        1,
        "scraped",
        photo_id="f" * 64,
    ),
    Review("B", "p2", "Lamps", "", "Fine", 3, "scraped"),
]


def report(stage: str = "scrape", run: str = "r", **changes: object) -> StageReport:
    return dataclasses.replace(
        StageReport(stage, run, 3, 3, inputs_sha256="i"), **changes
    )


@pytest.fixture(params=["postgres", "memory"])
def rows(request: pytest.FixtureRequest) -> RowStore:
    if request.param == "memory":
        return MemoryRows()
    store = PostgresRows(request.getfixturevalue("database_url"))
    for run in ("r", "other"):
        store.begin_run(run, "smoke", {})
    return store


def test_rows_come_back_as_they_went_in_ordered_by_key(rows: RowStore) -> None:
    rows.commit(report(), REVIEWS, [])
    assert rows.read(Review, "r") == sorted(REVIEWS, key=lambda row: row.review_id)
    assert rows.read(Review, "r", rating=1) == [REVIEWS[1]]
    assert rows.read(Review, "other") == []


def test_rows_are_read_one_at_a_time_and_by_their_keys(rows: RowStore) -> None:
    rows.commit(report(), REVIEWS, [])
    assert list(rows.each(Review, "r")) == rows.read(Review, "r")
    assert list(rows.each(Review, "r", ["a", "unknown"])) == [REVIEWS[1]]
    assert list(rows.each(Review, "r", ["a", "b"], rating=5)) == [REVIEWS[0]]
    assert list(rows.each(Review, "r", [])) == []


def test_an_outline_has_everything_but_the_words_and_tells_when_they_change(
    rows: RowStore,
) -> None:
    made = dataclasses.replace(REVIEWS[2], review_id="made", origin="synthetic")
    rows.commit(report(), [*REVIEWS, made], [])
    found = list(rows.outlines("r"))
    assert [one.review_id for one in found] == ["B", "a", "b"]
    leaks = found[1]
    assert leaks[1:6] == ("p2", "Teapots", 1, "f" * 64, "")
    content = b"Leaks\x1fIt leaks.\nEverywhere."
    assert leaks.version == hashlib.md5(content, usedforsecurity=False).digest()


def test_nested_values_survive(rows: RowStore) -> None:
    synthesis = Synthesis("s", "neutral", "m", ("a", "b"), "torn", {"prompt": "p"})
    label = Label("s", "neutral", 0.5, "review", {"stars": 0.75})
    photo = Photo(
        "f",
        "p",
        "review",
        "synthetic",
        "file:///x",
        3,
        4,
        condition="torn",
        base_photo_id="g",
    )
    rows.commit(report(), [synthesis, label, photo], [])
    assert (
        rows.read(Synthesis, "r"),
        rows.read(Label, "r"),
        rows.read(Photo, "r"),
    ) == ([synthesis], [label], [photo])


def test_manifest_is_absent_until_the_commit(rows: RowStore) -> None:
    assert rows.report("r", "scrape") is None
    made = report(figures={"share": 0.5, "by": {"x": 1}}, rejected={"empty_text": 1})
    rows.commit(made, REVIEWS, [Rejection("z", "empty_text")])
    assert rows.report("r", "scrape") == made
    assert rows.read(Rejection, "r") == [Rejection("z", "empty_text")]


def test_a_second_commit_replaces_the_stage_and_nothing_else(rows: RowStore) -> None:
    rows.commit(report(), REVIEWS, [Rejection("z", "empty_text")])
    synthetic = Review("syn-1", "p1", "Teapots", "", "made", 5, "synthetic")
    rows.commit(report("synthesize"), [synthetic], [])
    rows.commit(report(), REVIEWS[:1], [])
    assert {row.review_id for row in rows.read(Review, "r")} == {"b", "syn-1"}
    assert rows.read(Rejection, "r") == []


def test_a_failed_commit_leaves_nothing(rows: RowStore) -> None:
    rows.commit(report(), REVIEWS, [])
    with pytest.raises((psycopg.errors.UniqueViolation, ValueError)):
        rows.commit(report(rows_out=9), [REVIEWS[0], REVIEWS[0]], [])
    assert len(rows.read(Review, "r")) == 3
    assert rows.report("r", "scrape").rows_out == 3


def test_two_attempts_of_one_stage_take_turns(database_url: str) -> None:
    rows = PostgresRows(database_url)
    rows.begin_run("r", "smoke", {})
    failures: list[BaseException] = []

    def attempt() -> None:
        try:
            rows.commit(report(), REVIEWS, [])
        except BaseException as error:  # noqa: BLE001 - a thread's failure must reach the test
            failures.append(error)

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(rows.read(Review, "r")) == 3


@pytest.mark.parametrize(
    "row",
    [
        Review("x", "p", "c", "", "text", 6, "scraped"),
        Review("x", "p", "c", "", "", 3, "scraped"),
        Photo("x", "p", "review", "scraped", "u", 1, 1, condition="torn"),
        Label("x", "neutral", 1.5, "accept", {}),
    ],
)
def test_constraints_hold_invariants(database_url: str, row: object) -> None:
    rows = PostgresRows(database_url)
    rows.begin_run("r", "smoke", {})
    with pytest.raises(psycopg.errors.CheckViolation):
        rows.commit(report(), [row], [])


def test_run_id_under_other_settings_is_refused(database_url: str) -> None:
    rows = PostgresRows(database_url)
    rows.begin_run("r", "smoke", {"target_size": 3})
    rows.begin_run("r", "smoke", {"target_size": 3})
    with pytest.raises(ConfigurationError, match="use another run id"):
        rows.begin_run("r", "smoke", {"target_size": 4})


def test_estimates_in_figures_are_json(database_url: str) -> None:
    rows = PostgresRows(database_url)
    rows.begin_run("r", "smoke", {})
    rows.commit(report(figures={"f1": Estimate(0.5, 10, 0.4, 0.6, "ab")}), [], [])
    assert rows.report("r", "scrape").figures["f1"]["low"] == 0.4


def test_server_that_does_not_answer_is_worth_a_retry(tmp_path: object) -> None:
    rows = PostgresRows(f"postgresql:///x?host={tmp_path}")
    with pytest.raises(TransientError, match="does not answer") as raised:
        rows.read(Review, "r")
    assert raised.value.exit_code == 75


def shard(index: int, of: int = 2, **changes: object) -> StageReport:
    return report(shard=index, shards=of, **changes)


def test_shards_commit_side_by_side_and_a_retry_touches_its_own_rows_only(
    rows: RowStore,
) -> None:
    first, second = REVIEWS[:1], REVIEWS[1:]
    rejected = [Rejection("x", "why"), Rejection("y", "why")]
    committers = [
        threading.Thread(target=rows.commit, args=(shard(0), first, rejected[:1])),
        threading.Thread(target=rows.commit, args=(shard(1), second, rejected[1:])),
    ]
    for one in committers:
        one.start()
    for one in committers:
        one.join()
    assert {one.review_id for one in rows.read(Review, "r")} == {"a", "b", "B"}
    assert [one.shard for one in rows.shard_reports("r", "scrape")] == [0, 1]
    for _ in range(2):
        rows.commit(shard(1), second[:1], rejected[1:])
    assert {one.review_id for one in rows.read(Review, "r")} == {"a", "b"}
    assert {one.row_id for one in rows.read(Rejection, "r")} == {"x", "y"}


def test_a_stage_split_anew_keeps_no_row_of_the_old_split(rows: RowStore) -> None:
    rows.commit(shard(0), REVIEWS[:1], [])
    rows.commit(shard(1), REVIEWS[1:], [])
    rows.commit(shard(0, of=1), REVIEWS[:2], [])
    assert {one.review_id for one in rows.read(Review, "r")} == {"a", "b"}
    assert [one.shards for one in rows.shard_reports("r", "scrape")] == [1]


@pytest.mark.parametrize(
    "url", ["garbage", "postgresql://[::1", "postgresql://u:secret@h:port/x y"]
)
def test_a_malformed_url_is_a_configuration_error_without_its_words(url: str) -> None:
    with pytest.raises(ConfigurationError, match="KINDLING_DATABASE_URL") as raised:
        PostgresRows(url).report("r", "scrape")
    assert "secret" not in str(raised.value)


def test_a_database_that_was_never_migrated_says_what_to_run(
    postgres_server: str,
) -> None:
    with pytest.raises(ConfigurationError, match="run `python -m kindling migrate`"):
        PostgresRows(postgres_server).begin_run("r", "smoke", {})
