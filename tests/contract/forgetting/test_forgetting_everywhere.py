"""A forgotten review is gone from every real store, and what others wrote is still there."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from kindling.errors import DataError
from kindling.forgetting.models import seen_by
from kindling.forgetting.work import forget
from kindling.observe.marks import hashed
from kindling.observe.row_hashes import folded
from kindling.ports.forgetting import Change, Selection, Subject
from kindling.records import Label, Page, Photo, Review, Study

from .conftest import NIGHT, SECRET, Installation, sha

ONE = Selection(reviews=("r1",))
PHRASES = ("walnut table of her aunt", "pot leaked")


def test_nothing_of_the_review_is_left_in_any_store(installation: Installation) -> None:
    before = folded(installation.everything())
    assert all(one in before for one in PHRASES)
    [certificate] = forget(ONE, installation.journal, installation.stores)

    everything = installation.everything()
    left = folded(everything)
    assert not [one for one in PHRASES if one in left]
    assert sha(b"photo of r1") not in everything
    assert "syn-1" not in everything and "syn-2" not in everything
    assert certificate.found_after == 0
    kept = installation.journal.certificates()[0].certificate
    assert kept == json.loads(json.dumps(asdict(certificate)))
    assert not [one for one in PHRASES if one in folded(json.dumps(kept))]
    assert certificate.models_that_saw_it == (
        f"version {installation.version} of run {NIGHT}",
    )
    assert {one.store for one in certificate.changes} == {
        "objects", "indexes", "models", "postgres"
    }  # fmt: skip


def test_what_others_wrote_is_still_there(installation: Installation) -> None:
    forget(ONE, installation.journal, installation.stores)
    rows = installation.rows
    kept = {one.review_id for one in rows.read(Review, NIGHT)}
    assert kept == {"r2", "r3", "r4", "syn-3"}
    assert {one.review_id for one in rows.read(Label, NIGHT)} == {"r2", "r3", "r4", "syn-3"}  # fmt: skip
    assert [one.photo_id for one in rows.read(Photo, NIGHT)] == [sha(b"photo of r2 and r4")]  # fmt: skip
    assert not rows.read(Study, NIGHT) and not rows.read(Page, NIGHT)
    objects, uris = installation.objects, installation.uris
    assert objects.get(uris["other page"]) and objects.get(uris["shared"])
    report = objects.get(uris["report"]).decode()
    assert "All is well otherwise." in report and "(forgotten)" in report
    assert json.loads(objects.get(uris["figures"])) == {
        "n": 3,
        "mistakes": [{}, {"text": "fine"}],
    }
    memory = installation.standing.get("membership/smoke", NIGHT)
    assert memory is not None
    assert memory.value["reviews"] == {"r2": "train"}
    assert set(memory.value["learned"]) == {"r2"}
    assert memory.value["products"] == {"p1": "train"}
    calls = installation.standing.latest("llm_call")
    assert set(calls) == {"k2"}


def test_both_legs_answer_under_a_new_name_without_it(
    installation: Installation,
) -> None:
    keywords, alias = installation.keywords, installation.alias
    assert keywords.search("v2", "walnut", 3)
    forget(ONE, installation.journal, installation.stores)
    version = alias.current()
    assert version is not None and version != "v2", (
        "kept answers are under the old name"
    )
    assert not keywords.search(version, "walnut", 3)
    assert keywords.search(version, "kettle", 3)[0].review_id == "r4"
    assert installation.vectors.count(version) == keywords.count(version) == 3
    assert installation.vectors.versions() == [version] == keywords.versions()


def test_which_model_saw_it_is_known_before_and_its_set_is_clean_afterwards(
    installation: Installation,
) -> None:
    before = seen_by(installation.registry, ["r1", "r3"])
    assert before == {
        "r1": {installation.version: {"train": 1, "synthetic": 1}},
        "r3": {},
    }
    forget(ONE, installation.journal, installation.stores)
    kept = installation.registry.training_set(installation.version)
    assert kept is not None
    assert [one.review_id for one in kept.rows] == ["r2"]
    assert kept.forgotten == 3, "two rows and a study"
    assert not kept.studies


@pytest.mark.parametrize("dies_in", range(4))
def test_a_killed_forgetting_is_finished_by_running_it_again(
    installation: Installation, dies_in: int
) -> None:
    class Killed(Exception):
        pass

    class Dying:
        name = "dying"

        def forget(self, subject: Subject) -> list[Change]:
            raise Killed

        def search(self, subject: Subject) -> list[str]:
            return []

    stores = installation.stores
    with pytest.raises(Killed):
        forget(
            ONE,
            installation.journal,
            [*stores[:dies_in], Dying(), *stores[dies_in:]],
        )
    [certificate] = forget(ONE, installation.journal, stores)
    left = folded(installation.everything())
    assert not [one for one in PHRASES if one in left]
    assert {one.store for one in certificate.changes} >= {"objects", "postgres"}
    assert not installation.journal.unfinished()
    assert forget(ONE, installation.journal, stores) == [], "forgotten already"


def test_a_trace_that_a_store_keeps_stops_the_certificate(
    installation: Installation,
) -> None:
    class Stubborn:
        name = "stubborn"

        def forget(self, subject: Subject) -> list[Change]:
            return []

        def search(self, subject: Subject) -> list[str]:
            return ["stubborn: shelf 4"]

    with pytest.raises(DataError, match="shelf 4"):
        forget(ONE, installation.journal, [*installation.stores, Stubborn()])
    assert installation.journal.unfinished() and not installation.journal.certificates()


def test_a_table_nobody_told_of_is_found_by_its_columns(
    installation: Installation,
) -> None:
    import psycopg

    with psycopg.connect(installation.url) as connection:
        connection.execute(
            "CREATE TABLE kindling.later (review_id text, said text, notes jsonb)"
        )
        connection.execute(
            "INSERT INTO kindling.later VALUES ('r1', %s, '{}'), ('r2', 'fine', '{}')",
            (SECRET,),
        )
    forget(ONE, installation.journal, installation.stores)
    with psycopg.connect(installation.url) as connection:
        left = connection.execute("SELECT review_id FROM kindling.later").fetchall()
    assert left == [("r2",)]


def test_a_text_in_a_table_without_such_columns_is_reported(
    installation: Installation,
) -> None:
    import psycopg

    with psycopg.connect(installation.url) as connection:
        connection.execute("CREATE TABLE kindling.diary (entry text)")
        connection.execute("INSERT INTO kindling.diary VALUES (%s)", (SECRET,))
    with pytest.raises(DataError, match=r"diary\.entry"):
        forget(ONE, installation.journal, installation.stores)


def test_a_copy_of_the_text_under_another_id_goes_with_it_and_a_short_one_stays(
    installation: Installation,
) -> None:
    import psycopg

    with psycopg.connect(installation.url) as connection:
        for copy_of, name in (("r1", "copy"), ("r3", "same-short")):
            connection.execute(
                "INSERT INTO kindling.review SELECT run_id, stage, %s, product_id, category,"
                " upper(title), upper(body), rating, origin, NULL, source_url, page_sha256,"
                " extractor, author, published, shard FROM kindling.review"
                " WHERE review_id = %s",
                (name, copy_of),
            )
    asked = Selection(reviews=("r1", "r3"))
    [certificate] = forget(asked, installation.journal, installation.stores)
    kept = {one.review_id for one in installation.rows.read(Review, NIGHT)}
    assert "copy" not in kept and "same-short" in kept
    assert certificate.texts_of_others >= 1


def test_the_tombstones_are_hashes_and_know_it_again(
    installation: Installation,
) -> None:
    forget(ONE, installation.journal, installation.stores)
    marks = [
        hashed("review", "r1"),
        hashed("text", folded(SECRET)),
        hashed("review", "r2"),
    ]
    assert installation.journal.among(marks) == frozenset(marks[:2])


def test_a_source_is_forgotten_whole(installation: Installation) -> None:
    [certificate] = forget(
        Selection(source="pots.example"), installation.journal, installation.stores
    )
    assert len(certificate.reviews) == 4
    assert not installation.rows.read(Review, NIGHT)
    assert installation.journal.among([hashed("source", "pots.example")])


def test_an_unknown_review_is_said_to_be_unknown(installation: Installation) -> None:
    with pytest.raises(DataError, match="nope"):
        forget(Selection(reviews=("nope",)), installation.journal, installation.stores)
    assert not installation.journal.among([hashed("review", "nope")])


def test_the_folder_of_objects_holds_no_half_written_file(
    installation: Installation,
) -> None:
    forget(ONE, installation.journal, installation.stores)
    assert not list(Path(installation.folder / "objects").rglob(".*"))


def test_what_a_crawl_was_answered_goes_too(installation: Installation) -> None:
    import psycopg

    with psycopg.connect(installation.url) as connection:
        connection.cursor().executemany(
            "INSERT INTO kindling.frontier (run_id, crawl, digest, key, result)"
            " VALUES (%s, 'c', %s, %s, %s)",
            [
                (NIGHT, "1", "page one", SECRET.encode()),
                (NIGHT, "2", "page two", b"nothing of hers"),
                (NIGHT, "3", "page three", None),
                (NIGHT, "4", f"photo http://shop.example/{ONE.reviews[0]}.jpg", None),
            ],
        )
    forget(ONE, installation.journal, installation.stores)
    with psycopg.connect(installation.url) as connection:
        left = connection.execute(
            "SELECT key FROM kindling.frontier ORDER BY key"
        ).fetchall()
    assert left == [("page three",), ("page two",)]
