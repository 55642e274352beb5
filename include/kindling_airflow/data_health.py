"""The page "Data health" in Airflow's UI: what each stage of the last runs made, and each report.

Imported by the api-server alone; it reads the product's database and object store, and writes nothing.
"""

import json
import os
import re
from functools import cache
from importlib import resources
from typing import Annotated, Any
from urllib.parse import quote

import fsspec
import psycopg
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI, HTTPException, Path, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, Template
from psycopg.rows import dict_row

RUNS_SHOWN = 10

#: What Airflow allows in a run id (`[scheduler] allowed_run_id_pattern`), but no dot at its start: no `..`.
RUN_ID = r"^[A-Za-z0-9_~:+-][A-Za-z0-9_.~:+-]*$"
RunId = Annotated[str, Path(pattern=RUN_ID, max_length=250)]

_QUERY = """
SELECT run.run_id, run.recipe, run.started_at, stage_commit.stage, stage_commit.report
FROM (SELECT * FROM kindling.run WHERE %(run_id)s::text IS NULL OR run_id = %(run_id)s
      ORDER BY started_at DESC LIMIT %(limit)s) AS run
LEFT JOIN kindling.stage_commit USING (run_id)
ORDER BY run.started_at DESC, stage_commit.committed_at
"""

_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
# The report is made of scraped text: a sandbox keeps whatever stands in it away from Airflow's session.
_REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
    " img-src data:"
)


def data_health_app() -> FastAPI:
    """The sub-application; every route asks for a signed-in user, by token or by the UI's cookie."""
    app = FastAPI(
        # Airflow guards its own API, not what a plugin mounts; the schema pages would stay open to all.
        dependencies=[Depends(requires_access_view(AccessView.WEBSITE))],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.get("/")(show_runs)
    app.get("/runs/{run_id}")(show_run)
    app.get("/runs/{run_id}/report.html")(show_report)
    return app


def show_runs(request: Request) -> HTMLResponse:
    """The last runs, newest first."""
    return _page(request, _runs(None))


def show_run(request: Request, run_id: RunId) -> HTMLResponse:
    """One run."""
    if not (runs := _runs(run_id)):
        raise HTTPException(404, f"no stage of run {run_id} has started")
    return _page(request, runs)


def show_report(run_id: RunId) -> HTMLResponse:
    """The run's evaluation report from the object store."""
    root = _setting("KINDLING_OBJECTS_URL").rstrip("/")
    # filesystem(), not open(): the latter reads `::` as a chain of file systems.
    objects = fsspec.filesystem(root.split("://", 1)[0])
    try:
        content = objects.cat_file(f"{root}/runs/{run_id}/report.html")
    except FileNotFoundError:
        raise HTTPException(
            404, f"run {run_id} has no report: evaluate has not committed"
        ) from None
    return HTMLResponse(content, headers={"Content-Security-Policy": _REPORT_POLICY})


def _page(request: Request, runs: list[dict[str, Any]]) -> HTMLResponse:
    content = _template().render(runs=runs, base=request.scope.get("root_path", ""))
    return HTMLResponse(content, headers={"Content-Security-Policy": _PAGE_POLICY})


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["figure"] = _figure
    file = resources.files("kindling_airflow") / "data_health.html"
    return environment.from_string(file.read_text(encoding="utf-8"))


def _runs(run_id: str | None) -> list[dict[str, Any]]:
    url = _setting("KINDLING_DATABASE_URL")
    try:
        with psycopg.connect(
            url, connect_timeout=5, row_factory=dict_row
        ) as connection:
            rows = connection.execute(
                _QUERY, {"run_id": run_id, "limit": RUNS_SHOWN}
            ).fetchall()
    except psycopg.OperationalError as error:
        raise HTTPException(
            503, f"the product's database does not answer: {error}"
        ) from error
    except psycopg.errors.UndefinedTable:
        reason = (
            "the product's database has no tables yet: run `python -m kindling migrate`"
        )
        raise HTTPException(503, reason) from None
    runs: dict[str, dict[str, Any]] = {}
    for row in rows:
        run = runs.setdefault(
            row["run_id"],
            {
                "run_id": row["run_id"],
                "quoted": quote(row["run_id"], safe=""),
                "recipe": row["recipe"],
                "started_at": row["started_at"],
                "reports": [],
                "has_report": False,
            },
        )
        if row["stage"]:
            run["reports"].append(row["report"])
            run["has_report"] |= row["stage"] == "evaluate"
    return list(runs.values())


def _setting(name: str) -> str:
    if value := os.environ.get(name):
        return value
    raise HTTPException(503, f"{name} is not set in the api-server's environment")


def _figure(value: Any) -> str:
    """A figure as it may be printed: an estimate with its interval, n and data hash."""
    if (
        isinstance(value, dict)
        and {"value", "n", "low", "high", "data_sha256"} <= value.keys()
    ):
        return (
            "{value:.3f} [{low:.3f}, {high:.3f}] (n={n}, data {data_sha256:.8})".format(
                **value
            )
        )
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return re.sub(r"(?s)(.{300}).+", r"\1…", text)
