"""The port `Nights` against a real Airflow: its API server over SQLite, and the DAG as it is shipped."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kindling.catalog import STAGE_NAMES
from kindling.errors import DataError, KindlingError, TransientError
from kindling.stores.nights_airflow import DAG, AirflowNights

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "a password of the test's"  # noqa: S105
START_S = 240.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "KINDLING_"))
    }
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({"admin": PASSWORD}))
    core = {
        "DAGS_FOLDER": str(ROOT / "dags"),
        "PLUGINS_FOLDER": str(ROOT / "plugins"),
        "LOAD_EXAMPLES": "False",
        "SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
    }
    return {
        **kept,
        **{f"AIRFLOW__CORE__{name}": value for name, value in core.items()},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONPATH": str(ROOT / "include"),
    }


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an API server that knows the DAG; no scheduler, so runs stay as they are told."""
    home = tmp_path_factory.getbasetemp() / "airflow"
    home.mkdir()
    run_as = environment(home)
    command = [sys.executable, "-m", "airflow"]
    for words in (["db", "migrate"], ["dags", "reserialize"]):
        subprocess.run(
            [*command, *words], env=run_as, check=True, capture_output=True, cwd=home
        )
    port = free_port()
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(
            [*command, "api-server", "--port", str(port), "--workers", "1"],
            env=run_as,
            stdout=log,
            stderr=log,
            cwd=home,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        until_it_answers(url, home / "server.log")
        yield url
    finally:
        server.terminate()
        server.wait(30)


def until_it_answers(url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/api/v2/version").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-2000:])


def lasted_ten_minutes(home: Path, run_id: str) -> None:
    """Without a scheduler no run has a beginning: this one is given one and an end."""
    at = "2026-01-01 00:{:02}:00.000000"
    with sqlite3.connect(home / "airflow.db") as database:
        database.execute(
            "UPDATE dag_run SET start_date = ?, end_date = ? WHERE run_id = ?",
            (at.format(0), at.format(10), run_id),
        )


@pytest.fixture(scope="module")
def nights(airflow: str) -> AirflowNights:
    return AirflowNights(airflow, "admin", PASSWORD)


def succeed(nights: AirflowNights, run_id: str) -> None:
    nights._call("PATCH", f"/api/v2/dags/{DAG}/dagRuns/{run_id}", {"state": "success"})


def test_a_run_is_begun_once_and_ended(nights: AirflowNights) -> None:
    night = nights.start("api__one", {"recipe": "smoke"})
    assert (night.run_id, night.state, night.done) == ("api__one", "queued", 0)
    assert night.stages == len(STAGE_NAMES)
    assert nights.start("api__one", {"recipe": "smoke"}) == night
    ended = nights.cancel("api__one")
    assert (ended.state, ended.left_s) == ("failed", 0.0)


def test_its_end_is_foretold_from_runs_that_succeeded(
    nights: AirflowNights, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert nights.start("api__two", {}).left_s is None
    succeed(nights, "api__two")
    lasted_ten_minutes(tmp_path_factory.getbasetemp() / "airflow", "api__two")
    two = nights.find("api__two")
    assert (two.state, two.elapsed_s, two.left_s) == ("success", 600.0, 0.0)
    assert nights.start("api__three", {}).left_s == 600.0


def test_a_stage_is_done_again_in_the_newest_good_run(nights: AirflowNights) -> None:
    nights.start("api__four", {})
    succeed(nights, "api__four")
    night = nights.again("index")
    assert night.run_id in ("api__two", "api__four")
    assert night.state in ("queued", "running")


def test_what_is_not_there_and_what_is_not_allowed_are_told(
    nights: AirflowNights, airflow: str
) -> None:
    with pytest.raises(DataError, match="no such run"):
        nights.find("nobody")
    with pytest.raises(KindlingError, match="refuses"):
        nights.start("api__five", {"no_parameter_of_the_dag": "x", "target_size": -4})
    with pytest.raises(KindlingError, match="KINDLING_AIRFLOW_USER"):
        AirflowNights(airflow, "admin", "wrong").find("api__one")


def test_a_token_that_has_run_out_is_fetched_anew(nights: AirflowNights) -> None:
    nights._token = "spent"  # noqa: S105
    assert nights.find("api__one").run_id == "api__one"


def test_an_airflow_that_is_away_is_a_passing_error() -> None:
    away = AirflowNights(f"http://127.0.0.1:{free_port()}", "admin", PASSWORD)
    with pytest.raises(TransientError, match="does not answer"):
        away.find("api__one")
