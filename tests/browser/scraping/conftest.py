"""The bundled shop on a free port, the truth of its catalogue, and the stage run against it."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from kindling.recipe import ScrapeConfig, SourceEntry
from kindling.records import Product, Review
from kindling.scraping.clean import normalise
from kindling.stages import scrape
from kindling.stages.contract import Outcome, Shard
from kindling.stores.memory import MemoryFrontier, MemoryStanding, MemoryTombstones
from kindling.stores.objects import FsspecObjects


@dataclass(frozen=True)
class RunningShop:
    """A serving shop, and what its catalogue folder says is true."""

    url: str
    catalogue: Path

    def rows(self, name: str) -> list[dict]:
        return [
            json.loads(line)
            for line in (self.catalogue / f"{name}.jsonl")
            .read_text(encoding="utf-8")
            .splitlines()
        ]

    def layout(self, product_id: str) -> str:
        return (
            httpx.get(f"{self.url}/p/{product_id}", trust_env=False)
            .text.split('data-layout="')[1]
            .split('"')[0]
        )

    def stats(self) -> dict[str, int]:
        return httpx.get(f"{self.url}/stats.json", trust_env=False).json()


@pytest.fixture(scope="session")
def lightpanda(repository: Path) -> str:
    """A Lightpanda binary, installed into var/bench where none is named."""
    sys.path.insert(0, str(repository / "tests" / "bench"))
    from browser_peer.binary import lightpanda as binary

    return binary()


@pytest.fixture(scope="session")
def catalogue(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("catalogue") / "smoke"
    subprocess.run(
        [
            sys.executable,
            str(repository / "containers/shop"),
            "make",
            "--kind",
            "bundled-smoke",
            "--out",
            str(out),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return out


@pytest.fixture
def running_shop(repository: Path, catalogue: Path) -> Iterator[RunningShop]:
    command = [
        sys.executable,
        str(repository / "containers/shop"),
        "serve",
        "--catalogue",
        str(catalogue),
        "--port",
        "0",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    ) as process:
        line = process.stdout.readline()
        yield RunningShop(
            next(word for word in line.split() if word.startswith("http://")), catalogue
        )
        process.terminate()


@pytest.fixture
def scrape_shop(tmp_path: Path) -> Callable[..., Outcome]:
    def run(
        url: str,
        chromium: str | None,
        lightpanda: str | None = None,
        **config: object,
    ) -> Outcome:
        deps = SimpleNamespace(
            shop_url=url,
            chromium=chromium,
            standing=MemoryStanding(),
            tombstones=MemoryTombstones(),
            frontier=MemoryFrontier(),
            adviser=None,
            lightpanda=lightpanda,
            objects=FsspecObjects(f"file://{tmp_path}/objects"),
        )
        entry = SourceEntry(kind="shop", options=config)
        recipe = SimpleNamespace(name="shop", sources=(entry,))
        context = SimpleNamespace(
            seed=1, run_id="r", niche=(), recipe=recipe, shard=Shard()
        )
        return scrape.run(ScrapeConfig(), context, deps)

    return run


def comparable(outcome: Outcome) -> dict[str, tuple]:
    """Every field of every review that the shop's truth knows too, by id."""
    photos = {
        one.photo_id
        for one in outcome.records
        if hasattr(one, "photo_id") and not isinstance(one, Review)
    }
    names = {
        one.product_id: one.name for one in outcome.records if isinstance(one, Product)
    }
    assert {
        one.photo_id for one in outcome.records if isinstance(one, Review)
    } <= photos | {None}
    return {
        one.review_id: (
            one.product_id,
            names[one.product_id],
            one.category,
            one.title,
            one.body,
            one.rating,
            one.published,
            one.photo_id,
        )
        for one in outcome.records
        if isinstance(one, Review)
    }


@pytest.fixture
def compare() -> Callable[[Outcome], dict[str, tuple]]:
    return comparable


@pytest.fixture
def truth(running_shop: RunningShop) -> dict[str, tuple]:
    """What a perfect scraper brings, by review id: every review with a body, as `comparable` has it."""
    products = {one["product_id"]: one for one in running_shop.rows("products")}
    hashes = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (running_shop.catalogue / "photos").iterdir()
    }
    return {
        one["review_id"]: (
            one["product_id"],
            products[one["product_id"]]["name"],
            products[one["product_id"]]["category"],
            normalise(one["title"]),
            normalise(one["body"]),
            one["rating"],
            one["date"],
            hashes[one["photo"]] if one["photo"] else None,
        )
        for one in running_shop.rows("reviews")
        if len(normalise(one["body"])) >= 3
    }
