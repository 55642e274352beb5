"""The page "Data health": who may see it, what it shows, and where it does not reach."""

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import delete, insert

from kindling_airflow.data_health import data_health_app
from kindling_airflow.nights import Night

RUN = "manual__2026-11-21T02:00:00+00:00"
ESTIMATE = {
    "value": 0.9,
    "n": 40,
    "low": 0.8123,
    "high": 0.95,
    "data_sha256": "abcdef0123456789",
}
REPORT = {
    "stage": "evaluate",
    "run_id": RUN,
    "rows_in": 41,
    "rows_out": 40,
    "rejected": {"<script>alert(1)</script>": 1},
    "figures": {
        "accuracy": ESTIMATE,
        "candidate": {"polarity_macro_f1": ESTIMATE},
        "note": "x" * 1000,
    },
    "implementation": {"model": "compact"},
    "elapsed_s": 1.5,
}


@pytest.fixture
def anonymous() -> TestClient:
    """Mounted as Airflow mounts it."""
    app = FastAPI()
    app.mount("/kindling", data_health_app())
    return TestClient(app)


@pytest.fixture
def client(anonymous: TestClient) -> Iterator[TestClient]:
    """Signed in with the least of roles, by the cookie that the UI has."""
    import_all_models()
    with create_session() as session:  # Runs, and whether the token was revoked.
        Base.metadata.create_all(session.connection())
        session.execute(delete(TaskInstance))
        session.execute(delete(DagRun))
    token = create_auth_manager().generate_jwt(
        SimpleAuthManagerUser(username="v", role="viewer")
    )
    anonymous.cookies.set("_token", token)
    yield anonymous


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object store with one report, and two files that are none."""
    root = tmp_path / "objects"
    report = root / "runs" / RUN / "report.html"
    report.parent.mkdir(parents=True)
    report.write_text("<h1>evaluation</h1>")
    for folder in (tmp_path, root):
        (folder / "report.html").write_text("outside")
    monkeypatch.setenv("KINDLING_OBJECTS_URL", root.as_uri())


@pytest.fixture
def stored(database_url: str, objects: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was evaluated, and one that has just begun."""
    with psycopg.connect(database_url, options="-c search_path=kindling") as connection:
        for run_id in (RUN, "just-begun"):
            connection.execute("INSERT INTO run VALUES (%s, 'smoke', '{}')", [run_id])
        connection.execute(
            "INSERT INTO stage_commit (run_id, stage, report) VALUES (%s, 'evaluate', %s)",
            [RUN, json.dumps(REPORT)],
        )
    monkeypatch.setenv("KINDLING_DATABASE_URL", database_url)


@pytest.mark.parametrize("path", ["/", f"/runs/{RUN}", f"/runs/{RUN}/report.html"])
def test_nobody_unknown_sees_anything(
    anonymous: TestClient, objects: None, path: str
) -> None:
    assert anonymous.get(f"/kindling{path}").status_code == 401


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_no_unguarded_page_comes_with_the_framework(
    anonymous: TestClient, path: str
) -> None:
    assert anonymous.get(f"/kindling{path}").status_code == 404


def test_shows_reports_with_intervals_and_escapes_them(
    client: TestClient, stored: None
) -> None:
    page = client.get("/kindling/")
    assert page.status_code == 200
    assert "0.900 [0.812, 0.950] (n=40, data abcdef01)" in page.text
    assert "&lt;script&gt;" in page.text and "<script" not in page.text
    assert "x" * 301 not in page.text
    assert (
        RUN in page.text
        and "just-begun" in page.text
        and "No stage has committed yet" in page.text
    )
    assert "script-src" not in page.headers["content-security-policy"]


def test_a_nights_figure_is_of_rows_that_no_gate_has_read_where_there_are_some() -> (
    None
):
    """As evaluate writes them: by rows, then by metric."""
    sealed = {**ESTIMATE, "value": 0.8}
    found = {"candidate": {"polarity_macro_f1": ESTIMATE}, "sealed": {}}
    night = Night("r", datetime.now(UTC), reports={"evaluate": {"figures": found}})
    assert night.figure == ESTIMATE
    found["sealed"] = {"polarity_macro_f1": sealed}
    assert night.figure == sealed
    assert Night("r", datetime.now(UTC)).figure is None


def test_one_run_and_its_report(client: TestClient, stored: None) -> None:
    page = client.get(f"/kindling/runs/{RUN}").text
    assert "just-begun" not in page
    (link,) = re.findall(r'href="([^"]+/report\.html)"', page)
    report = client.get(link)
    assert report.text == "<h1>evaluation</h1>"
    assert report.headers["content-security-policy"].startswith("sandbox")
    assert client.get("/kindling/runs/no-such-run").status_code == 404


@pytest.mark.parametrize(
    "run_id",
    [
        "..",
        "%2e%2e",
        "../..",
        "..%2f..",
        "%2fetc",
        ".hidden",
        "a/b",
        "a%00",
        "no-such-run",
    ],
)
def test_reaches_no_other_file(client: TestClient, objects: None, run_id: str) -> None:
    answer = client.get(f"/kindling/runs/{run_id}/report.html")
    assert answer.status_code in {404, 422} and "outside" not in answer.text


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "KINDLING_DATABASE_URL is not set"),
        ({"KINDLING_DATABASE_URL": "postgresql://127.0.0.1:1/none"}, "does not answer"),
    ],
)
def test_a_missing_database_is_said(
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, Any],
    message: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    answer = client.get("/kindling/")
    assert answer.status_code == 503 and message in answer.text


