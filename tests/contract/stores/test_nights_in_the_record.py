"""Nights kept as changes read as if each were kept whole, whatever is replaced or dropped."""

import dataclasses

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kindling.errors import ConfigurationError
from kindling.records import Label, Rejection, Review, StageReport
from kindling.stores import lineage
from kindling.stores.postgres import PostgresRows, connect

RECIPE = "smoke"


def review(number: int, version: int = 0) -> Review:
    body = f"text {number} in version {version}"
    return Review(f"r{number}", "p", "c", "", body, 5, "scraped")


def report(run: str, stage: str = "scrape", shard: int = 0, of: int = 1) -> StageReport:
    return StageReport(stage, run, 1, 1, shard=shard, shards=of)


def written(database_url: str, table: str = "review") -> dict[str, int]:
    """Rows that each run holds itself."""
    with connect(database_url) as connection:
        rows = connection.execute(
            f"SELECT run_id, count(*) FROM {table} GROUP BY run_id"
        ).fetchall()
    return dict(rows)


@pytest.fixture
def rows(database_url: str) -> PostgresRows:
    store = PostgresRows(database_url)
    for night in range(4):
        store.begin_run(f"n{night}", RECIPE, {})
    return store


def test_a_night_writes_what_is_new_changed_and_gone(
    rows: PostgresRows, database_url: str
) -> None:
    first = [review(number) for number in range(100)]
    rows.commit(report("n0"), first, [Rejection("x", "why"), Rejection("x", "also")])
    second = [*first[2:], review(1, version=1), review(100)]
    rows.commit(report("n1"), second, [Rejection("x", "also")])
    assert written(database_url) == {"n0": 100, "n1": 2}
    assert written(database_url, "row_gone") == {"n1": 2}
    assert {one.review_id: one for one in rows.read(Review, "n1")} == {
        one.review_id: one for one in second
    }
    assert rows.read(Review, "n0") == sorted(first, key=lambda one: one.review_id)
    assert rows.read(Rejection, "n1") == [Rejection("x", "also")]
    assert rows.read(Review, "n1", body=review(1, 1).body) == [review(1, 1)]


def test_the_same_rows_again_write_nothing(
    rows: PostgresRows, database_url: str
) -> None:
    some = [review(number) for number in range(10)]
    rows.commit(report("n0"), some, [])
    rows.commit(report("n1"), some, [])
    rows.commit_same(report("n2"), "n1")
    assert written(database_url) == {"n0": 10}
    assert rows.read(Review, "n2") == rows.read(Review, "n0")


def test_a_review_is_new_changed_gone_and_back(rows: PostgresRows) -> None:
    other = [review(number) for number in range(10, 20)]
    rows.commit(report("n0"), [*other, review(1)], [])
    rows.commit(report("n1"), [*other, review(1, 1)], [])
    rows.commit(report("n2"), other, [])
    rows.commit(report("n3"), [*other, review(1, 1)], [])

    def events() -> list[tuple[str, str]]:
        return [(one.run_id, one.event) for one in rows.seen("r1")]

    assert events() == [
        ("n0", "new"),
        ("n1", "changed"),
        ("n2", "gone"),
        ("n3", "new"),
    ]
    rows.drop_run("n0")
    assert events() == [("n1", "new"), ("n2", "gone"), ("n3", "new")]


def test_a_replaced_night_leaves_the_nights_on_top_of_it_as_they_were(
    rows: PostgresRows,
) -> None:
    some = [review(number) for number in range(10)]
    rows.commit(report("n0"), some, [])
    rows.commit(report("n1"), some[1:], [])
    before = rows.read(Review, "n1")
    rows.commit(report("n0"), [review(77)], [])
    assert rows.read(Review, "n1") == before
    assert rows.read(Review, "n0") == [review(77)]


