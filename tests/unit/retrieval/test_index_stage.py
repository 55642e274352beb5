"""The index stage over doubles of the stores: what goes in, what is checked, what the alias ever sees."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kindling.errors import DataError
from kindling.ports.index import Document, Hit, VectorRow
from kindling.recipe import IndexConfig, load
from kindling.records import DedupeDecision, Label, Review, StageReport
from kindling.stages import index as stage
from kindling.stages.contract import Context, Outcome
from kindling.stages.view import Searchable

LABELS = {"r01": "accept", "r02": "review", "r03": "discard"}


class Rows:
    """Twelve real reviews: r03 of a discarded label, r10 unlabelled, r11 dropped as a copy; and a synthetic one."""

    def shard_reports(self, run_id: str, stage: str) -> list[StageReport]:
        """No night before this one."""
        return []

    def __init__(self) -> None:
        self.reviews = [
            Review(
                f"r{i:02}",
                f"p{i % 3}",
                "Dresses",
                "",
                f"review number {i} says {'nice ' * i}",
                1 + i % 5,
                "scraped",
            )
            for i in range(12)
        ] + [Review("s01", "p1", "Dresses", "", "made up", 5, "synthetic")]

    def read(self, record_type: type, run_id: str, **equals: Any) -> list[Any]:
        if record_type is DedupeDecision:
            return [
                DedupeDecision(r.review_id, r.review_id, True, "unique", 1.0, "golden")
                for r in self.reviews
                if r.review_id != "r11"
            ]
        if record_type is Label:
            return [
                Label(
                    r.review_id, "positive", 0.8, LABELS.get(r.review_id, "accept"), {}
                )
                for r in self.reviews
                if r.review_id != "r10"
            ]
        return [r for r in self.reviews if r.origin == equals["origin"]]


@dataclass
class Leg:
    """Either index in memory. `forgets` loses rows on the way in, `blind` finds nothing right."""

    name: str
    built: dict[str, list[Any]] = field(default_factory=dict)
    forgets: int = 0
    blind: bool = False
    builds: int = 0

    def build(self, version: str, rows: Iterable[Any]) -> int:
        self.builds += 1
        kept = list(rows)
        self.built[version] = kept[: len(kept) - self.forgets]
        return len(kept)

    def count(self, version: str) -> int:
        return len(self.built.get(version, []))

    def search(
        self,
        version: str,
        query: np.ndarray,
        limit: int,
        filters: Any = None,
        exact: bool = False,
    ) -> list[Hit]:
        hits = [
            Hit(row.document.review_id, float(row.embedding @ query))
            for row in self.built[version]
        ]
        hits.sort(key=lambda hit: hit.score, reverse=exact or not self.blind)
        return hits[:limit]

    def versions(self) -> list[str]:
        return list(self.built)

    def drop(self, version: str) -> None:
        self.built.pop(version, None)


class Alias:
    version: str | None = None

    def current(self) -> str | None:
        return self.version

    def swap(self, version: str) -> str | None:
        before, self.version = self.version, version
        return before


class Cache(dict[str, np.ndarray]):
    def get(self, model: str, keys: Sequence[str]) -> dict[str, np.ndarray]:  # type: ignore[override]
        assert model == HashEmbedder.model_id
        return {key: self[key] for key in keys if key in self}

    def put(self, model: str, vectors: dict[str, np.ndarray]) -> None:
        self.update(vectors)


class HashEmbedder:
    model_id = "hash"

    def __init__(self, folder: object) -> None: ...

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        seeds = [
            int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) for text in texts
        ]
        vectors = np.stack(
            [np.random.default_rng(seed).normal(size=16) for seed in seeds]
        )
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(
            np.float32
        )


@pytest.fixture
def needs(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(stage, "Embedder", HashEmbedder)
    monkeypatch.setattr(stage, "NEIGHBOURS", 3)
    rows: Any = Rows()
    return SimpleNamespace(
        rows=rows,
        searchable=Searchable(rows, "Run 1"),
        keywords=Leg("keywords"),
        vectors=Leg("vectors"),
        alias=Alias(),
        embeddings=Cache(),
        text_model=None,
        threads=1,
    )


def run(needs: Any, run_id: str = "Run 1", **config: Any) -> Outcome:
    recipe = load("smoke")
    return stage.run(
        IndexConfig(**config), Context(run_id, recipe, (), 0, recipe.seed), needs
    )


def test_labelled_kept_real_reviews_of_every_split_go_in(needs: Any) -> None:
    outcome = run(needs)
    documents: list[Document] = needs.keywords.built[needs.alias.current()]
    rows: list[VectorRow] = needs.vectors.built[needs.alias.current()]
    assert [d.review_id for d in documents] == [f"r{i:02}" for i in range(10) if i != 3]
    assert [row.document for row in rows] == documents
    assert documents[1].sentiment == "positive"
    assert {(r.row_id, r.reason) for r in outcome.rejections} == {
        ("r03", "label_discarded"),
        ("r10", "no_label"),
    }
    assert (outcome.rows_in, outcome.rows_out) == (11, 9)
    assert (
        outcome.figures["recall_at_3"]["value"] == 1.0
        and outcome.figures["recall_at_3"]["n"] == 9
    )


def test_each_row_gets_the_vector_of_its_own_text(needs: Any) -> None:
    run(needs)
    for row in needs.vectors.built[needs.alias.current()]:
        assert np.array_equal(
            row.embedding, HashEmbedder(None).encode([row.document.text])[0]
        )


def test_a_second_night_embeds_only_what_is_new(needs: Any) -> None:
    assert run(needs, "first").figures["embedded"] == 9
    needs.rows.reviews[0] = Review(
        "r00", "p0", "Dresses", "", "rewritten", 2, "scraped"
    )
    figures = run(needs, "second").figures
    assert (figures["embedded"], figures["from_cache"]) == (1, 8)


def test_the_same_run_again_builds_nothing_and_serves_the_same(needs: Any) -> None:
    first = run(needs).figures["version"]
    assert run(needs).figures["version"] == needs.alias.current() == first
    assert needs.vectors.builds == needs.keywords.builds == 1


def test_a_serving_version_that_lost_rows_is_built_again(needs: Any) -> None:
    version = run(needs).figures["version"]
    needs.keywords.built[version].pop()
    run(needs)
    assert needs.keywords.count(version) == 9


@pytest.mark.parametrize(
    ("leg", "fault", "message"),
    [
        ("vectors", {"forgets": 1}, "9 reviews went in"),
        ("keywords", {"forgets": 2}, "9 reviews went in"),
        ("vectors", {"blind": True}, "recall@3"),
    ],
)
def test_a_failed_check_leaves_the_alias_and_nothing_behind(
    needs: Any, leg: str, fault: dict[str, Any], message: str
) -> None:
    serving = run(needs, "good").figures["version"]
    vars(getattr(needs, leg)).update(fault)
    with pytest.raises(DataError, match=message):
        run(needs, "bad")
    assert needs.alias.current() == serving
    assert needs.vectors.versions() == needs.keywords.versions() == [serving]


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_old_versions_go_and_the_one_before_stays(needs: Any, keep: int) -> None:
    versions = [
        run(needs, f"night {night}", keep_versions=keep).figures["version"]
        for night in range(5)
    ]
    assert needs.vectors.versions() == needs.keywords.versions() == versions[-keep:]
    assert needs.alias.current() == versions[-1]


def test_going_back_keeps_what_served_just_now(needs: Any) -> None:
    first, second = (run(needs, name).figures["version"] for name in ("one", "two"))
    assert run(needs, "one").figures["version_before"] == second
    assert set(needs.vectors.versions()) == {first, second}


def test_nothing_to_index_is_an_error(needs: Any) -> None:
    needs.rows.reviews.clear()
    with pytest.raises(DataError, match="Run 1"):
        run(needs)


def test_run_ids_become_names_that_fit_everywhere(needs: Any) -> None:
    version = run(needs, "manual__2026-11-21T10:00:00+00:00").figures["version"]
    assert version.startswith("manual-2026-11-21t10-00-00-00-00-")
    assert run(needs, "ÄÖ").figures["version"].startswith("run-")
