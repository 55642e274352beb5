"""The real server over small things: a tiny untrained model, six reviews, a registry that is a folder.

    python tiny_server.py tiny|instant PORT FOLDER DATABASE_URL

`instant` has a model that is one line, and no index: up in a moment, for tests of processes.
"""

import json
import logging
import os
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from kindling.errors import KindlingError
from kindling.ports.registry import ModelVersion

LOOK_EVERY_S = 0.3


class FolderRegistry:
    """`champion.json` names a version; each version is a model folder beside it."""

    name = "folder"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def serving(self) -> ModelVersion | None:
        path = self._folder / "champion.json"
        return ModelVersion(**json.loads(path.read_text())) if path.exists() else None

    def promote(self, version: str) -> None:
        partial_ = self._folder / ".champion.json"
        partial_.write_text(
            json.dumps(
                {"version": version, "run_id": "r", "uri": str(self._folder / version)}
            )
        )
        os.replace(partial_, self._folder / "champion.json")

    def download(self, version: str, into: Path) -> Path:
        return self._folder / version


def tiny_model(folder: Path, seed: int, with_image: bool = True) -> None:
    """Save a compact model of random weights: two megabytes, milliseconds, and answers of its own."""
    import torch
    from transformers import BertConfig, BertModel

    from kindling.modeling import pretrained
    from kindling.modeling.compact.fusion import Fusion
    from kindling.modeling.compact.image_tower import ImageClassifier
    from kindling.modeling.compact.model import CompactModel
    from kindling.modeling.compact.text_tower import TextClassifier, TextTower

    torch.manual_seed(seed)
    config = BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    tower = TextTower(BertModel(config, add_pooling_layer=False), 3)
    text = TextClassifier(
        pretrained.load_tokenizer(pretrained.locate(None)[0], 32), tower
    )
    image = ImageClassifier.fresh(32, 3, 4, seed) if with_image else None
    fusion = Fusion(1.5, 1.2, 1.0, 1.0, (0.0, 0.0, 0.0), "naive-bayes", 0)
    CompactModel(text, image, fusion, "tiny", 32).save(folder)


def full_model(folder: Path, seed: int, exported: bool = True) -> None:
    """Save a model of the size that serves: MiniLM and both towers, a head that knows nothing.

    `exported` as the train stage does it, except that a head without training may disagree.
    """
    from kindling.modeling import pretrained
    from kindling.modeling.compact.fusion import Fusion
    from kindling.modeling.compact.image_tower import ImageClassifier
    from kindling.modeling.compact.model import CompactModel
    from kindling.modeling.compact.text_tower import TextClassifier

    text = TextClassifier.fresh(pretrained.locate(None)[0], 3, 128, seed)
    image = ImageClassifier.fresh(128, 3, 4, seed)
    fusion = Fusion(1.5, 1.2, 1.0, 1.0, (0.0, 0.0, 0.0), "naive-bayes", 0)
    model = CompactModel(text, image, fusion, "minilm", 128, _words())
    model.save(folder)
    if exported:
        export(model, folder)


def _words() -> Any:
    import numpy as np

    from kindling.modeling.compact.pooled import Words
    from kindling.modeling.tfidf.model import TfidfModel

    said = ["the seam ripped and the colour faded", "it is fine", "soft, true to size"]
    return Words(TfidfModel.fit(said * 2, np.array([0, 1, 2] * 2), np.ones(6)), 1.5)


def export(model: Any, folder: Path) -> None:
    """Graphs beside a model of random weights: their labels are not what is looked at."""
    from kindling.modeling.compact import int8_export
    from kindling.modeling.embedder import Embedder

    text = "The seam ripped after one wash and the colour faded."
    rows = [(" ".join(text.split()[: n + 1]), None, n % 3) for n in range(10)]
    bounds = int8_export.AGREEMENT, int8_export.LOSS
    int8_export.AGREEMENT, int8_export.LOSS = 0.0, 1.0
    try:
        int8_export.export(model, Embedder(), folder, rows)
    finally:
        int8_export.AGREEMENT, int8_export.LOSS = bounds


