"""What every KeywordIndex promises, asked of each adapter over its real engine."""

import string
from collections.abc import Callable

import numpy as np
import pytest

from kindling.errors import DataError
from kindling.ports.index import Document, KeywordIndex

Make = Callable[..., Document]

#: One topic, lengths and frequencies apart: the order by BM25 follows from its formula.
ZIPPER = {
    "a-often": "zipper zipper zipper",
    "b-short": "zipper broke",
    "c-long": "the zipper on the side of this otherwise nice garment broke after one week of wear",
    "d-other": "soft fabric, a good fit",
}


def ids(
    index: KeywordIndex, version: str, query: str, limit: int = 10, **filters: object
) -> list[str]:
    return [
        hit.review_id for hit in index.search(version, query, limit, filters or None)
    ]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def zipper(index: KeywordIndex, make: Make) -> str:
    """A version that tests only read."""
    version = f"{make.__globals__['TAG']}zipper"
    index.build(version, [make(name, text) for name, text in ZIPPER.items()])
    return version


def test_count_is_what_went_in(index: KeywordIndex, version: str, make: Make) -> None:
    assert (
        index.build(
            version, (make(f"r{i}", "" if i == 3 else "some text") for i in range(7))
        )
        == 7
    )
    assert index.count(version) == 7


def test_an_empty_index_is_an_index(index: KeywordIndex, version: str) -> None:
    assert index.build(version, []) == 0
    assert index.count(version) == 0
    assert index.search(version, "anything", 5) == []


def test_term_frequency_and_length_order_the_hits(
    index: KeywordIndex, zipper: str
) -> None:
    assert ids(index, zipper, "zipper") == ["a-often", "b-short", "c-long"]


def test_a_rare_word_outweighs_a_common_one(
    index: KeywordIndex, version: str, make: Make
) -> None:
    index.build(
        version,
        [
            *(make(f"c{i}", f"dress number {i}") for i in range(20)),
            make("rare", "velvet number nine"),
        ],
    )
    assert ids(index, version, "velvet dress")[0] == "rare"


def test_scores_fall_and_the_limit_holds(index: KeywordIndex, zipper: str) -> None:
    hits = index.search(zipper, "zipper broke", 2)
    assert len(hits) == 2 and hits[0].score > hits[1].score > 0


def test_any_word_is_enough(index: KeywordIndex, zipper: str) -> None:
    assert set(ids(index, zipper, "zipper fabric unheard")) == set(ZIPPER)


@pytest.mark.parametrize(
    "query",
    [
        "zippers",
        "ZIPPER",
        "Zippered?",
        "«zipper»",
        "zipper " * 400,
        "x" * 20_000 + " zipper",
    ],
)
def test_stems_and_case(index: KeywordIndex, zipper: str, query: str) -> None:
    assert "a-often" in ids(index, zipper, query)


@pytest.mark.parametrize(
    "query", ["", " \n\t", "...", "unheard", "🙂", "\0", "AND", '"', "(", "*", "\ud800"]
)
def test_nothing_in_common_is_no_hit(
    index: KeywordIndex, zipper: str, query: str
) -> None:
    assert index.search(zipper, query, 5) == []


@pytest.mark.parametrize(
    "query",
    [
        'zipper"',
        '"zipper',
        "zipper AND",
        "NOT zipper",
        "zipper -zipper",
        "text:zipper",
        "+zipper",
        "zipper~2",
        "zip* zipper",
        "(zipper",
        "zipper)",
        "zipper\\",
        "zipper^9",
        "[zipper TO zipper}",
        "zipper || !",
        "zipper \ud800",
        "{}zipper",
        "/zipper/",
    ],
)
def test_operators_are_only_text(index: KeywordIndex, zipper: str, query: str) -> None:
    assert ids(index, zipper, query)[:2] == ["a-often", "b-short"]


def test_letters_of_any_script_are_found(
    index: KeywordIndex, version: str, make: Make
) -> None:
    index.build(
        version,
        [
            make("fr", "Très jolie, déçue de la TAILLE"),
            make("ru", "платье порвалось"),
            make("ü", "Größe passt"),
        ],
    )
    assert ids(index, version, "DÉÇUE") == ["fr"]
    assert ids(index, version, "Платье") == ["ru"]
    assert ids(index, version, "größe") == ["ü"]


def test_a_query_as_long_as_a_book(index: KeywordIndex, zipper: str) -> None:
    rng = np.random.default_rng(0)
    words = "-".join(
        "".join(rng.choice(list(string.ascii_lowercase), 4)) for _ in range(4000)
    )
    assert ids(index, zipper, f"zipper {words}")[0] == "a-often"


