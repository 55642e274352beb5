"""Vectors, alias and embedding cache over a real PostgreSQL."""

from typing import Any

import numpy as np
import psycopg
import pytest

from kindling.errors import DataError, TransientError
from kindling.ports.index import Document, VectorRow
from kindling.stores.vectors_pgvector import PgEmbeddingCache, PgIndexAlias, PgVectors

D = 384


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(
        np.float32
    )


def corpus(n: int, seed: int = 0, clusters: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return unit(
        rng.normal(size=(clusters, D))[rng.integers(0, clusters, n)]
        + 0.8 * rng.normal(size=(n, D))
    )


def row(number: int, embedding: np.ndarray, **fields: Any) -> VectorRow:
    return VectorRow(
        Document(
            f"r{number:05}",
            f"text {number}",
            **{
                "product_id": f"p{number % 50}",
                "category": f"c{number % 100}",
                "rating": 1 + number % 5,
                "sentiment": "neutral",
                **fields,
            },
        ),
        embedding,
    )


@pytest.fixture
def vectors(database_url: str) -> PgVectors:
    return PgVectors(database_url)


def test_exact_search_orders_by_cosine(vectors: PgVectors) -> None:
    embeddings = corpus(300)
    assert (
        vectors.build("v1", (row(i, one) for i, one in enumerate(embeddings)))
        == vectors.count("v1")
        == 300
    )
    query = unit(embeddings[7] + 0.1 * embeddings[9])
    hits = vectors.search("v1", query, 5, exact=True)
    expected = np.argsort(-(embeddings @ query))[:5]
    assert [hit.review_id for hit in hits] == [f"r{i:05}" for i in expected]
    assert [hit.score for hit in hits] == pytest.approx(
        (embeddings @ query)[expected].tolist(), abs=2e-3
    )


def test_ties_go_by_review_id(vectors: PgVectors) -> None:
    same = corpus(1)[0]
    vectors.build("v1", (row(i, same) for i in (5, 3, 9, 1)))
    assert [hit.review_id for hit in vectors.search("v1", same, 4)] == [
        "r00001",
        "r00003",
        "r00005",
        "r00009",
    ]


def test_recall_free_and_under_a_filter_that_keeps_one_in_a_hundred(
    vectors: PgVectors,
) -> None:
    embeddings = corpus(2000)
    vectors.build("v1", (row(i, one) for i, one in enumerate(embeddings)))
    queries = unit(
        embeddings[::80] + 0.02 * np.random.default_rng(1).normal(size=(25, D))
    )
    for filters in (
        None,
        {"category": "c7"},
        {"category": ["c7", "c8"], "rating": [1, 2, 3, 4, 5]},
    ):
        found = [
            len(
                {hit.review_id for hit in vectors.search("v1", query, 10, filters)}
                & {
                    hit.review_id
                    for hit in vectors.search("v1", query, 10, filters, exact=True)
                }
            )
            / 10
            for query in queries
        ]
        assert np.mean(found) >= 0.9, (filters, np.mean(found))


def test_the_index_serves_the_operator_that_searches(
    vectors: PgVectors, database_url: str
) -> None:
    embeddings = corpus(300)
    vectors.build("v1", (row(i, one) for i, one in enumerate(embeddings)))
    with psycopg.connect(
        database_url, options="-c search_path=kindling,public"
    ) as connection:
        for other in (
            "seqscan",
            "bitmapscan",
            "sort",
        ):  # For so few rows they are cheaper, and are taken.
            connection.execute(f"SET enable_{other} = off")
        plan = "\n".join(
            line
            for (line,) in connection.execute(
                "EXPLAIN SELECT review_id FROM review_vector WHERE version = 'v1' "
                f"ORDER BY embedding <=> '{embeddings[0].tolist()}' LIMIT 10"
            )
        )
    assert "embedding_idx" in plan


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"rating": 1}, {0, 5, 10, 15}),
        ({"rating": [1, 2], "product_id": ["p0", "p6"]}, {0, 6}),
        ({"review_id": ["r00003", "gone"]}, {3}),
        ({"category": "C1"}, set()),
        ({"rating": []}, set()),
        ({"category": "c1'; DROP TABLE review_vector; --"}, set()),
    ],
)
def test_filters_keep_what_matches_whole(
    vectors: PgVectors, filters: dict[str, Any], wanted: set[int]
) -> None:
    embeddings = corpus(20)
    vectors.build("v1", (row(i, one) for i, one in enumerate(embeddings)))
    for exact in (False, True):
        hits = vectors.search("v1", embeddings[0], 20, filters, exact=exact)
        assert {hit.review_id for hit in hits} == {f"r{i:05}" for i in wanted}


