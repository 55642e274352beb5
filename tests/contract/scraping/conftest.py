"""A shop over real sockets that misbehaves as told, and the stage run against it."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from kindling.ports.llm import Llm
from kindling.recipe import ScrapeConfig, SourceEntry
from kindling.stages import scrape
from kindling.stages.contract import Outcome, Shard
from kindling.stores.memory import MemoryFrontier, MemoryStanding, MemoryTombstones
from kindling.stores.objects import FsspecObjects


class ScriptedShop:
    """Answers by path: (status, body) or (status, body, headers); everything else is 404."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple] = {}
        self.hits: Counter[str] = Counter()
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                shop.hits[self.path] += 1
                status, body, headers = (
                    *shop.answers.get(self.path, (404, "none")),
                    {},
                )[:3]
                data = body if isinstance(body, bytes) else body.encode()
                self.send_response(status)
                for name, value in {
                    "Content-Type": "text/html; charset=utf-8",
                    "Content-Length": str(len(data)),
                    **headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # Clients drop kept connections when they are done.
        self.server.handle_error = lambda *_: None
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def scripted() -> Iterator[ScriptedShop]:
    shop = ScriptedShop()
    thread = threading.Thread(
        target=shop.server.serve_forever, kwargs={"poll_interval": 0.05}
    )
    thread.start()
    yield shop
    shop.server.shutdown()
    thread.join()
    shop.server.server_close()


@dataclass
class Nights:
    """The stage, night after night against one address, over stores that remember."""

    objects: FsspecObjects
    standing: MemoryStanding = field(default_factory=MemoryStanding)
    frontier: MemoryFrontier = field(default_factory=MemoryFrontier)
    llm: Llm | None = None

    def run(
        self,
        url: str,
        chromium: str | None = None,
        run_id: str = "r",
        **config: object,
    ) -> Outcome:
        """One night; keywords are the stage's configuration and the source's."""
        stage = {
            key: config.pop(key) for key in ScrapeConfig.model_fields if key in config
        }
        needs = SimpleNamespace(
            shop_url=url,
            chromium=chromium,
            lightpanda=None,
            standing=self.standing,
            tombstones=MemoryTombstones(),
            objects=self.objects,
            frontier=self.frontier,
            adviser=self.llm,
        )
        entry = SourceEntry(kind="shop", options={"retries": 0, **config})
        recipe = SimpleNamespace(name="shop", sources=(entry,))
        context = SimpleNamespace(
            seed=1, run_id=run_id, niche=(), recipe=recipe, shard=Shard()
        )
        return scrape.run(ScrapeConfig(**stage), context, needs)


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(FsspecObjects(f"file://{tmp_path}/objects"))


@pytest.fixture
def scrape_from(nights: Nights) -> Callable[..., Outcome]:
    """Runs the stage against an address; keywords are its configuration, and `chromium`."""
    return nights.run