def fill(
    folder: Path, database_url: str, reviews: dict[str, tuple[str, int, str]]
) -> None:
    """Models 1 and 2 (and 3, without an image tower), index versions v1 and v2 (half as long); 1 and v1 serve."""
    from kindling.modeling.embedder import Embedder
    from kindling.ports.index import Document, VectorRow
    from kindling.stores.keywords_tantivy import TantivyKeywords
    from kindling.stores.vectors_pgvector import PgIndexAlias, PgVectors

    for version in (1, 2, 3):
        tiny_model(folder / "registry" / str(version), version, with_image=version < 3)
    FolderRegistry(folder / "registry").promote("1")
    documents = [
        Document(name, text, f"p{int(name[1:]) % 2}", "Dresses", rating, sentiment)
        for name, (text, rating, sentiment) in reviews.items()
    ]
    embeddings = Embedder().encode([document.text for document in documents])
    for version, n in (("v1", len(documents)), ("v2", len(documents) // 2)):
        TantivyKeywords(folder / "keywords").build(version, documents[:n])
        PgVectors(database_url).build(
            version,
            (
                VectorRow(*pair)
                for pair in zip(documents[:n], embeddings[:n], strict=True)
            ),
        )
    PgIndexAlias(database_url).swap("v1")


def open_tiny(folder: Path, database_url: str) -> Any:
    from kindling.serving.champion import Champion
    from kindling.stores.vectors_pgvector import PgIndexAlias, PgVectors

    champion = Champion(
        SimpleNamespace(
            keywords=open_keywords(folder),
            vectors=PgVectors(database_url),
            alias=PgIndexAlias(database_url),
            registry=FolderRegistry(folder / "registry"),
            text_model=None,
            threads=1,
        ),
        LOOK_EVERY_S,
    )
    champion.watch()
    return champion


def open_keywords(folder: Path) -> Any:
    """The embedded index, or Elasticsearch at TINY_ELASTICSEARCH."""
    if url := os.environ.get("TINY_ELASTICSEARCH"):
        from kindling.stores.keywords_elasticsearch import ElasticsearchKeywords

        return ElasticsearchKeywords(url)
    from kindling.stores.keywords_tantivy import TantivyKeywords

    return TantivyKeywords(folder / "keywords")


class Constant:
    """Answers neutral to all, after as many milliseconds as the text has words."""

    def predict(self, texts: Any, images: Any) -> Any:
        time.sleep(len((texts[0] or "").split()) / 1000)
        return SimpleNamespace(
            probabilities=np.array([[0.1, 0.8, 0.1]]), modality=("text",)
        )


class Instant:
    """A model that is one line, and no index."""

    def __init__(self) -> None:
        from kindling.serving.predictor import Predictor

        self.predictor = Predictor(Constant(), "0", False, False, None)

    def named(self) -> dict[str, Any]:
        return {}


class TinyNights:
    """Runs that this process remembers: what a scheduler does, without one."""

    def __init__(self) -> None:
        self._runs: dict[str, str] = {}

    def start(self, run_id: str, parameters: Any) -> Any:
        self._runs.setdefault(run_id, "running")
        return self.find(run_id)

    def find(self, run_id: str) -> Any:
        from kindling.errors import DataError
        from kindling.ports.nights import Night

        if run_id not in self._runs:
            raise DataError("no such run")
        return Night(run_id, self._runs[run_id], "scrape", 0, 9, 1.5, None)

    def cancel(self, run_id: str) -> Any:
        self.find(run_id)
        self._runs[run_id] = "failed"
        return self.find(run_id)

    def again(self, stage: str) -> Any:
        return self.start(f"index of {stage}", {})


def open_standing(path: Path) -> Any:
    """Facts in a file: what a feedback store does, without a table of its own."""
    return FileFacts(path)


class FileFacts:
    def __init__(self, path: Path) -> None:
        self._path = path

    def put_once(self, topic: str, key: str, value: Any) -> Any:
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        for line in lines:
            if json.loads(line)["key"] == key:
                return SimpleNamespace(**json.loads(line))
        fact = {"topic": topic, "key": key, "value": dict(value)}
        with self._path.open("a") as file:
            file.write(json.dumps(fact) + "\n")
        return SimpleNamespace(**fact)


def main(kind: str, port: str, folder: str, database_url: str) -> int:
    from kindling.serving.api import Front
    from kindling.serving.gateway import Rules
    from kindling.serving.keys import KeyRing
    from kindling.serving.server import run

    opener = (
        Instant if kind == "instant" else partial(open_tiny, Path(folder), database_url)
    )
    keys = os.environ.get("TINY_KEYS", "")
    front = Front(
        tuple(os.environ.get("TINY_IMAGE_HOSTS", "").split(",")),
        partial(open_standing, Path(folder) / "feedback.jsonl"),
        TinyNights if kind == "tiny" else None,
    )
    if keys:
        logging.basicConfig(level=logging.INFO)
    rules = Rules(KeyRing(Path(keys)) if keys else None, log=bool(keys))
    try:
        return run(opener, front, rules, "127.0.0.1", int(port))
    except KindlingError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
