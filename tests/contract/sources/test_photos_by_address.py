"""Photos that a file names by address, over real sockets: public addresses only, all of it bounded."""

import asyncio
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from kindling.sources.files import fetching
from kindling.sources.files.photos import gather
from kindling.stores.memory import MemoryObjects


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (20, 10), "blue").save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    answers = {
        "/photo.png": (200, {}, picture()),
        "/moved.png": (302, {"Location": "/photo.png"}, b""),
        "/round.png": (302, {"Location": "/round.png"}, b""),
        "/inside.png": (302, {"Location": "http://127.0.0.1:9/x.png"}, b""),
        "/noai.png": (200, {"X-Robots-Tag": "noimageai"}, picture()),
        "/page.html": (200, {}, b"<html>no picture</html>"),
        "/large.png": (200, {}, bytes(fetching.MAX_BYTES + 10)),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_photo_is_stored_once_whatever_its_addresses(host):
    urls = [f"http://{host}/photo.png", f"http://{host}/moved.png"]
    stored, broken = gather(urls, None, MemoryObjects(), [host])
    assert not broken
    assert len({one.photo_id for one in stored.values()}) == 1
    assert {(one.width, one.height) for one in stored.values()} == {(20, 10)}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("none.png", "status 404"),
        ("round.png", "redirects more than"),
        ("inside.png", "not a public address"),
        ("noai.png", "opts out of use by AI"),
        ("large.png", "more than 10 MB"),
        ("page.html", ""),
    ],
)
def test_what_gives_no_photo_says_why(host, path, said):
    stored, [broken] = gather([f"http://{host}/{path}"], None, MemoryObjects(), [host])
    assert not stored
    assert broken.reason == "photo_broken" and said in broken.detail and broken.detail


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x.png",
        "http://localhost/x.png",
        "http://[::1]/x.png",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/x.png",
        "http://0x7f000001/x.png",
        "http://[::ffff:127.0.0.1]/x.png",
    ],
)
def test_addresses_inside_are_not_asked(url):
    found = asyncio.run(fetching.fetch_all([url]))[url]
    assert isinstance(found, fetching.NotFetched)


def test_a_host_that_gives_nothing_is_left(host, monkeypatch):
    monkeypatch.setattr(fetching, "GIVE_UP_AFTER", 3)
    monkeypatch.setattr(fetching, "CONCURRENCY", 1)
    urls = [f"http://{host}/none{number}.png" for number in range(8)]
    found = asyncio.run(fetching.fetch_all(urls, [host]))
    assert ["in a row" in str(found[url]) for url in urls] == [False] * 3 + [True] * 5
