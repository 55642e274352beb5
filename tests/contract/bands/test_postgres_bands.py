"""Nights over bands in PostgreSQL cluster as if all of their reviews were clustered at once."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kindling.dedupe.clusters import cluster, cluster_texts
from kindling.dedupe.leaders import read_back, stored, text_keys
from kindling.dedupe.texts import Rules, read_texts
from kindling.ports.bands import BandRow, BandStore
from kindling.records import Review
from kindling.stores.bands import PostgresBands
from kindling.stores.bands_memory import MemoryBands

RULES = Rules(threshold=0.6, miss=0.01)
SPACE = "smoke"
SENTENCES = (
    "The sleeves are far too long for me and the fabric scratches.",
    "I bought it for my sister, who wears it to the office every day.",
    "After two washes the colour has faded and a seam came open.",
    "这件衣服的颜色很好看，但是尺码偏小，我不得不退货。",
    "Runs small, so order one size up from what you usually take.",
    "ok",
)


def one_night(bands: PostgresBands, batch: list[Review]) -> set[tuple[str, str, float]]:
    texts = read_texts(batch, RULES)
    rows = bands.candidates(SPACE, text_keys(texts, RULES))
    found = cluster_texts(texts, RULES, None, read_back(rows, RULES))
    bands.add(SPACE, "night", stored(found.leaders, RULES))
    return {(m.review_id, m.representative, m.similarity) for m in found.members}


texts = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=3).map(" ".join)
nights = st.lists(
    st.lists(
        st.tuples(texts, st.sampled_from([1, 3, 5]), st.sampled_from(["p", "q"])),
        max_size=6,
    ),
    min_size=1,
    max_size=4,
)


@given(nights)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_night_after_night_equals_all_at_once(
    database_url: str, history: list[list[tuple[str, int, str]]]
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE kindling.band_leader CASCADE")
    bands, places = PostgresBands(database_url), set()
    reviews: list[Review] = []
    nights: dict[str, int] = {}
    for number, written in enumerate(history):
        batch = [
            Review(f"{number}-{at}", product, "c", "", text, rating, "scraped")
            for at, (text, rating, product) in enumerate(written)
        ]
        places |= one_night(bands, batch)
        reviews += batch
        nights |= {one.review_id: number for one in batch}
    full = cluster(reviews, RULES, nights)
    assert places == {
        (m.review_id, m.representative, m.similarity) for m in full.members
    }


@pytest.fixture(params=["postgres", "memory"])
def bands(request: pytest.FixtureRequest) -> BandStore:
    if request.param == "memory":
        return MemoryBands()
    return PostgresBands(request.getfixturevalue("database_url"))


def row(name: str, *keys: int) -> BandRow:
    return BandRow(name, f"text of {name}", "", "positive", b"\x01\x00", keys)


def names(bands: BandStore, *keys: int, space: str = SPACE) -> list[str]:
    found = bands.candidates(space, np.array(keys, np.uint64))
    return [one.review_id for one in found]


def test_rows_are_found_by_any_key_in_the_order_in_which_they_came(
    bands: BandStore,
) -> None:
    bands.add(SPACE, "night", [row("b", 1, 2**64 - 1), row("a", 2)])
    bands.add(SPACE, "night", [row("c", 1)])
    assert names(bands, 1, 2) == ["b", "a", "c"]
    assert names(bands, 2**64 - 1) == ["b"]
    assert names(bands, 77) == []
    assert names(bands, 1, space="other") == []


def test_a_row_again_changes_nothing_and_one_taken_out_is_not_found(
    bands: BandStore,
) -> None:
    bands.add(SPACE, "night", [row("a", 1)])
    bands.add(SPACE, "night", [row("a", 5)])
    assert names(bands, 1, 5) == ["a"]
    assert names(bands, 5) == []
    bands.remove(SPACE, ["a", "unknown"])
    assert names(bands, 1) == []


def test_a_night_does_not_find_its_own_rows_and_takes_them_out(
    bands: BandStore,
) -> None:
    bands.add(SPACE, "one", [row("a", 1)])
    bands.add(SPACE, "two", [row("b", 1)])
    found = bands.candidates(SPACE, np.array([1], np.uint64), "two")
    assert [one.review_id for one in found] == ["a"]
    bands.forget_night(SPACE, "two")
    bands.forget_night("other", "one")
    assert names(bands, 1) == ["a"]


def test_another_version_of_a_review_is_another_row(bands: BandStore) -> None:
    old, new = replace(row("a", 1), version=b"1"), replace(row("a", 2), version=b"2")
    bands.add(SPACE, "one", [old])
    bands.add(SPACE, "two", [old, new])
    found = bands.candidates(SPACE, np.array([1, 2], np.uint64))
    assert [one.version for one in found] == [b"1", b"2"]
    newest_first = bands.of_review(SPACE, "a")
    assert [one.version for one in newest_first] == [b"2", b"1"]


def test_what_was_learned_from_is_found_in_every_space_of_the_recipe(
    bands: BandStore,
) -> None:
    bands.add("mine/1", "one", [row("a", 1), row("b", 2)])
    bands.add("mine/2", "two", [replace(row("c", 3), learned=True)])
    bands.add("other/1", "one", [replace(row("d", 4), learned=True)])
    bands.learn("mine/1", ["b", "unknown"])
    assert [one.review_id for one in bands.learned("mine/", "none")] == ["b", "c"]
    assert [one.review_id for one in bands.learned("mine/", "two")] == ["b"]


def test_a_phrase_of_everybody_proposes_its_first_fifty(
    database_url: str,
) -> None:
    bands = PostgresBands(database_url)
    bands.add(SPACE, "night", [row(f"r{number:03}", 9) for number in range(80)])
    found = names(bands, 9)
    assert len(found) == 50
    assert found[0] == "r000"
    assert all(a < b for a, b in pairwise(found))
