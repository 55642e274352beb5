"""Pages per CPU second on one core, items made, beside Scrapy and crawlee on the same shop in one run.

    make bench NAME=crawl

A server in a process of its own serves listings of 50 products and product pages of 25 reviews (10 kB), and
robots.txt. Each crawler gets one core to itself and is asked for the same items: product, id, title, body,
rating and date of every review. Kindling's are whole records, checked and masked, and its raw pages are kept;
the peers' are dictionaries. CPU time is that of the crawl with all of its processes, from its start to its
last item. The crawlers take turns, several rounds; the ratios are of the medians. The peers are installed
into var/bench/crawl-peers from tests/bench/requirements.txt.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parents[1]
PEERS = ROOT / "var" / "bench" / "crawl-peers"
PRODUCTS = 1200
REVIEWS = 25
PER_LISTING = 50
ROUNDS = 3
SENTENCE = (
    "The handle stays cool and the lid closes well, though the spout drips a little "
    "when one pours slowly; after {n} weeks of daily use I would buy it again."
)


def product_page(number: int) -> bytes:
    rows = "".join(
        f'<li class="customer-review" data-review-id="r{number}-{one}"><h3 class="review-title">Week {one}</h3>'
        f'<div class="review-stars" aria-label="Rated {1 + (number + one) % 5} out of 5"></div>'
        f'<span class="review-author">Ada</span><time class="review-date" datetime="2024-03-{1 + one:02}">then</time>'
        f'<div class="review-text">{SENTENCE.format(n=one + number)}</div></li>'
        for one in range(REVIEWS)
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Pot {number}</title></head><body><main>'
        f'<nav class="breadcrumbs"><a href="/">Home</a> <a class="crumb-category" href="/">Pots</a></nav>'
        f'<section class="product" data-product-id="p{number}"><h1 class="product-title">Pot {number}</h1>'
        f'<p class="review-summary">3.0 out of 5 · {REVIEWS} reviews</p></section><ol>{rows}</ol></main></body></html>'
    ).encode()


def listing(page: int) -> bytes:
    first = page * PER_LISTING
    links = "".join(
        f'<li><a class="product-link" href="/p/{one}">Pot {one}</a></li>'
        for one in range(first, min(first + PER_LISTING, PRODUCTS))
    )
    more = f'<a rel="next" href="/?page={page + 1}">Next</a>'
    more = more if first + PER_LISTING < PRODUCTS else ""
    return f"<!doctype html><html><body><ul>{links}</ul>{more}</body></html>".encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/":
            body = listing(int(query.partition("=")[2] or 0))
        elif path.startswith("/p/"):
            body = PAGES[int(path[3:])]
        elif path == "/robots.txt":
            body = b"User-agent: *\nDisallow: /private/\n"
        else:
            self.send_error(404)
            return
        kind = "text/plain" if path == "/robots.txt" else "text/html; charset=utf-8"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


#: Made by the server alone: a crawler's own processes import this module, too.
PAGES: list[bytes] = []


def serve(port: "multiprocessing.Queue[int]") -> None:
    PAGES.extend(product_page(number) for number in range(PRODUCTS))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever).start()
    port.put(server.server_port)


def one_core(core: int) -> None:
    os.sched_setaffinity(0, {core})


def cpu_s() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(
            resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
    )


async def kindling(url: str) -> dict[str, float]:
    """The crawl as the scrape stage wires it, records included."""
    from kindling.scraping.crawl import crawl
    from kindling.scraping.fetch import Fetched, Policy, open_fetcher
    from kindling.scraping.mapping import load
    from kindling.scraping.reader import Reader
    from kindling.scraping.rows import join
    from kindling.scraping.site import Site
    from kindling.scraping.warc import SUFFIX, record
    from kindling.stores.objects import FsspecObjects

    rules = load("bundled_shop.yaml")
    with tempfile.TemporaryDirectory() as folder:
        objects = FsspecObjects(f"file://{folder}")

        def store(fetched: Fetched, drawn: bool) -> str:
            return objects.put(record(fetched, drawn), SUFFIX)

        before = cpu_s()
        async with open_fetcher(url, Policy(concurrency=32), 1) as fetcher:
            robots = await fetcher.robots()
            async with Reader(rules) as reader:
                found = await crawl(
                    Site(url, reader, fetcher, robots, store, None, 100_000)
                )
        rows = join(found.pages, {})
        return {
            "cpu_s": cpu_s() - before,
            "pages": len(found.pages),
            "items": len(rows.reviews),
        }


def peers() -> Path:
    """The peers' interpreter; installed first where it is missing or the list has changed."""
    wanted = (BENCH / "requirements.txt").read_text(encoding="utf-8")
    done = PEERS / "installed.txt"
    python = PEERS / "bin" / "python"
    if not done.exists() or done.read_text(encoding="utf-8") != wanted:
        uv = Path(sys.executable).with_name("uv")
        make = [str(uv), "venv", "-q", "--clear", "--python", sys.executable]
        subprocess.run([*make, str(PEERS)], check=True)
        install = [str(uv), "pip", "install", "-q", "--python", str(python)]
        listed = str(BENCH / "requirements.txt")
        subprocess.run([*install, "-r", listed], check=True)
        done.write_text(wanted, encoding="utf-8")
    return python


def run(command: list[str], core: int) -> dict[str, float]:
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        timeout=240,
        cwd=tempfile.gettempdir(),
        env={**os.environ, "PYTHONPATH": str(ROOT / "include")},
        preexec_fn=lambda: one_core(core),
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def compare(url: str) -> dict[str, float]:
    python = str(peers())
    cores = sorted(os.sched_getaffinity(0))
    commands = {
        "kindling": [sys.executable, str(BENCH / "crawl.py"), "--crawl", url],
        "scrapy": [python, str(BENCH / "crawl_peers" / "scrapy_shop.py"), url],
        "crawlee": [python, str(BENCH / "crawl_peers" / "crawlee_shop.py"), url],
    }
    rates: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            got = run(command, cores[-1])
            whole = got["pages"] >= PRODUCTS and got["items"] == PRODUCTS * REVIEWS
            if not whole:
                raise SystemExit(f"{name}: {got}, {PRODUCTS * REVIEWS} items are there")
            rates[name].append(got["pages"] / got["cpu_s"])
            print(f"{name}: {rates[name][-1]:.0f} pages per CPU second")
    median = {name: statistics.median(found) for name, found in rates.items()}
    return {
        "over_scrapy": round(median["kindling"] / median["scrapy"], 3),
        "over_crawlee": round(median["kindling"] / median["crawlee"], 3),
        **{f"{name}_pages_per_cpu_s": round(rate, 1) for name, rate in median.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="not used")
    parser.add_argument("--crawl", help="run Kindling's crawl of this address alone")
    options = parser.parse_args()
    if options.crawl:
        print(json.dumps(asyncio.run(kindling(options.crawl))))
        return
    port: multiprocessing.Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(port,), daemon=True)
    server.start()
    try:
        print(json.dumps(compare(f"http://127.0.0.1:{port.get(timeout=60)}/")))
    finally:
        server.kill()


if __name__ == "__main__":
    main()
