"""Nights over bands in PostgreSQL cluster as if all of their reviews were clustered at once."""

from itertools import pairwise

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kindling.dedupe.clusters import cluster, cluster_texts
from kindling.dedupe.leaders import read_back, stored, text_keys
from kindling.dedupe.texts import Rules, read_texts
from kindling.ports.bands import BandRow
from kindling.records import Review
from kindling.stores.bands import PostgresBands

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
    bands.add(SPACE, stored(found.leaders, RULES))
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


@pytest.fixture
def bands(database_url: str) -> PostgresBands:
    return PostgresBands(database_url)


def row(name: str, *keys: int) -> BandRow:
    return BandRow(name, f"text of {name}", "", "positive", b"\x01\x00", keys)


def names(bands: PostgresBands, *keys: int, space: str = SPACE) -> list[str]:
    found = bands.candidates(space, np.array(keys, np.uint64))
    return [one.review_id for one in found]


def test_rows_are_found_by_any_key_in_the_order_in_which_they_came(
    bands: PostgresBands,
) -> None:
    bands.add(SPACE, [row("b", 1, 2**64 - 1), row("a", 2)])
    bands.add(SPACE, [row("c", 1)])
    assert names(bands, 1, 2) == ["b", "a", "c"]
    assert names(bands, 2**64 - 1) == ["b"]
    assert names(bands, 77) == []
    assert names(bands, 1, space="other") == []


def test_a_row_again_changes_nothing_and_one_taken_out_is_not_found(
    bands: PostgresBands,
) -> None:
    bands.add(SPACE, [row("a", 1)])
    bands.add(SPACE, [row("a", 5)])
    assert names(bands, 1, 5) == ["a"]
    assert names(bands, 5) == []
    bands.remove(SPACE, ["a", "unknown"])
    assert names(bands, 1) == []


def test_a_phrase_of_everybody_proposes_its_first_fifty(bands: PostgresBands) -> None:
    bands.add(SPACE, [row(f"r{number:03}", 9) for number in range(80)])
    found = names(bands, 9)
    assert len(found) == 50
    assert found[0] == "r000"
    assert all(a < b for a, b in pairwise(found))
