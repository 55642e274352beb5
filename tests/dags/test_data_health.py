"""The page "Data health": who may see it, what it shows, and where it does not reach."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.revoked_token import RevokedToken
from airflow.utils.session import create_session
from fastapi import FastAPI
from fastapi.testclient import TestClient

from kindling_airflow.data_health import data_health_app

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
    "figures": {"polarity_macro_f1": ESTIMATE, "note": "x" * 1000},
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
    with create_session() as session:  # Airflow looks up whether the token was revoked.
        RevokedToken.__table__.create(session.connection(), checkfirst=True)
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


def test_one_run_and_its_report(client: TestClient, stored: None) -> None:
    page = client.get(f"/kindling/runs/{RUN}").text
    assert "just-begun" not in page
    link = page.split('href="')[1].split('"')[0]
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
