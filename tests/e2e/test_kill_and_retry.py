"""kill -9 of any stage, then the retry: the rows of an uninterrupted run."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import psycopg
import pytest

from kindling.catalog import STAGE_NAMES

#: What may differ between two runs over the same shop: when, and under which name.
VOLATILE = {"run_id", "fetched_at", "committed_at", "report"}
TABLES = (
    "page",
    "product",
    "photo",
    "review",
    "dedupe_decision",
    "synthesis",
    "challenge_verdict",
    "label",
    "rejection",
    "stage_commit",
    "review_vector",
)
#: A kept page is a WARC record, which says when it was fetched: its address is another's each time.
VOLATILE_IN = {"page": {"uri"}}
#: Figures of a report that are clocks, not results.
CLOCKS = ("second", "elapsed", "_s", "latenc", "per_s", "_ms")


def stage_process(
    stage: str, run: str, environment: dict[str, str]
) -> subprocess.Popen[str]:
    """The stage as Airflow starts it, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "kindling", stage, "--run", run, "--recipe", "smoke"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(stage: str, run: str, environment: dict[str, str]) -> float:
    """Processor seconds that the stage takes: a busy machine makes them no more, but the time on the clock."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = stage_process(stage, run, environment)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, f"{stage}: {output}"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def spent(process: psutil.Process) -> float:
    """Processor seconds of the process and of all that it started."""
    try:
        family = [process, *process.children(recursive=True)]
        return sum(sum(one.cpu_times()[:4]) for one in family)
    except psutil.NoSuchProcess:
        return 0.0  # One of them has just ended: the next look counts it with its parent's.


def kill_midway(
    stage: str, run: str, environment: dict[str, str], after: float
) -> bool:
    """SIGKILL the stage's whole group after so many processor seconds; True if it was still at work."""
    process = stage_process(stage, run, environment)
    seen = psutil.Process(process.pid)
    while process.poll() is None and spent(seen) < after:
        time.sleep(0.02)
    alive = process.poll() is None
    if alive:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return alive


def contents(environment: dict[str, str], run: str) -> dict[str, list[str]]:
    """Every table of the run as sorted JSON rows without what may differ."""
    root = environment["KINDLING_OBJECTS_URL"]
    result = {}
    with psycopg.connect(
        environment["KINDLING_DATABASE_URL"], options="-c search_path=kindling,public"
    ) as connection:
        for table in TABLES:
            filters = "" if table == "review_vector" else "WHERE run_id = %s"
            rows = connection.execute(
                f"SELECT to_jsonb(t) FROM {table} t {filters}",
                (run,) if filters else (),
            ).fetchall()
            left_out = VOLATILE | VOLATILE_IN.get(table, set())
            result[table] = sorted(
                json.dumps(
                    {k: v for k, v in row.items() if k not in left_out}, sort_keys=True
                ).replace(root, "")
                for (row,) in rows
            )
        reports = connection.execute(
            "SELECT stage, report FROM stage_commit WHERE run_id = %s ORDER BY stage",
            (run,),
        ).fetchall()
    result["figures"] = [
        json.dumps(
            [
                stage,
                report["rows_in"],
                report["rows_out"],
                report["rejected"],
                _results(report["figures"]),
            ],
            sort_keys=True,
        )
        for stage, report in reports
    ]
    return result


def _results(value: object) -> object:
    if isinstance(value, dict):
        return {
            k: _results(v)
            for k, v in value.items()
            if not any(clock in k for clock in CLOCKS)
        }
    return [_results(one) for one in value] if isinstance(value, list) else value


@pytest.mark.timeout(1200)
def test_killed_stages_end_with_the_rows_of_an_uninterrupted_run(
    make_laptop: Callable[[], dict[str, str]],
) -> None:
    calm, stormy = make_laptop(), make_laptop()
    usual = {stage: finish(stage, "r", calm) for stage in STAGE_NAMES}

    chance = random.Random(20261121)
    struck = []
    for stage in STAGE_NAMES:
        # Twice, at different depths; the second may come too late for a stage that is quicker this time.
        for low, high in ((0.15, 0.4), (0.4, 0.9)):
            if kill_midway(
                stage, "r", stormy, usual[stage] * chance.uniform(low, high)
            ):
                struck.append(stage)
        finish(stage, "r", stormy)

    assert set(struck) == set(STAGE_NAMES), (
        "every stage has to be killed at work at least once"
    )
    expected, found = contents(calm, "r"), contents(stormy, "r")
    for table in expected:
        assert found[table] == expected[table], f"{table} differs after kills"
    assert expected["review"] and expected["label"] and expected["review_vector"]
