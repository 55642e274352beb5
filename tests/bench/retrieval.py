"""nDCG@10 of each leg, of the fusions, and of what serving does, on graded product judgements.

    make bench NAME=retrieval DATA=<folder that holds search_relevance/>

Texts are title and short description, at most 40 words; the judged products stand among `--others` that
nobody judged (and that count as not relevant). Queries without any relevant product say nothing about an
order and are left out. Intervals: percentile bootstrap over queries; differences are paired.
"""

import argparse
import csv
import gzip
import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from inputs.datasets import dataset

from kindling.modeling.embedder import Embedder
from kindling.ports.index import Document
from kindling.records import Estimate
from kindling.retrieval.fusion import convex, reciprocal_rank
from kindling.retrieval.hybrid import DEPTH, Hybrid
from kindling.retrieval.rerank import Query
from kindling.stores.keywords_tantivy import TantivyKeywords

WORDS = 40
RESAMPLES = 2000
Judgements = dict[str, dict[str, int]]
System = Callable[[Query], list[str]]


class ExactDense:
    """Every document's cosine: the dense leg without an index's loss."""

    name = "dense"

    def __init__(self, ids: Sequence[str], embeddings: np.ndarray) -> None:
        self._ids, self._embeddings = np.asarray(ids), embeddings

    def best(self, query: Query, limit: int) -> dict[str, float]:
        scores = self._embeddings @ query.embedding
        top = np.argsort(-scores, kind="stable")[:limit]
        return dict(zip(self._ids[top].tolist(), scores[top].tolist(), strict=True))

    def scores(self, query: Query, ids: Sequence[str]) -> dict[str, float]:
        rows = np.searchsorted(self._ids, ids)
        return dict(
            zip(ids, (self._embeddings[rows] @ query.embedding).tolist(), strict=True)
        )


class Keyword:
    """BM25 of the embedded index."""

    name = "bm25"

    def __init__(self, index: TantivyKeywords) -> None:
        self._index = index

    def best(self, query: Query, limit: int) -> dict[str, float]:
        return {
            hit.review_id: hit.score
            for hit in self._index.search("bench", query.text, limit)
        }

    def scores(self, query: Query, ids: Sequence[str]) -> dict[str, float]:
        found = self._index.search("bench", query.text, len(ids), {"review_id": ids})
        return dict.fromkeys(ids, 0.0) | {hit.review_id: hit.score for hit in found}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--others", type=int, default=3000, help="products without a judgement"
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    judgements, documents, sha256 = load(
        dataset(arguments.data, "search_relevance"), arguments.others, arguments.seed
    )
    embedder = Embedder()
    dense = ExactDense(list(documents), embedder.encode(list(documents.values())))
    queries = sorted(
        query for query, grades in judgements.items() if any(grades.values())
    )
    embedded = [
        Query(text, vector)
        for text, vector in zip(queries, embedder.encode(queries), strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        keyword = Keyword(TantivyKeywords(Path(folder)))
        keyword._index.build(
            "bench",
            (
                Document(review_id, text, "-", "-", 3, "neutral")
                for review_id, text in documents.items()
            ),
        )
        scored = {
            name: np.array(
                [ndcg(system(query), judgements[query.text]) for query in embedded]
            )
            for name, system in systems(dense, keyword).items()
        }
    print(
        json.dumps(
            {
                "bench": "retrieval",
                "documents": len(documents),
                "queries": len(queries),
                "model": embedder.model_id,
                "ndcg_at_10": {
                    name: asdict(bootstrap(values, sha256, arguments.seed))
                    for name, values in scored.items()
                },
                "served_minus": {
                    name: asdict(
                        bootstrap(scored["served"] - values, sha256, arguments.seed)
                    )
                    for name, values in scored.items()
                    if name != "served"
                },
            }
        )
    )


def systems(dense: ExactDense, keyword: Keyword) -> dict[str, System]:
    served, reranked = Hybrid(dense, keyword, None), Hybrid.of(dense, keyword)

    def legs(query: Query) -> list[dict[str, float]]:
        return [dense.best(query, DEPTH), keyword.best(query, DEPTH)]

    def fused(weight: float) -> System:
        return lambda query: [
            item for item, _ in convex(legs(query), (weight, 1 - weight))
        ]

    return {
        "bm25": lambda query: list(keyword.best(query, 10)),
        "dense": lambda query: list(dense.best(query, 10)),
        "rrf": lambda query: [
            item for item, _ in reciprocal_rank([list(leg) for leg in legs(query)])
        ],
        "convex 0.5": fused(0.5),
        "reranked": lambda query: [item for item, _ in reranked.search(query, 10)],
        "served": lambda query: [item for item, _ in served.search(query, 10)],
    }


def load(
    folder: Path, others: int, seed: int
) -> tuple[Judgements, dict[str, str], str]:
    """Grades by query, text by document id (sorted), and the hash of both files."""
    judgements: Judgements = {}
    for row in csv.DictReader(
        (folder / "judgements.csv").read_text(encoding="utf-8").splitlines()
    ):
        judgements.setdefault(row["query"], {})[row["docid"]] = int(row["rating"])
    judged = {document for grades in judgements.values() for document in grades}
    with gzip.open(folder / "products.jsonl.gz", "rt", encoding="utf-8") as lines:
        products = {row["id"]: row for row in map(json.loads, lines)}
    rest = (
        np.random.default_rng(seed)
        .permutation(sorted(set(products) - judged))[:others]
        .tolist()
    )
    texts = {name: _text(products[name]) for name in sorted(judged | set(rest))}
    digest = hashlib.sha256()
    for name in ("judgements.csv", "products.jsonl.gz"):
        digest.update((folder / name).read_bytes())
    return judgements, texts, digest.hexdigest()


def _text(product: dict[str, str]) -> str:
    return " ".join(
        f"{product['title']}. {product.get('short_description') or ''}".split()[:WORDS]
    )


def ndcg(ranking: Sequence[str], grades: dict[str, int], depth: int = 10) -> float:
    """Gain is the grade itself, discount 1 / log2(rank + 1); the ideal is the best order of all judged."""
    discounts = 1 / np.log2(np.arange(2, depth + 2))
    gains = [grades.get(item, 0) for item in ranking[:depth]]
    ideal = sorted(grades.values(), reverse=True)[:depth]
    return float(gains @ discounts[: len(gains)] / (ideal @ discounts[: len(ideal)]))


def bootstrap(values: np.ndarray, sha256: str, seed: int) -> Estimate:
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(values.mean()), len(values), float(low), float(high), sha256)


if __name__ == "__main__":
    main()
