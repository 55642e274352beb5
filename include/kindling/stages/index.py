"""Index: kept real reviews become a new version of both search legs, checked before anything reads it."""

import logging
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import numpy as np

from kindling.errors import DataError
from kindling.measure.estimates import resampled
from kindling.modeling.device import set_threads
from kindling.modeling.embedder import Embedder
from kindling.observe.lineage import sha256_of
from kindling.ports.index import (
    Document,
    EmbeddingCache,
    IndexAlias,
    KeywordIndex,
    VectorIndex,
    VectorRow,
)
from kindling.recipe import IndexConfig
from kindling.records import Estimate, Rejection
from kindling.stages.contract import Context, Outcome
from kindling.stages.embedding import embedded_texts
from kindling.stages.view import Searchable

NEIGHBOURS = 10
RESAMPLES = 1000

log = logging.getLogger(__name__)


class Needs(Protocol):
    """What the stage is handed."""

    searchable: Searchable
    keywords: KeywordIndex
    vectors: VectorIndex
    alias: IndexAlias
    embeddings: EmbeddingCache
    text_model: Path | None
    threads: int


def run(config: IndexConfig, context: Context, needs: Needs) -> Outcome:
    """Build beside the version that serves, check counts and recall, swap the alias, drop what is old.

    DataError when a check fails: the alias stays, and the failed version is dropped.
    """
    set_threads(needs.threads)
    embedder = Embedder(needs.text_model)
    documents, rejections = _documents(needs.searchable, context.run_id)
    embeddings, embedded = embedded_texts(
        needs.embeddings, embedder, [one.text for one in documents]
    )
    before = needs.alias.current()
    same = before if needs.searchable.same_as else None
    version = _version(context.run_id, documents, embedder.model_id, same)
    if before != version or not _complete(needs, version, len(documents)):
        _build(needs, version, documents, embeddings)
    try:
        recall = _checked(config, context, needs, embedder, version, documents)
    except DataError:
        if before != version:
            _drop(needs, version)
        raise
    needs.alias.swap(version)
    log.info("alias moved from %s to %s", before, version)
    dropped = _retire(needs, version, before, config.keep_versions)
    return Outcome(
        rows_in=len(documents) + len(rejections),
        rows_out=len(documents),
        rejections=rejections,
        figures={
            "version": version,
            "version_before": before or "",
            "versions_dropped": len(dropped),
            f"recall_at_{NEIGHBOURS}": asdict(recall),
            "embedded": embedded,
            "from_cache": len(documents) - embedded,
        },
        implementation={
            "keywords": needs.keywords.name,
            "vectors": needs.vectors.name,
            "embedder": embedder.model_id,
        },
    )


def _documents(
    searchable: Searchable, run_id: str
) -> tuple[list[Document], list[Rejection]]:
    """Kept real reviews of every split, with their label; without a label there is no sentiment to show."""
    documents, rejections = [], []
    for one in searchable.reviews():
        review, label = one.review, one.label
        if label is None:
            rejections.append(Rejection(review.review_id, "no_label"))
        elif label.band == "discard":
            detail = f"confidence {label.confidence:.2f}"
            rejections.append(Rejection(review.review_id, "label_discarded", detail))
        else:
            documents.append(
                Document(
                    review.review_id,
                    review.text,
                    review.product_id,
                    review.category,
                    review.rating,
                    label.sentiment,
                )
            )
    if not documents:
        raise DataError(f"run {run_id!r} holds no labelled real review to index")
    return documents, rejections


def _version(
    run_id: str, documents: Sequence[Document], model: str, same: str | None
) -> str:
    """Named after the run and the content; `same`, a version of a night like this, where it has that."""
    content = sha256_of([model, *map(asdict, documents)])[:10]
    if same and same.endswith(f"-{content}"):
        return same
    slug = re.sub(r"[^a-z0-9]+", "-", run_id.lower()).strip("-")[:60] or "run"
    return f"{slug}-{content}"


def _build(
    needs: Needs, version: str, documents: Sequence[Document], embeddings: np.ndarray
) -> None:
    needs.keywords.build(version, documents)
    log.info("%s: keyword leg of %s built", needs.keywords.name, version)
    needs.vectors.build(
        version,
        (
            VectorRow(document, embedding)
            for document, embedding in zip(documents, embeddings, strict=True)
        ),
    )
    log.info("%s: vector leg of %s built", needs.vectors.name, version)


def _complete(needs: Needs, version: str, wanted: int) -> bool:
    return (
        version in needs.keywords.versions()
        and needs.keywords.count(version) == wanted
        and needs.vectors.count(version) == wanted
    )


def _checked(
    config: IndexConfig,
    context: Context,
    needs: Needs,
    embedder: Embedder,
    version: str,
    documents: Sequence[Document],
) -> Estimate:
    """Recall of the approximate search; DataError when counts differ or recall is below the bar."""
    counts = {
        needs.keywords.name: needs.keywords.count(version),
        needs.vectors.name: needs.vectors.count(version),
    }
    if set(counts.values()) != {len(documents)}:
        raise DataError(
            f"index {version}: {len(documents)} reviews went in, counted are {counts}"
        )
    rng = np.random.default_rng(context.seed)
    sample = rng.choice(
        len(documents), min(config.recall_queries, len(documents)), replace=False
    )
    queries = embedder.encode(
        [_first_half(documents[at].text) for at in sorted(sample)]
    )
    values = np.array([_recall(needs.vectors, version, query) for query in queries])
    recall = resampled(np.mean, [values], RESAMPLES, sha256_of(version), context.seed)
    log.info("recall@%d of %s: %s", NEIGHBOURS, version, recall)
    if recall.value < config.min_recall:
        raise DataError(
            f"index {version}: recall@{NEIGHBOURS} {recall} is below {config.min_recall}; "
            f"{needs.alias.current() or 'no version'} goes on serving"
        )
    return recall


def _first_half(text: str) -> str:
    """A query nobody has indexed: a whole review would find itself, and say nothing."""
    words = text.split()
    return " ".join(words[: (len(words) + 1) // 2])


def _recall(vectors: VectorIndex, version: str, query: np.ndarray) -> float:
    """Share of the exact nearest that the index finds too; one as near as the last of them counts as it."""
    exact = vectors.search(version, query, NEIGHBOURS, exact=True)
    found = vectors.search(version, query, NEIGHBOURS)
    return sum(hit.score >= exact[-1].score - 1e-6 for hit in found) / len(exact)


def _retire(needs: Needs, version: str, before: str | None, keep: int) -> list[str]:
    """Drop all but `keep` versions: the one that serves, the one before (for going back), then the newest."""
    oldest_first = dict.fromkeys(
        [*needs.vectors.versions(), *needs.keywords.versions()]
    )
    by_worth = dict.fromkeys(
        [version, *([before] if before else []), *reversed(oldest_first)]
    )
    dropped = [one for one in by_worth if one in oldest_first][keep:]
    for one in dropped:
        _drop(needs, one)
    return dropped


def _drop(needs: Needs, version: str) -> None:
    needs.keywords.drop(version)
    needs.vectors.drop(version)
