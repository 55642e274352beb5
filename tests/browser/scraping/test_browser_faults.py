"""Each browser among pages that stall, crash, wander off or fail: each costs its budget, none the run."""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest

from kindling.scraping import browser
from kindling.scraping.browser import BrowserOptions, Chromium
from kindling.scraping.fetch import Fetched
from kindling.scraping.lightpanda import Lightpanda
from kindling.scraping.mapping import load

FILLED = (
    '<section id="reviews-root" aria-busy="false"><article>drawn</article></section>'
)
PAGES = {
    "/fine": '<section id="reviews-root" aria-busy="true"></section><script>setTimeout(() => {'
    'const r = document.getElementById("reviews-root"); r.textContent = "dra" + "wn";'
    'r.setAttribute("aria-busy", "false")}, 50)</script>',
    "/other": "<p id=x></p><script>setTimeout(() => x.textContent = 'dra' + 'wn', 50)</script>",
    "/stalls": '<section id="reviews-root" aria-busy="true"></section><script>for (;;) {}</script>',
    "/waits": '<section id="reviews-root" aria-busy="true"></section>',
    "/wanders": FILLED + '<script>location = "http://localhost:1/away"</script>',
    "/fails": '<section id="reviews-root" aria-busy="false" data-loaded="error"></section>',
    "/spies": FILLED
    + '<img src="http://example.com/x.png"><script>fetch("http://10.0.0.1/"); fetch("http://localhost:%d/spied")'
    ".catch(() => 0); alert(1); window.open('/fine')</script>",
    "/large": FILLED + "<p>" + "x" * 400_000,
}


@pytest.fixture
def site() -> Iterator[tuple[str, Counter]]:
    hits: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hits[self.path] += 1
            body = (
                PAGES.get(self.path, "none")
                .replace("%d", str(self.server.server_port))
                .encode()
            )
            self.send_response(200 if self.path in PAGES else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}
    )
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", hits
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=[Chromium, Lightpanda], ids=["chromium", "lightpanda"])
def program(request: pytest.FixtureRequest) -> tuple[type, str]:
    """A browser and its path."""
    return request.param, request.getfixturevalue(request.param.name.lower())


def draw(
    program: tuple[type, str],
    url: str,
    paths: list[str],
    page_s: float = 8.0,
    **options: object,
):
    async def turn() -> None:
        """No delay."""

    async def go():
        kind, executable = program
        tabs = 1 if kind is Lightpanda else 2
        settings = BrowserOptions(executable, tabs, page_s=page_s, **options)
        async with kind(
            url, settings, load("bundled_shop.yaml").script, turn
        ) as drawing:
            results = await drawing.render([f"{url}{path}" for path in paths])
            return {
                address.removeprefix(url): result for address, result in results.items()
            }

    return asyncio.run(go())


def browsers_left() -> list[str]:
    names = [one.name() for one in psutil.Process().children(recursive=True)]
    return [one for one in names if "chrom" in one or "lightpanda" in one]


def test_waits_for_what_scripts_fill(program, site):
    drawn = draw(program, site[0], ["/fine", "/other"])
    assert b"drawn" in drawn["/fine"].body
    assert b"drawn" in drawn["/other"].body


def test_faulty_pages_cost_only_themselves_and_nothing_is_left_running(program, site):
    url, _ = site
    drawn = draw(
        program,
        url,
        ["/stalls", "/waits", "/fails", "/missing", "/large", "/fine", "/wanders"],
        5.0,
        max_bytes=200_000,
    )
    assert b"drawn" in drawn.pop("/fine").body
    assert {
        path: result.reason
        for path, result in drawn.items()
        if not isinstance(result, Fetched)
    } == {
        "/stalls": "browser_failed",
        "/waits": "browser_failed",
        "/fails": "browser_failed",
        "/missing": "http_error:404",
        "/large": "page_too_large",
        "/wanders": drawn["/wanders"].reason,
    }
    assert drawn["/wanders"].reason in {"browser_failed", "redirect_off_origin"}
    assert browsers_left() == []


def test_scripts_reach_no_other_host(program, site):
    url, hits = site
    assert b"drawn" in draw(program, url, ["/spies"])["/spies"].body
    assert hits["/spies"] >= 1 and hits["/spied"] == 0


def test_the_browser_is_renewed(program, site, monkeypatch):
    monkeypatch.setattr(browser, "_RECYCLE_AFTER", 2)
    starts = []
    original = program[0]._close

    async def counting(self) -> None:
        starts.append(self._browser)
        await original(self)

    monkeypatch.setattr(program[0], "_close", counting)
    url, _ = site
    PAGES.update({f"/n{number}": FILLED for number in range(5)})
    drawn = draw(program, url, [f"/n{number}" for number in range(5)])
    assert all(isinstance(result, Fetched) for result in drawn.values())
    assert len({id(one) for one in starts if one is not None}) == 3


@pytest.mark.parametrize("kind", [Chromium, Lightpanda])
@pytest.mark.parametrize("executable", ["/nonexistent/browser", "/bin/true"])
def test_a_browser_that_does_not_start_is_reported(site, kind, executable):
    drawn = draw((kind, executable), site[0], ["/fine"])
    assert drawn["/fine"].reason == "browser_needed"


def test_a_browser_that_crashes_is_started_anew(program, site, monkeypatch):
    url, _ = site
    kind, _ = program
    original, killed = kind._draw, []

    async def crashing(self, page, address):
        if not killed:
            killed.append(address)
            for one in psutil.Process().children(recursive=True):
                # A browser's processes come and go by themselves.
                with contextlib.suppress(psutil.NoSuchProcess):
                    if "chrom" in one.name() or "lightpanda" in one.name():
                        one.kill()
        return await original(self, page, address)

    monkeypatch.setattr(kind, "_draw", crashing)
    drawn = draw(program, url, ["/fine", "/other"])
    assert killed and all(isinstance(one, Fetched) for one in drawn.values())
    assert browsers_left() == []