def test_filters_keep_what_matches_whole(
    index: KeywordIndex, version: str, make: Make
) -> None:
    index.build(
        version,
        [
            make(
                "r1",
                "dress",
                product_id="p 1",
                category="Fine gauge",
                rating=1,
                sentiment="negative",
            ),
            make(
                "r2",
                "dress",
                product_id="p 2",
                category="Fine gauge",
                rating=3,
                sentiment="neutral",
            ),
            make("r3", "dress", product_id="p 2", category="Knits", rating=5),
        ],
    )
    assert ids(index, version, "dress", category="Fine gauge") == ["r1", "r2"]
    assert (
        ids(index, version, "dress", category="fine gauge")
        == ids(index, version, "dress", category="Fine")
        == []
    )
    assert ids(index, version, "dress", rating=[1, 5]) == ["r1", "r3"]
    assert ids(index, version, "dress", sentiment=["neutral"], product_id="p 2") == [
        "r2"
    ]
    assert ids(index, version, "dress", review_id=["r3", "r1", "gone"]) == ["r1", "r3"]
    assert ids(index, version, "dress", rating=[]) == []


def test_a_filter_moves_no_score(index: KeywordIndex, zipper: str) -> None:
    free = {hit.review_id: hit.score for hit in index.search(zipper, "zipper", 10)}
    held = {
        hit.review_id: hit.score
        for hit in index.search(
            zipper, "zipper", 10, {"category": ["Dresses", "Knits"]}
        )
    }
    assert held == pytest.approx(free)


@pytest.mark.parametrize(
    "filters",
    [{"text": "dress"}, {"colour": "red"}, {"rating": "5"}, {"category": [1]}],
)
def test_a_filter_that_means_nothing_is_an_error(
    index: KeywordIndex, zipper: str, filters: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match="filter"):
        index.search(zipper, "zipper", 5, filters)  # type: ignore[arg-type]


def test_ties_go_by_review_id_even_at_the_limit(
    index: KeywordIndex, version: str, make: Make
) -> None:
    names = [f"r{i:03}" for i in range(300)]
    index.build(
        version,
        [
            make(name, "the same words")
            for name in np.random.default_rng(1).permutation(names).tolist()
        ],
    )
    assert ids(index, version, "words", limit=20) == names[:20]


def test_building_again_replaces(index: KeywordIndex, version: str, make: Make) -> None:
    index.build(version, [make(name, text) for name, text in ZIPPER.items()])
    before = ids(index, version, "zipper")
    assert index.build(version, [make("new", "a zipper")]) == 1
    assert before != ids(index, version, "zipper") == ["new"]
    assert index.count(version) == 1


def test_versions_live_beside_each_other(
    index: KeywordIndex, version: str, make: Make
) -> None:
    index.build(version, [make(name, text) for name, text in ZIPPER.items()])
    second = f"{version}-2"
    index.build(second, [make("only", "a zipper")])
    assert [one for one in index.versions() if one.startswith(version)] == [
        version,
        second,
    ]
    assert ids(index, version, "zipper")[0] == "a-often" and ids(
        index, second, "zipper"
    ) == ["only"]
    index.drop(version)
    index.drop(version)
    assert [one for one in index.versions() if one.startswith(version)] == [second]
    assert ids(index, second, "zipper") == ["only"]


def test_a_version_that_is_not_there_is_named(
    index: KeywordIndex, version: str
) -> None:
    for ask in (lambda: index.count(version), lambda: index.search(version, "x", 1)):
        with pytest.raises(DataError, match=version):
            ask()


@pytest.mark.parametrize(
    "name", ["", "Upper", "../up", "a/b", ".hidden", "ä", "a" * 101, "a*"]
)
def test_names_that_are_none(index: KeywordIndex, name: str) -> None:
    with pytest.raises(ValueError, match="version"):
        index.build(name, [])


def test_a_batch_of_thousands(index: KeywordIndex, version: str, make: Make) -> None:
    rng = np.random.default_rng(0)
    words = np.array(
        [
            "dress",
            "zipper",
            "soft",
            "torn",
            "fit",
            "colour",
            "size",
            "blue",
            "warm",
            "thin",
        ]
    )
    texts = [" ".join(rng.choice(words, 12)) for _ in range(5000)]
    assert (
        index.build(version, (make(f"r{i:05}", text) for i, text in enumerate(texts)))
        == 5000
    )
    assert index.count(version) == 5000
    assert len(index.search(version, "torn blue zipper", 1000)) == 1000
