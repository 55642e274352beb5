"""BM25 in Elasticsearch: one index a version, analysed as the embedded index beside this file is."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from elasticsearch import (
    ApiError,
    Elasticsearch,
    NotFoundError,
    SerializationError,
    TransportError,
    UnsupportedProductError,
)
from elasticsearch import (
    ConnectionError as Unreachable,
)
from elasticsearch.helpers import BulkIndexError, bulk

from kindling.errors import DataError, KindlingError, TransientError
from kindling.ports.index import Document, Filters, Hit
from kindling.stores.index_contract import EXACT_FIELDS, checked, wanted

PREFIX = "kindling-reviews-"
#: The standard tokenizer joins words over some of these ("fit:perfect", "didn't", "3.5"); the embedded
#: engine joins over none, and both are to find the same.
BETWEEN_WORDS = re.compile(r"[\W_]+")
#: A document as long as a query would be a query of thousands of clauses: the first words say enough.
MAX_QUERY_WORDS = 512
#: Server states that pass: overload, unavailable, gateway timeout.
PASSING_STATUS = frozenset({429, 502, 503, 504})
#: Seconds for a search, of the client and of the server: somebody waits for it.
SEARCH_S = 2.0

SETTINGS = {
    # One shard, so that the statistics behind BM25 are those of the whole index.
    "number_of_shards": 1,
    "auto_expand_replicas": "0-1",
    "analysis": {
        "filter": {"english_stem": {"type": "stemmer", "language": "english"}},
        "analyzer": {
            "english_text": {
                "type": "custom",
                "tokenizer": "standard",
                "filter": ["lowercase", "english_stem"],
            }
        },
    },
}
MAPPINGS = {
    "dynamic": "strict",
    "properties": {
        "text": {"type": "text", "analyzer": "english_text"},
        "rating": {"type": "integer"},
        **{field: {"type": "keyword"} for field in EXACT_FIELDS},
    },
}


class ElasticsearchKeywords:
    """KeywordIndex over a server's URL."""

    name = "elasticsearch"

    def __init__(self, url: str, timeout_s: float = 30.0) -> None:
        self._client = Elasticsearch(
            url, request_timeout=timeout_s, retry_on_timeout=False, max_retries=2
        )
        # A search is not tried again: whoever waits for it has a deadline of their own.
        self._searching = self._client.options(
            request_timeout=SEARCH_S, retry_on_timeout=False, max_retries=0
        )

    def build(self, version: str, documents: Iterable[Document]) -> int:
        """Make the version from nothing (replacing a half-built one); returns its count."""
        index = _index(version)
        with _errors():
            self._client.indices.delete(index=index, ignore_unavailable=True)
            # No refresh while loading: one at the end makes everything searchable at once.
            self._client.indices.create(
                index=index,
                settings={**SETTINGS, "refresh_interval": "-1"},
                mappings=MAPPINGS,
            )
            actions = (
                {
                    "_index": index,
                    "_id": one.review_id,
                    "_source": asdict(one) | {"text": _words(one.text)},
                }
                for one in documents
            )
            bulk(self._client, actions, chunk_size=1000)
            self._client.indices.put_settings(
                index=index, settings={"refresh_interval": None}
            )
            self._client.indices.refresh(index=index)
        return self.count(version)

    def count(self, version: str) -> int:
        with _errors(version):
            return int(self._client.count(index=_index(version))["count"])

    def search(
        self, version: str, query: str, limit: int, filters: Filters | None = None
    ) -> list[Hit]:
        """Best first, ties by review id. Any text is a valid query; no word in common, no hit."""
        # Half a surrogate pair is text that JSON can carry and UTF-8 cannot.
        words = " ".join(
            _words(query.encode(errors="replace").decode()).split()[:MAX_QUERY_WORDS]
        )
        if limit < 1:
            return []
        with _errors(version):
            answer = self._searching.search(
                index=_index(version),
                size=limit,
                timeout=f"{SEARCH_S:g}s",
                allow_partial_search_results=False,
                source=False,
                track_total_hits=False,
                query={
                    "bool": {
                        "must": {"match": {"text": {"query": words, "operator": "or"}}},
                        "filter": [
                            {"terms": {field: values}}
                            for field, values in wanted(filters)
                        ],
                    }
                },
                sort=[{"_score": "desc"}, {"review_id": "asc"}],
            )
        return _hits(answer.body, version)

    def versions(self) -> list[str]:
        with _errors():
            found = self._client.indices.get_settings(
                index=f"{PREFIX}*", name="index.creation_date"
            )
        born = {
            name: int(one["settings"]["index"]["creation_date"])
            for name, one in found.items()
        }
        return [
            name.removeprefix(PREFIX)
            for name in sorted(born, key=lambda name: (born[name], name))
        ]

    def drop(self, version: str) -> None:
        with _errors():
            self._client.indices.delete(index=_index(version), ignore_unavailable=True)


def _index(version: str) -> str:
    return f"{PREFIX}{checked(version)}"


def _hits(answer: Any, version: str) -> list[Hit]:
    """The answer's hits; TransientError where it says that it is not a whole answer."""
    try:
        failed = answer["_shards"]["failed"]
        if answer["timed_out"] or failed:
            raise TransientError(
                f"Elasticsearch searched {_index(version)} in part only: "
                f"timed_out={answer['timed_out']}, {failed} shards failed"
            )
        return [Hit(hit["_id"], float(hit["_score"])) for hit in answer["hits"]["hits"]]
    except (KeyError, TypeError, ValueError) as error:
        raise KindlingError(
            f"what answers for Elasticsearch gave no search result: {error!r}"
        ) from error


def _words(text: str) -> str:
    return BETWEEN_WORDS.sub(" ", text)


@contextmanager
def _errors(version: str = "") -> Iterator[None]:
    """The client's errors as the product's: what passes is transient, the rest is final and says why."""
    try:
        yield
    except BulkIndexError as error:
        first = error.errors[0] if error.errors else {}
        raise DataError(
            f"Elasticsearch refused {len(error.errors)} documents, the first with {first}"
        ) from error
    except NotFoundError as error:
        raise DataError(
            f"keyword index version {version!r} is not in Elasticsearch; run the index stage"
        ) from error
    except UnsupportedProductError as error:
        raise KindlingError(
            f"what answers for Elasticsearch is another server: {error}"
        ) from error
    except ApiError as error:
        kind = TransientError if error.status_code in PASSING_STATUS else KindlingError
        raise kind(f"Elasticsearch answered {error.status_code}: {error}") from error
    except SerializationError as error:
        raise DataError(
            f"a document or an answer of Elasticsearch cannot be read: {error}"
        ) from error
    except (Unreachable, TransportError) as error:
        raise TransientError(f"Elasticsearch does not answer: {error}") from error
