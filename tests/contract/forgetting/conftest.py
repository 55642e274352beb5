"""An installation in small with every store real, and one review that is everywhere in it."""

import gzip
import hashlib
import html
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
import pytest

from kindling.forgetting.indexes import ForgetfulIndexes
from kindling.forgetting.models import ForgetfulModels
from kindling.forgetting.objects import ForgetfulObjects
from kindling.observe.row_hashes import text_sha256
from kindling.ports.forgetting import Forgetful
from kindling.ports.index import Document, VectorRow
from kindling.ports.registry import TrainingRow, TrainingSet
from kindling.records import (
    DedupeDecision,
    Label,
    Page,
    Photo,
    Product,
    Record,
    Rejection,
    Review,
    StageReport,
    Study,
    Synthesis,
)
from kindling.stores.forgetting_journal import PostgresJournal
from kindling.stores.forgetting_rows import PostgresForgetful
from kindling.stores.keywords_tantivy import TantivyKeywords
from kindling.stores.objects import FsspecObjects
from kindling.stores.postgres import PostgresRows
from kindling.stores.registry import MlflowRegistry
from kindling.stores.standing import PostgresStanding
from kindling.stores.vectors_pgvector import (
    PgEmbeddingCache,
    PgIndexAlias,
    PgVectors,
)

#: Written by one person, with what HTML and JSON spell otherwise.
SECRET = (
    'My neighbour Maude\'s "café" pot leaked & stained the walnut table of her aunt.'
)
PAGE = f"<html><p>Reviews</p><p>{html.escape(SECRET)}</p></html>".encode()
REPORT = (
    f"<html><blockquote><p>{html.escape(SECRET[:60])} …</p></blockquote>"
    "<p>All is well otherwise.</p></html>"
)
NIGHT = "night-1"


def texts() -> dict[str, str]:
    return {
        "r1": SECRET,
        "r2": "The handle is warm and the lid closes well, my family uses it daily.",
        "r3": "Love it",
        "r4": "A plain blue kettle that boils quickly and pours without a drip anywhere.",
    }


def review(review_id: str, body: str, **fields: object) -> Review:
    base = {
        "product_id": "p1",
        "category": "Teapots",
        "title": "",
        "rating": 2,
        "origin": "scraped",
        "source_url": "http://pots.example/p/1",
    }
    return Review(review_id=review_id, body=body, **{**base, **fields})  # type: ignore[arg-type]


@dataclass
class Installation:
    """All stores, filled."""

    url: str
    rows: PostgresRows
    objects: FsspecObjects
    keywords: TantivyKeywords
    vectors: PgVectors
    alias: PgIndexAlias
    registry: MlflowRegistry
    standing: PostgresStanding
    journal: PostgresJournal
    folder: Path
    version: str
    uris: dict[str, str]

    @property
    def stores(self) -> list[Forgetful]:
        return [
            ForgetfulObjects(self.objects),
            ForgetfulIndexes(self.keywords, self.vectors, self.alias),
            ForgetfulModels(self.registry),
            PostgresForgetful(self.url),
        ]

    def everything(self) -> str:
        """All tables but the certificates as text, and every file unzipped."""
        parts = []
        with psycopg.connect(self.url) as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'kindling'"
                " AND tablename <> 'forgetting'"
            ).fetchall()
            for (table,) in tables:
                with connection.cursor().copy(
                    f"COPY (SELECT * FROM kindling.{table}) TO STDOUT"
                ) as copy:
                    parts += [bytes(block).decode() for block in copy]
        for path in self.folder.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                zipped = data.startswith(b"\x1f\x8b")
                parts.append(
                    (gzip.decompress(data) if zipped else data).decode(errors="replace")
                )
        return "\n".join(parts)


@pytest.fixture
def installation(
    postgres_server: str, database_url: str, tmp_path: Path
) -> Iterator[Installation]:
    name = f"mlflow_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    host = psycopg.conninfo.conninfo_to_dict(postgres_server)["host"]
    objects = FsspecObjects(f"file://{tmp_path}/objects")
    made = Installation(
        database_url,
        PostgresRows(database_url),
        objects,
        TantivyKeywords(tmp_path / "keywords"),
        PgVectors(database_url),
        PgIndexAlias(database_url),
        MlflowRegistry(
            f"postgresql+psycopg://postgres:@/{name}?host={host}",
            f"file://{tmp_path}/objects",
        ),
        PostgresStanding(database_url),
        PostgresJournal(database_url),
        tmp_path,
        "",
        {},
    )
    _fill_objects(made)
    _fill_rows(made)
    _fill_memory(made)
    _fill_indexes(made)
    _fill_registry(made, tmp_path)
    yield made
    made.vectors._pool.close()
    made.alias._pool.close()


