"""kill -9 at 20 random points over three nights of the bundled shop: the rows of nights left in peace.

    make bench NAME=nights_kill [--kills 20]

Two installations see the same shop as it grows, changes and shrinks by date. The data stages run as
processes; in one installation they are killed with their process group, at random depths, and started
again. `rows_equal` compares every row of every night, without the time of fetching.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from night import STAGES, free_port, load, make, postgres, shop, stores

from kindling.records import RECORD_TYPES, said_by
from kindling.stores.postgres import PostgresRows, connect

NIGHTS = 3


def start(stage: str, run: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "kindling", stage, "--run", run]
    return subprocess.Popen(
        [*command, "--recipe", "smoke"],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(stage: str, run: str, environment: dict[str, str]) -> float:
    begun = time.monotonic()
    process = start(stage, run, environment)
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{stage} of {run} ended with {process.returncode}: {output}")
    return time.monotonic() - begun


def killed(stage: str, run: str, environment: dict[str, str], after: float) -> bool:
    """Whether the stage was still at work when it was killed."""
    process = start(stage, run, environment)
    time.sleep(after)
    alive = process.poll() is None
    if alive:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return alive


#: A kept page is a WARC record, which says when the page was asked for.
VOLATILE = {("page", "uri")}


def rows_of(environment: dict[str, str], run: str) -> dict[str, list[list[object]]]:
    rows = PostgresRows(environment["KINDLING_DATABASE_URL"])
    root = environment["KINDLING_OBJECTS_URL"]
    return {
        kind.table: [
            [
                str(getattr(one, name)).replace(root, "")
                for name in said_by(kind)
                if (kind.table, name) not in VOLATILE
            ]
            for one in rows.read(kind, run)
        ]
        for kind in RECORD_TYPES
    }


def written(environment: dict[str, str]) -> dict[str, int]:
    with connect(environment["KINDLING_DATABASE_URL"]) as connection:
        found = connection.execute("SELECT run_id, count(*) FROM review GROUP BY 1")
        return dict(found.fetchall())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="not needed: the bundled shop is read")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=20261125)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    places = [(night, stage) for night in range(NIGHTS) for stage in STAGES]
    plan = [chance.choice(places) for _ in range(options.kills)]
    struck = 0
    with (
        tempfile.TemporaryDirectory(prefix="kindling-kill-") as work,
        postgres() as server,
    ):
        folder, port = Path(work), free_port()
        make("bundled-smoke", folder / "catalogue", 20261121, None)
        newest = max(one.date for one in load(folder / "catalogue").reviews)
        last = date.fromisoformat(newest)
        url = f"http://127.0.0.1:{port}"
        calm, stormy = (
            stores(server, name, folder / name, url) for name in ("calm", "stormy")
        )
        for one in (calm, stormy):
            # Without a browser: it would be most of the time, and nothing of what is asked here.
            one["KINDLING_CHROMIUM"] = ""
        for night in range(NIGHTS):
            day = last - timedelta(days=20 * (NIGHTS - 1 - night))
            with shop(folder / "catalogue", port, day.isoformat()):
                for stage in STAGES:
                    usual = finish(stage, f"n{night}", calm)
                    for _ in range(plan.count((night, stage))):
                        after = usual * chance.uniform(0.2, 0.98)
                        struck += killed(stage, f"n{night}", stormy, after)
                    finish(stage, f"n{night}", stormy)
            print(f"night {night}: {struck} killed at work", flush=True)
        differing = sorted(
            f"n{night} {table}"
            for night in range(NIGHTS)
            for table, rows in rows_of(calm, f"n{night}").items()
            if rows != rows_of(stormy, f"n{night}")[table]
        )
        print(
            json.dumps(
                {
                    "rows_equal": not differing,
                    "differing": differing,
                    "kills": options.kills,
                    "killed_at_work": struck,
                    "reviews_written": written(stormy),
                    "reviews_written_in_peace": written(calm),
                }
            )
        )


if __name__ == "__main__":
    main()
