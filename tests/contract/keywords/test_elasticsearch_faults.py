"""A server that is away, and one that refuses."""

from collections.abc import Callable

import pytest

from kindling.errors import DataError, TransientError
from kindling.ports.index import Document, KeywordIndex
from kindling.stores.keywords_elasticsearch import ElasticsearchKeywords


@pytest.mark.parametrize(
    "ask",
    [
        lambda index: index.count("v"),
        lambda index: index.search("v", "x", 1),
        lambda index: index.versions(),
        lambda index: index.build("v", []),
        lambda index: index.drop("v"),
    ],
)
def test_a_server_that_is_away_is_transient(
    ask: Callable[[KeywordIndex], object],
) -> None:
    with pytest.raises(TransientError, match="Elasticsearch"):
        ask(ElasticsearchKeywords("http://127.0.0.1:9"))


def test_a_refused_document_is_not_lost_in_silence(
    elasticsearch: KeywordIndex, version: str, make: Callable[..., Document]
) -> None:
    with pytest.raises(DataError, match=r"refused 1 documents.*'bad'"):
        elasticsearch.build(
            version, [make("good", "dress"), make("bad", "dress", rating="five")]
        )