def test_an_empty_database_is_said(
    client: TestClient,
    postgres_server: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KINDLING_DATABASE_URL", postgres_server)
    answer = client.get("/kindling/")
    assert answer.status_code == 503 and "kindling migrate" in answer.text


def gate(promoted: bool, champion: str | None) -> dict[str, Any]:
    checks = [
        {"name": "floor", "passed": True, "detail": "0.9 is above 0.7"},
        {"name": "beats TF-IDF", "passed": promoted, "detail": "+0.01 [-0.02, 0.04]"},
    ]
    return {
        **REPORT,
        "stage": "promote",
        "figures": {
            "promoted": promoted,
            "candidate_version": "7",
            "champion_version": champion,
            "checks": checks,
        },
    }


Store = Callable[..., None]


@pytest.fixture
def store(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """`store(run_id, *reports, state=…, tasks=…)`: a run as the product and Airflow know it."""
    monkeypatch.setenv("KINDLING_DATABASE_URL", database_url)
    hours = iter(range(1, 1000))

    def one(
        run_id: str,
        *reports: dict[str, Any],
        state: str = "",
        tasks: Mapping[str, str] | None = None,
    ) -> None:
        after = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=next(hours))
        with psycopg.connect(database_url, options="-c search_path=kindling") as rows:
            if reports:
                rows.execute(
                    "INSERT INTO run VALUES (%s, 'smoke', '{}', %s)", [run_id, after]
                )
            for report in reports:
                rows.execute(
                    "INSERT INTO stage_commit (run_id, stage, report) VALUES (%s, %s, %s)",
                    [run_id, report["stage"], json.dumps(report)],
                )
        if not state:
            return
        with create_session() as session:
            session.execute(
                insert(DagRun).values(
                    dag_id="nightly_retraining",
                    run_id=run_id,
                    state=state,
                    run_type="manual",
                    run_after=after,
                )
            )
            for task_id, task_state in (tasks or {}).items():
                session.execute(
                    insert(TaskInstance).values(
                        id=uuid.uuid4(),
                        dag_id="nightly_retraining",
                        task_id=task_id,
                        run_id=run_id,
                        state=task_state,
                        pool="default_pool",
                        map_index=-1,
                    )
                )

    return one


@pytest.mark.parametrize(
    ("reports", "state", "tasks", "answer"),
    [
        ([gate(True, "7")], "success", {}, "Yes: version 7 is the champion"),
        (
            [gate(False, "4")],
            "success",
            {},
            "without a new champion: candidate not let through; version 4 stays",
        ),
        ([gate(False, None)], "success", {}, "there is no champion yet"),
        ([], "failed", {"scrape": "failed"}, "No: failed at scrape"),
        (
            [gate(True, "7")],
            "failed",
            {"promote": "success", "index": "failed"},
            "No: failed at index",
        ),
        ([REPORT], "running", {"train": "running"}, "Not over yet: train is at work"),
        ([REPORT], "running", {"train": "up_for_retry"}, "train is tried again"),
    ],
)
def test_it_answers_whether_the_night_went_well(
    client: TestClient,
    store: Store,
    reports: list[dict[str, Any]],
    state: str,
    tasks: dict[str, str],
    answer: str,
) -> None:
    store("r1", *reports, state=state, tasks=tasks)
    page = client.get("/kindling/").text
    assert answer in page.split("</p>")[0]


def test_a_refused_candidate_says_by_which_check(
    client: TestClient, store: Store
) -> None:
    store("r1", gate(False, "4"), state="success")
    page = client.get("/kindling/").text
    assert "against it: beats TF-IDF" in page and "floor" not in page.split("<h2")[0]


def test_a_gate_that_cannot_tell_is_no_failure_of_the_candidate(
    client: TestClient, store: Store
) -> None:
    report = gate(False, "4")
    report["figures"]["verdict"] = "cannot tell"
    check = {"code": "beats-tfidf", "verdict": "cannot tell"}
    report["figures"]["checks"][1] |= check
    store("r1", report, state="success")
    page = client.get("/kindling/").text
    assert "too little to tell by; version 4 stays" in page
    assert "beats-tfidf (cannot tell)" in page


def test_links_lead_to_the_report_to_mlflow_and_to_the_failed_task(
    client: TestClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KINDLING_MLFLOW_UI", "http://127.0.0.1:5000/")
    store("r+1", REPORT, gate(True, "7"), state="failed", tasks={"index": "failed"})
    page = client.get("/kindling/").text
    assert 'href="/kindling/runs/r%2B1/report.html"' in page
    assert "http://127.0.0.1:5000/#/models/kindling-sentiment/versions/7" in page
    assert 'href="/dags/nightly_retraining/runs/r%2B1/tasks/index"' in page
    # Airflow's frame opens no window, so a link that asks for one does nothing.
    assert "target=" not in page


def test_trends_run_from_the_oldest_night_to_the_newest(
    client: TestClient, store: Store
) -> None:
    for number, kept in enumerate((100, 300, 200)):
        dedupe = {**REPORT, "stage": "dedupe", "rows_out": kept}
        store(f"r{number}", dedupe, REPORT, state="success")
    page = client.get("/kindling/").text
    rows, figures = re.findall(r"<svg.+?</svg>", page)
    assert [int(one) for one in re.findall(r": (\d+)</title>", rows)] == [100, 300, 200]
    assert figures.count("<line") == 3, "each with its interval"
    assert "0.900 [0.812, 0.950]" in figures


def test_the_page_fits_a_phone(client: TestClient, store: Store) -> None:
    store("r1", REPORT, gate(True, "7"), state="success")
    page = client.get("/kindling/").text
    assert 'name="viewport" content="width=device-width' in page
    row = page.split("<tbody>")[1].split("</tr>")[0]
    assert row.count("<td ") == row.count('data-label="') == 7
