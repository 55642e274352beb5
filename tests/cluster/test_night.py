"""The whole night as pods: scrape split in two, photos in S3, keywords in Elasticsearch, a model that serves."""

import subprocess
import sys
from typing import Any

import httpx
import psycopg
import pytest

from kindling.catalog import STAGE_NAMES

from .outside import Airflow, Run
from .rig import PIPELINE, ROOT, TRAIN, Cluster
from .stores import database


@pytest.fixture(scope="session")
def migrated(addresses: dict[str, str]) -> str:
    """URL of the product's database with its tables."""
    url = database(addresses["postgres"], "kindling")
    subprocess.run(
        [sys.executable, "-m", "kindling", "migrate"],
        env={"PYTHONPATH": str(ROOT / "include"), "KINDLING_DATABASE_URL": url},
        check=True,
        capture_output=True,
    )
    return url


@pytest.mark.timeout(3600)
def test_a_night_on_the_cluster_is_green(
    airflow: Airflow,
    cluster: Cluster,
    migrated: str,
    addresses: dict[str, str],
    figures: dict[str, Any],
) -> None:
    cluster.load(PIPELINE, TRAIN)
    run = airflow.trigger("nightly_retraining", {"recipe": "smoke"})
    state = run.ended(3000)
    states = {
        f"{one['task_id']}[{one['map_index']}]": (one["state"], one["try_number"])
        for one in run.tasks()
    }
    figures["green"] = state == "success"
    if state != "success":
        failed = [name for name, (end, _) in states.items() if end == "failed"]
        pytest.fail(
            "\n".join([str(states), *(_end_of_log(run, one) for one in failed)])
        )

    assert {name.split("[")[0] for name in states} == set(STAGE_NAMES)
    assert {"scrape[0]", "scrape[1]"} <= set(states)
    cluster.wait_until_gone(run.id)

    with psycopg.connect(migrated) as connection:
        (reviews,) = connection.execute(
            "SELECT count(*) FROM kindling.review WHERE run_id = %s", (run.id,)
        ).fetchone() or (0,)
    assert reviews > 100
    count = httpx.get(f"http://{addresses['elasticsearch']}/_count", trust_env=False)
    assert count.json()["count"] > 100


def _end_of_log(run: Run, name: str) -> str:
    """The last lines of `task[map index]`."""
    task, index = name.rstrip("]").split("[")
    attempt = run.task(task, int(index))["try_number"]
    return "\n".join(run.log(task, attempt, int(index))[-40:])
