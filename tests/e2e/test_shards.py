"""Two shards of a stage at once, one of them killed, both tried again: the rows of an undisturbed pair."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import yaml

LINES = (
    "The handle broke after a week and nobody answered number {n}.,1",
    "It is an ordinary thing that does what it says number {n}.,3",
    "Lovely work and it arrived quickly packed with care number {n}.,5",
)


def written(folder: Path) -> Path:
    """A recipe of two files, so that each shard of `scrape` has one."""
    for name in ("one", "two"):
        rows = [LINES[n % 3].format(n=f"{n} of {name}") for n in range(600)]
        text = "\n".join(
            [
                "review,stars,product",
                *(f"{row},{name}-{n % 30}" for n, row in enumerate(rows)),
            ]
        )
        (folder / f"{name}.csv").write_text(text)
    recipe = folder / "two.yaml"
    recipe.write_text(
        yaml.safe_dump(
            {
                "name": "two",
                "summary": "two files",
                "sources": [
                    {"kind": "files", "path": str(folder / "one.csv")},
                    {"kind": "files", "path": str(folder / "two.csv")},
                ],
            }
        )
    )
    return recipe


def shard(
    index: int, recipe: Path, environment: dict[str, str]
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "kindling", "scrape", "--run", "r"),
            *("--recipe", str(recipe), "--shard", f"{index}/2"),
        ],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finished(process: subprocess.Popen[str]) -> None:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output


def rows(environment: dict[str, str]) -> dict[str, list[str]]:
    """Every row of the run without its times, table by table."""
    found = {}
    with psycopg.connect(
        environment["KINDLING_DATABASE_URL"], options="-c search_path=kindling,public"
    ) as connection:
        for table in ("product", "review", "photo", "rejection"):
            read = connection.execute(f"SELECT to_jsonb(t) FROM {table} t").fetchall()
            found[table] = sorted(json.dumps(row, sort_keys=True) for (row,) in read)
        committed = connection.execute(
            "SELECT stage, shard FROM stage_commit"
        ).fetchall()
    found["committed"] = sorted(map(str, committed))
    return found


def test_a_killed_shard_and_its_twin_end_with_the_rows_of_an_undisturbed_pair(
    tmp_path: Path, make_laptop: Callable[[], dict[str, str]]
) -> None:
    recipe = written(tmp_path)
    calm, stormy = make_laptop(), make_laptop()
    started = time.monotonic()
    for process in [shard(index, recipe, calm) for index in (0, 1)]:
        finished(process)
    usual = time.monotonic() - started

    first, second = (shard(index, recipe, stormy) for index in (0, 1))
    time.sleep(0.7 * usual)
    alive = second.poll() is None
    os.killpg(second.pid, signal.SIGKILL)
    second.communicate()
    finished(first)
    assert alive, "the shard has to be killed at work"
    for process in [shard(index, recipe, stormy) for index in (0, 1)]:
        finished(process)

    expected = rows(calm)
    assert len(expected["review"]) > 1_000 and len(expected["committed"]) == 2
    assert rows(stormy) == expected
