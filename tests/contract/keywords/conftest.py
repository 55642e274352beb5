"""Each keyword adapter over a real engine, and a corpus whose order is known."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from kindling.ports.index import Document, KeywordIndex


def document(review_id: str, text: str, **fields: Any) -> Document:
    return Document(
        review_id,
        text,
        **{
            "product_id": "p1",
            "category": "Dresses",
            "rating": 5,
            "sentiment": "positive",
            **fields,
        },
    )


#: Begins the name of every version that this test process makes.
TAG = f"t{uuid.uuid4().hex[:8]}-"


@pytest.fixture(scope="module")
def tantivy(tmp_path_factory: pytest.TempPathFactory) -> KeywordIndex:
    from kindling.stores.keywords_tantivy import TantivyKeywords

    return TantivyKeywords(tmp_path_factory.mktemp("tantivy") / "keywords")


@pytest.fixture(scope="module")
def elasticsearch(elasticsearch_url: str) -> Iterator[KeywordIndex]:
    from kindling.stores.keywords_elasticsearch import ElasticsearchKeywords

    index = ElasticsearchKeywords(elasticsearch_url)
    yield index
    # The server is shared with whoever else tests against it: only what this process named is dropped.
    for version in index.versions():
        if version.startswith(TAG):
            index.drop(version)


@pytest.fixture(scope="module", params=["tantivy", "elasticsearch"])
def index(request: pytest.FixtureRequest) -> KeywordIndex:
    return request.getfixturevalue(request.param)


@pytest.fixture
def version() -> str:
    """A name that no test has used."""
    return f"{TAG}{uuid.uuid4().hex[:6]}"


@pytest.fixture(scope="session")
def make() -> Any:
    return document
