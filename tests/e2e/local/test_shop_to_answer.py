"""`make run SHOP=…` as a stranger has it: a shop nobody wrote rules for, from its address to an answer."""

import gzip
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urljoin

import pytest

from kindling.catalog import STAGE_NAMES
from kindling_local.layout import Layout

from .conftest import Command, ended, processes_of

_LINK = re.compile(rb"""(\bhref=)(["'])([^"'#][^"']*)\2""")


@pytest.fixture
def strange_shop(tmp_path: Path, repository: Path) -> Iterator[str]:
    """The bundled shop at an address of its own, for which no recipe of ours is made."""
    program = [sys.executable, str(repository / "containers/shop")]
    catalogue = str(tmp_path / "catalogue")
    make = [*program, "make", "--kind", "bundled-smoke", "--out", catalogue]
    subprocess.run(make, check=True, capture_output=True)
    serve = [*program, "serve", "--catalogue", catalogue, "--port", "0"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        yield next(word for word in line.split() if word.startswith("http://"))
        server.terminate()


@pytest.fixture
def saved_pages(data_root: Path) -> Iterator[str]:
    """A folder of saved pages of many shops, served as one shop; their links lead where they led."""
    folder = data_root / "shop_pages"
    stated = json.loads((folder / "reviews.json").read_text(encoding="utf-8"))
    stated = json.loads((folder / "products.json").read_text(encoding="utf-8")) | stated
    pages: dict[str, bytes] = {}
    for path in sorted(folder.glob("html/*.html.gz")):
        name = path.name.split(".")[0]
        url = (stated.get(name) or {}).get("url") or f"https://{name[:12]}.example/"
        pages[f"/p/{name[:12]}"] = _saved(gzip.decompress(path.read_bytes()), url)
    pages["/"] = "".join(f'<a href="{one}">page</a>' for one in pages).encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = pages.get(self.path, b"")
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _saved(html: bytes, url: str) -> bytes:
    """The page as `wget --convert-links` keeps it: links it did not save are whole addresses."""

    def whole(match: re.Match[bytes]) -> bytes:
        try:
            address = urljoin(url, match[3].decode("latin-1")).encode(
                "latin-1", "ignore"
            )
        except ValueError:
            address = match[3]
        return match[1] + match[2] + address + match[2]

    return _LINK.sub(whole, html)


@pytest.mark.timeout(600)
def test_saved_pages_with_too_few_reviews_say_what_it_would_take(
    supervisor: Command, layout: Layout, saved_pages: str
) -> None:
    code, output = ended(supervisor("run", "--shop", saved_pages), timeout_s=550)
    assert code == 3, output
    assert re.search(r"rows        1\d\d found, 1\d\d usable", output)
    assert re.search(r"label \d+ more of class negative, 20 in all", output)
    assert "Traceback" not in output
    assert not layout.postgres.exists() and not layout.state.exists()


@pytest.mark.timeout(1500)
def test_a_strangers_shop_becomes_a_report_and_an_answer(
    supervisor: Command, layout: Layout, strange_shop: str
) -> None:
    code, output = ended(supervisor("run", "--shop", strange_shop), timeout_s=1400)
    assert code == 0, output
    assert output.index("recipe      ") < output.index("] starting Airflow")
    for stage in STAGE_NAMES:
        assert re.search(rf"\] {stage} +success: [\d,]+ rows in", output), stage
    report = Path(re.search(r"^report: (\S+)$", output, re.MULTILINE).group(1))
    assert "Polarity macro-F1" in report.read_text(encoding="utf-8")
    start = output.index('{\n  "sentiment"')
    answer = json.loads(output[start:].split("\n}\n")[0] + "\n}")
    assert answer["sentiment"] in {"negative", "neutral", "positive"}
    assert answer["similar_reviews"]
    assert not any((layout.var / "catalogues").iterdir()), "none of ours was made"
    assert not processes_of(layout), "left behind"