def test_filters_that_mean_nothing_are_errors(vectors: PgVectors) -> None:
    for filters in ({"text": "x"}, {"colour": "red"}, {"rating": "5"}):
        with pytest.raises(ValueError, match="filter"):
            vectors.search("v1", corpus(1)[0], 1, filters)


def test_versions_are_built_beside_and_dropped_whole(vectors: PgVectors) -> None:
    embeddings = corpus(30)
    for version, n in (("z-first", 10), ("a-second", 30)):
        vectors.build(version, (row(i, one) for i, one in enumerate(embeddings[:n])))
    assert vectors.versions() == ["z-first", "a-second"]
    assert len(vectors.search("z-first", embeddings[20], 30)) == 10
    assert (
        vectors.build("z-first", [row(99, embeddings[0])])
        == vectors.count("z-first")
        == 1
    )
    vectors.drop("a-second")
    vectors.drop("a-second")
    assert vectors.versions() == ["z-first"] and vectors.count("a-second") == 0
    assert vectors.search("a-second", embeddings[0], 5) == []


def test_a_build_that_fails_leaves_what_was_there(vectors: PgVectors) -> None:
    good = corpus(3)
    vectors.build("v1", (row(i, one) for i, one in enumerate(good)))
    broken = good.copy()
    broken[1, 5] = np.nan
    with pytest.raises(DataError, match="r00001"):
        vectors.build("v1", (row(i, one) for i, one in enumerate(broken)))
    with pytest.raises(psycopg.Error):
        vectors.build("v2", [row(1, good[1]), row(1, good[1])])
    assert vectors.versions() == ["v1"] and vectors.count("v1") == 3


@pytest.mark.parametrize("name", ["", "Upper", "a'b", "a" * 101])
def test_names_that_are_none(vectors: PgVectors, name: str) -> None:
    with pytest.raises(ValueError, match="version"):
        vectors.build(name, [])


def test_two_long_names_are_two_versions(vectors: PgVectors) -> None:
    names = ["n" * 90 + "-1", "n" * 90 + "-2"]
    for name in names:
        vectors.build(name, [])
    assert vectors.versions() == names


def test_the_alias_tells_what_was_before(database_url: str, vectors: PgVectors) -> None:
    alias = PgIndexAlias(database_url)
    assert alias.current() is None
    assert alias.swap("v1") is None
    assert alias.swap("v2") == "v1"
    assert PgIndexAlias(database_url).current() == "v2"
    documents = [row(i, one) for i, one in enumerate(corpus(2))]
    vectors.build("v2", documents)
    assert alias.documents("v2", ["r00001", "gone"]) == {
        "r00001": documents[1].document
    }
    assert alias.documents("v1", ["r00001"]) == {}


def test_the_cache_gives_back_the_very_vectors(database_url: str) -> None:
    cache = PgEmbeddingCache(database_url)
    vectors = dict(zip("abc", corpus(3), strict=True))
    cache.put("m", vectors)
    cache.put("m", {"a": corpus(1, seed=5)[0]})
    cache.put("other", {"a": np.ones(3, dtype=np.float32)})
    found = cache.get("m", ["a", "c", "missing"])
    assert set(found) == {"a", "c"} and all(
        np.array_equal(found[key], vectors[key]) for key in found
    )
    assert found["a"].dtype == np.float32
    assert cache.get("other", ["a"])["a"].tolist() == [1, 1, 1]


def test_a_server_that_is_away_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    import kindling.stores.vectors_pgvector as module

    monkeypatch.setattr(module, "WAIT_S", 0.5)
    with pytest.raises(TransientError, match="Postgres"):
        PgIndexAlias("postgresql://nobody@127.0.0.1:9/none").current()


def test_a_cut_connection_is_no_outage(database_url: str) -> None:
    alias = PgIndexAlias(database_url)
    alias.swap("v1")
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )
    assert alias.current() == "v1"