def _fill_objects(made: Installation) -> None:
    put = made.objects.put
    made.uris |= {
        "page": put(gzip.compress(PAGE, mtime=0), ".html.gz"),
        "other page": put(
            gzip.compress(b"<html><p>Another product</p></html>", mtime=0), ".html.gz"
        ),
        "photo": put(b"photo of r1", ".jpg"),
        "shared": put(b"photo of r2 and r4", ".jpg"),
        "edited": put(b"photo of r1, torn", ".jpg"),
        "shot": put(b"study of r1", ".jpg"),
        "report": made.objects.put_named(f"runs/{NIGHT}/report.html", REPORT.encode()),
        "figures": made.objects.put_named(
            f"runs/{NIGHT}/figures.json",
            json.dumps(
                {"n": 3, "mistakes": [{"text": SECRET}, {"text": "fine"}]}
            ).encode(),
        ),
    }


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _fill_rows(made: Installation) -> None:
    own, shared = sha(b"photo of r1"), sha(b"photo of r2 and r4")
    edited = sha(b"photo of r1, torn")
    page = sha(PAGE)

    def photo(photo_id: str, uri: str, **fields: object) -> Photo:
        return Photo(
            photo_id,
            "p1",
            "review",
            fields.pop("origin", "scraped"),
            uri,
            9,
            9,
            **fields,
        )  # type: ignore[arg-type]

    shown = {"r1": own, "r2": shared, "r4": shared}
    reviews = [
        review(
            key, body, photo_id=shown.get(key), page_sha256=page if key == "r1" else ""
        )
        for key, body in texts().items()
    ]
    now = datetime.now(UTC)
    made.rows.begin_run(NIGHT, "smoke", {})
    _commit(
        made,
        "scrape",
        [
            *reviews,
            Product("p1", "Pot", "Teapots", "http://pots.example/p/1"),
            photo(own, made.uris["photo"]),
            photo(shared, made.uris["shared"]),
            Page("http://pots.example/p/1", page, made.uris["page"], 200, "http", now),
        ],
        [Rejection("http://pots.example/p/1#9", "duplicate_id", f"said: {SECRET}")],
    )
    decisions: list[Record] = [
        DedupeDecision("r1", "r1", True, "representative", 1.0, "train"),
        DedupeDecision("r2", "r2", True, "unique", 1.0, "train"),
        DedupeDecision("r3", "r3", True, "unique", 1.0, "golden"),
        DedupeDecision("r4", "r1", False, "near_duplicate", 0.9, "train"),
    ]
    _commit(made, "dedupe", decisions)
    study = Study("s1", "p1", own, {"intact": made.uris["shot"], "torn": made.uris["shot"],
                                    "stained": made.uris["shot"], "broken": made.uris["shot"]})  # fmt: skip
    _commit(
        made,
        "synthesize",
        [
            review("syn-1", "It leaked & stained the walnut table of her aunt badly.", origin="synthetic"),
            Synthesis("syn-1", "negative", "w", ("r1", "r2")),
            review("syn-2", "Something of r2 alone, with another photo.", origin="synthetic", photo_id=edited),
            Synthesis("syn-2", "negative", "w", ("r2",)),
            review("syn-3", "Only of r2, the handle is warm.", origin="synthetic"),
            Synthesis("syn-3", "negative", "w", ("r2",)),
            photo(edited, made.uris["edited"], origin="synthetic", base_photo_id=own),
            study,
        ],
    )  # fmt: skip
    labels: list[Record] = [
        Label(key, "negative", 0.9, "accept", {})
        for key in (*texts(), "syn-1", "syn-3")
    ]
    _commit(made, "label", labels)


def _commit(
    made: Installation,
    stage: str,
    records: list[Record],
    rejections: list[Rejection] | None = None,
) -> None:
    report = StageReport(stage, NIGHT, len(records), len(records))
    made.rows.commit(report, records, rejections or [])


def _fill_memory(made: Installation) -> None:
    made.standing.append(
        "membership/smoke",
        NIGHT,
        {
            "products": {"p1": "train"},
            "reviews": {"r1": "train", "r2": "train"},
            "photos": {},
            "learned": {
                "r1": [" ".join(SECRET.lower().split()), "p1", "negative", ""],
                "r2": ["the handle is warm", "p1", "negative", ""],
            },
        },
    )
    made.standing.put_once("llm_call", "k1", {"text": f'{{"body": "{SECRET[8:]}"}}'})
    made.standing.put_once("llm_call", "k2", {"text": "Nothing of anybody."})
    made.standing.put_once("feedback", "f1", {"query_text": SECRET.upper()})
    cache = PgEmbeddingCache(made.url)
    vector = np.ones(384, np.float32)
    cache.put("m", {sha(text.encode()): vector for text in texts().values()})
    cache._pool.close()


def _fill_indexes(made: Installation) -> None:
    documents = [
        Document(key, text, "p1", "Teapots", 2, "negative")
        for key, text in texts().items()
    ]
    for version in ("v1", "v2"):
        rng = np.random.default_rng(7)
        vectors = rng.normal(size=(len(documents), 384)).astype(np.float32)
        made.keywords.build(version, documents)
        made.vectors.build(
            version,
            [VectorRow(one, row) for one, row in zip(documents, vectors, strict=True)],
        )
    made.alias.swap("v2")


def _fill_registry(made: Installation, folder: Path) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    made.version = made.registry.register(NIGHT, folder / "model", {}, {}).version
    made.registry.keep_training_set(
        made.version,
        TrainingSet(
            NIGHT,
            "smoke",
            tuple(
                TrainingRow(
                    key, "train", "0" * 64, text_sha256(key), origin, "negative", 1.0,
                    sources=sources,
                )
                for key, origin, sources in (
                    ("r1", "scraped", ()), ("r2", "scraped", ()),
                    ("syn-1", "synthetic", ("r1", "r2")),
                )
            ),
            studies={"s1": sha(b"photo of r1")},
        ),
    )  # fmt: skip
