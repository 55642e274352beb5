"""A server that is away, and one that refuses."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kindling.errors import DataError, KindlingError, TransientError
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


class Impostor(BaseHTTPRequestHandler):
    """Answers for Elasticsearch, each path in its own wrong way."""

    product = True
    status = 200
    body = b"{}"
    delay_s = 0.0

    def do_POST(self) -> None:
        time.sleep(self.delay_s)
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.body)))
        if self.product:
            self.send_header("X-Elastic-Product", "Elasticsearch")
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture
def impostor() -> Iterator[Callable[..., str]]:
    servers = []

    def start(**traits: object) -> str:
        kind = type("Impostor", (Impostor,), traits)
        server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


WHOLE = {"timed_out": False, "_shards": {"failed": 0}, "hits": {"hits": []}}


@pytest.mark.parametrize(
    ("traits", "error"),
    [
        ({"body": json.dumps(WHOLE | {"timed_out": True})}, TransientError),
        ({"body": json.dumps(WHOLE | {"_shards": {"failed": 1}})}, TransientError),
        ({"body": "{}"}, KindlingError),
        ({"body": "nonsense"}, KindlingError),
        ({"body": '{"hits": 7}'}, KindlingError),
        ({"status": 401}, KindlingError),
        ({"status": 400}, KindlingError),
        ({"status": 503}, TransientError),
        ({"product": False}, KindlingError),
        ({"delay_s": 20.0}, TransientError),
    ],
)
def test_a_search_that_was_not_whole_is_an_error_within_seconds(
    impostor: Callable[..., str], traits: dict[str, object], error: type[Exception]
) -> None:
    if "body" in traits:
        traits = traits | {"body": str(traits["body"]).encode()}
    index = ElasticsearchKeywords(impostor(**traits))
    started = time.monotonic()
    with pytest.raises(error):
        index.search("v", "dress", 3)
    assert time.monotonic() - started < 5


def test_a_whole_search_without_a_hit_is_no_error(
    impostor: Callable[..., str],
) -> None:
    url = impostor(body=json.dumps(WHOLE).encode())
    assert ElasticsearchKeywords(url).search("v", "dress", 3) == []
