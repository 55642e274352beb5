"""Three nights of the bundled shop as its catalogue grows, changes and shrinks."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from kindling import recipe as recipes
from kindling.records import DedupeDecision, Review, StageReport
from kindling.stages.contract import Context
from kindling.stages.runner import run_stage
from kindling.stages.view import Unsplit
from kindling.stores.bands_memory import MemoryBands
from kindling.stores.memory import (
    MemoryFrontier,
    MemoryObjects,
    MemoryStanding,
    MemoryTombstones,
)
from kindling.stores.postgres import PostgresRows

#: A day on which most of the reviews have come, the next days of change, and a day like the one before.
DAYS = ("2026-05-15", "2026-08-01", "2026-10-31", "2026-10-31")


class Shop:
    """The bundled shop at one address, started anew for every day."""

    def __init__(self, program: list[str], catalogue: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [*program, "serve", "--catalogue", str(catalogue)]

    @contextlib.contextmanager
    def on(self, day: str) -> Iterator[None]:
        server = subprocess.Popen(
            [*self._command, "--port", str(self.port), "--date", day]
        )
        try:
            for _ in range(600):
                with (
                    contextlib.suppress(OSError),
                    urllib.request.urlopen(f"{self.url}/healthz", timeout=1),
                ):
                    break
                time.sleep(0.05)
            yield
        finally:
            server.terminate()
            server.wait(20)


class Laptop:
    """Stores of one installation, and scrape and dedupe over them."""

    def __init__(self, rows: PostgresRows, shop: Shop, prefix: str) -> None:
        self.rows, self.shop, self._prefix = rows, shop, prefix
        self.objects, self.standing = MemoryObjects(), MemoryStanding()
        self.bands = MemoryBands()

    def night(self, number: int) -> dict[str, StageReport]:
        run = f"{self._prefix}{number}"
        recipe = recipes.load("smoke")
        context = Context(run, recipe, recipe.niche, 20, 7)
        self.rows.begin_run(run, f"smoke of {self._prefix}", {})

        def hand(context: Context, names: object) -> SimpleNamespace:
            return SimpleNamespace(
                objects=self.objects,
                standing=self.standing,
                shop_url=self.shop.url,
                chromium=None,
                lightpanda=None,
                tombstones=MemoryTombstones(),
                frontier=MemoryFrontier(),
                adviser=None,
                unsplit=Unsplit(self.rows, run),
                bands=self.bands,
            )

        return {
            stage: run_stage(stage, context, self.rows, hand)
            for stage in ("scrape", "dedupe")
        }

    def reviews(self, number: int) -> dict[str, Review]:
        found = self.rows.read(Review, f"{self._prefix}{number}")
        return {one.review_id: one for one in found}

    def splits(self, number: int) -> dict[str, str]:
        found = self.rows.read(DedupeDecision, f"{self._prefix}{number}", kept=True)
        return {one.review_id: one.split for one in found}


def events(rows: PostgresRows, review_id: str) -> list[str]:
    return [one.event for one in rows.seen(review_id) if one.recipe == "smoke of n"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("nights")
    program = [sys.executable, str(repository / "containers/shop")]
    catalogue = folder / "catalogue"
    make = ["make", "--kind", "bundled-smoke", "--out", str(catalogue)]
    subprocess.run([*program, *make], check=True)
    yield Shop(program, catalogue)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.timeout(600)
def test_three_nights_and_a_quiet_one(shop: Shop, database_url: str) -> None:
    rows = PostgresRows(database_url)
    laptop, reports = Laptop(rows, shop, "n"), []
    for number, day in enumerate(DAYS):
        with shop.on(day):
            reports.append(laptop.night(number))
            if number:
                anew = Laptop(rows, shop, f"anew{number}-")
                anew.night(0)
                assert {
                    key: one.text for key, one in laptop.reviews(number).items()
                } == {key: one.text for key, one in anew.reviews(0).items()}, (
                    "a night over memory finds what one from nothing finds"
                )

    first, second, third = (laptop.reviews(number) for number in range(3))
    assert second.keys() - first.keys(), "the catalogue grows"
    assert first.keys() - third.keys(), "it shrinks"
    shared = first.keys() & third.keys()
    rewritten = [one for one in shared if first[one].text != third[one].text]
    assert rewritten, "it changes"

    requests = [one["scrape"].figures["requests"] for one in reports]
    assert requests[1] < requests[0] / 2
    assert requests[3] < 10

    splits = [laptop.splits(number) for number in range(4)]
    for before, after in zip(splits, splits[1:], strict=False):
        moved = {
            one for one in before.keys() & after.keys() if before[one] != after[one]
        }
        assert not moved, "no review changes its side"

    quiet = reports[3]["dedupe"]
    assert (quiet.run_id, quiet.same_as) == ("n3", "n2")
    gone = next(iter(first.keys() - third.keys()))
    assert events(rows, gone) == ["new", "gone"]
    assert events(rows, rewritten[0]) == ["new", "changed"]
    written = {one.run_id: one.reviews_written for one in rows.nights()}
    assert written["n0"] == len(first)
    assert 0 < written["n1"] < len(first) / 2
    assert written["n3"] == 0