def test_a_dropped_night_is_gone_and_the_next_keeps_its_rows(
    rows: PostgresRows, database_url: str
) -> None:
    some = [review(number) for number in range(10)]
    for night in range(3):
        rows.commit(report(f"n{night}"), some[night:], [])
    expected = rows.read(Review, "n2")
    rows.drop_run("n0")
    rows.drop_run("n1")
    assert rows.read(Review, "n2") == expected
    assert written(database_url) == {"n2": 8}
    with pytest.raises(ConfigurationError, match="'n0' is not in the record"):
        rows.drop_run("n0")


def test_a_long_line_of_nights_is_cut(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage, "MAX_DEPTH", 3)
    store = PostgresRows(database_url)
    some = [review(number) for number in range(50)]
    for night in range(8):
        store.begin_run(f"n{night}", RECIPE, {})
        store.commit(report(f"n{night}"), some[night:], [])
    deepest = 0
    with connect(database_url) as connection, connection.cursor() as cursor:
        for night in range(8):
            place = lineage.Place(f"n{night}", "scrape", 0)
            deepest = max(deepest, lineage.depth_of(cursor, place))
    assert 0 < deepest < 3
    for night in range(8):
        assert len(store.read(Review, f"n{night}")) == 50 - night


def test_other_recipes_other_parameters_and_other_splits_are_no_base(
    database_url: str,
) -> None:
    store = PostgresRows(database_url)
    store.begin_run("first", RECIPE, {"niche": []})
    store.begin_run("parameters", RECIPE, {"niche": ["Teapots"]})
    store.begin_run("recipe", "demo", {"niche": []})
    store.begin_run("split", RECIPE, {"niche": []})
    some = [review(number) for number in range(4)]
    for run in ("first", "parameters", "recipe"):
        store.commit(report(run), some, [])
    store.commit(report("split", shard=1, of=2), some, [])
    assert written(database_url) == dict.fromkeys(
        ("first", "parameters", "recipe", "split"), 4
    )
    assert store.before("split", "scrape") == "first"
    assert store.before("recipe", "scrape") is None


def test_a_stage_that_was_not_committed_so_cannot_be_stood_on(
    rows: PostgresRows,
) -> None:
    with pytest.raises(Exception, match="has not committed it so"):
        rows.commit_same(report("n1"), "n0")
    assert rows.report("n1", "scrape") is None


nights = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["commit", "commit", "commit", "drop"]),
        st.dictionaries(st.integers(0, 9), st.integers(0, 1), max_size=10),
    ),
    min_size=2,
    max_size=8,
)


@given(nights)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_reads_as_if_every_night_were_kept_whole(
    database_url: str, history: list[tuple[int, str, dict[int, int]]]
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE kindling.run CASCADE")
    store = PostgresRows(database_url)
    for night in range(4):
        store.begin_run(f"n{night}", RECIPE, {})
    expected: dict[str, dict[type, list[object]]] = {}
    begun = {f"n{night}" for night in range(4)}
    for night, act, chosen in history:
        run = f"n{night}"
        if act == "drop":
            if run in begun:
                store.drop_run(run)
                begun.discard(run)
                expected.pop(run, None)
            continue
        if run not in begun:
            store.begin_run(run, RECIPE, {})
            begun.add(run)
        some = [review(number, version) for number, version in chosen.items()]
        labels = [
            Label(one.review_id, "positive", 1.0, "accept", {"stars": version / 2})
            for one, version in zip(some, chosen.values(), strict=True)
        ]
        gone = [Rejection(one.review_id, "why") for one in some[::2]]
        made = dataclasses.replace(report(run), rows_out=len(some))
        store.commit(made, [*some, *labels], gone)
        expected[run] = {Review: some, Label: labels, Rejection: gone}
        for other, tables in expected.items():
            for kind, content in tables.items():
                key = kind.key  # type: ignore[attr-defined]
                assert store.read(kind, other) == sorted(
                    content, key=lambda row, key=key: getattr(row, key)
                )
