"""The page "Data health" in Airflow's UI: did the night go well, and the nights before it?

Imported by the api-server alone; it reads the product's database and object store, and writes nothing.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Annotated, Any

import fsspec
import psycopg
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI, HTTPException, Path, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, Template

from kindling_airflow.nights import DAG, Night, is_estimate, read_nights
from kindling_airflow.trend import Point, chart

NIGHTS_SHOWN = 14

#: What Airflow allows in a run id (`[scheduler] allowed_run_id_pattern`), but no dot at its start: no `..`.
RUN_ID = r"^[A-Za-z0-9_~:+-][A-Za-z0-9_.~:+-]*$"
RunId = Annotated[str, Path(pattern=RUN_ID, max_length=250)]

#: The registered model, as MLflow's page of it is addressed.
MODEL = "kindling-sentiment"

#: Did the night go well?
ANSWERS = {
    "good": "Yes",
    "held": "It ran, without a new champion",
    "running": "Not over yet",
    "failed": "No",
    "unknown": "Not known",
}

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
    """The last nights, newest first."""
    return _page(request, _nights(None), only=False)


def show_run(request: Request, run_id: RunId) -> HTMLResponse:
    """One run."""
    if not (nights := _nights(run_id)):
        raise HTTPException(404, f"no stage of run {run_id} has started")
    return _page(request, nights, only=True)


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


def _page(request: Request, nights: list[Night], only: bool) -> HTMLResponse:
    base = request.scope.get("root_path", "")
    yields, figures = _yields(nights), _figures(nights)
    content = _template().render(
        nights=nights,
        only=only,
        answers=ANSWERS,
        base=base,
        airflow=base.removesuffix("/kindling"),
        dag=DAG,
        mlflow=_mlflow(),
        model=MODEL,
        yield_trend=chart(yields, "reviews kept by night"),
        yield_range=_range(yields, "{:,.0f}"),
        figure_trend=chart(figures, "polarity macro-F1 by night"),
        figure_range=_range(figures, "{:.3f}"),
    )
    return HTMLResponse(content, headers={"Content-Security-Policy": _PAGE_POLICY})


def _yields(nights: list[Night]) -> list[Point]:
    return [
        Point(f"{_moment(night.started_at)}: {kept:,}", float(kept))
        for night in reversed(nights)
        if (kept := night.rows_out("dedupe")) is not None
    ]


def _figures(nights: list[Night]) -> list[Point]:
    return [
        Point(
            f"{_moment(night.started_at)}: {_short(one)}",
            one["value"],
            one["low"],
            one["high"],
        )
        for night in reversed(nights)
        if (one := night.figure) is not None
    ]


def _mlflow() -> str:
    """Address of MLflow's pages: named, or its tracking server's own."""
    tracking = os.environ.get("KINDLING_MLFLOW_URL", "")
    own = tracking if tracking.startswith(("http://", "https://")) else ""
    return (os.environ.get("KINDLING_MLFLOW_UI") or own).rstrip("/")


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "figure": _figure,
        "short": _short,
        "moment": _moment,
        "day": _day,
        "count": _count,
    }
    file = resources.files("kindling_airflow") / "data_health.html"
    return environment.from_string(file.read_text(encoding="utf-8"))


def _nights(run_id: str | None) -> list[Night]:
    url = _setting("KINDLING_DATABASE_URL")
    try:
        return read_nights(url, run_id, NIGHTS_SHOWN)
    except psycopg.OperationalError as error:
        raise HTTPException(
            503, f"the product's database does not answer: {error}"
        ) from error
    except psycopg.errors.UndefinedTable:
        reason = (
            "the product's database has no tables yet: run `python -m kindling migrate`"
        )
        raise HTTPException(503, reason) from None


def _setting(name: str) -> str:
    if value := os.environ.get(name):
        return value
    raise HTTPException(503, f"{name} is not set in the api-server's environment")


def _figure(value: Any) -> str:
    """A figure as it may be printed: an estimate with its interval, n and data hash."""
    if is_estimate(value):
        return f"{_short(value)} (n={value['n']}, data {value['data_sha256']:.8})"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return re.sub(r"(?s)(.{300}).+", r"\1…", text)


def _short(estimate: Mapping[str, Any]) -> str:
    # Where there is no interval there is no figure: the reason stands in its place.
    if estimate.get("refused"):
        return str(estimate["refused"])
    return "{value:.3f} [{low:.3f}, {high:.3f}]".format(**estimate)


def _moment(value: datetime) -> str:
    return f"{value:%a %d %b %Y, %H:%M %Z}".strip()


def _day(value: datetime) -> str:
    return f"{value:%a %d %b, %H:%M}"


def _range(points: Sequence[Point], form: str) -> str:
    """What a chart spans; it has no axis."""
    if not points:
        return ""
    values = [point.value for point in points]
    return f"{form.format(min(values))} to {form.format(max(values))}"


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
