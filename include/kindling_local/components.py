"""The services of an installation: their commands and what makes each of them healthy."""

import functools
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime

import httpx

from kindling_local.layout import HOST, Layout, port_name
from kindling_local.services import Service

#: Service -> its key in Airflow's health answer, where it reports by heartbeat.
HEARTBEATS = {
    "scheduler": "scheduler",
    "triggerer": "triggerer",
    "dag-processor": "dag_processor",
}
AIRFLOW = ("api-server", *HEARTBEATS)
WATCHER = "watcher"

Clock = Callable[[], float]


def airflow_services(
    layout: Layout, environment: Mapping[str, str], started: float
) -> list[Service]:
    """Airflow's four; a component is healthy when its heartbeat is younger than `started` (Unix time)."""
    # Log servers would take two more ports; logs are files of this very machine.
    options = {"scheduler": ("--skip-serve-logs",), "triggerer": ("--skip-serve-logs",)}
    health = f"{layout.url('airflow')}/api/v2/monitor/health"
    return [
        Service(
            name=name,
            argv=(sys.executable, "-m", "airflow", name, *options.get(name, ())),
            environment=environment,
            log=layout.log(name),
            url=layout.url("airflow") if name == "api-server" else "",
            health=_heartbeat(health, HEARTBEATS[name], started)
            if name in HEARTBEATS
            else _answers(health),
            timeout_s=layout.start_s,
        )
        for name in AIRFLOW
    ]


def shop_service(
    layout: Layout, environment: Mapping[str, str], catalogue: str
) -> Service:
    """The bundled shop, over a catalogue that has been made; as of KINDLING_SHOP_DATE, if that is set."""
    day = environment.get("KINDLING_SHOP_DATE")
    argv = (
        sys.executable,
        str(layout.root / "containers" / "shop"),
        "serve",
        "--catalogue",
        str(layout.catalogue(catalogue)),
        "--host",
        HOST,
        "--port",
        str(layout.ports["shop"]),
        *(("--date", day) if day else ()),
    )
    return Service(
        "shop",
        argv,
        environment,
        layout.log("shop"),
        layout.url("shop"),
        _answers(f"{layout.url('shop')}/healthz"),
        layout.start_s,
    )


def inference_service(layout: Layout, environment: Mapping[str, str]) -> Service:
    """The champion behind POST /analyze."""
    argv = (
        sys.executable,
        "-m",
        "kindling",
        "serve",
        "--host",
        HOST,
        "--port",
        str(layout.ports["inference"]),
    )
    return Service(
        "inference",
        argv,
        environment,
        layout.log("inference"),
        layout.url("inference"),
        _answers(f"{layout.url('inference')}/health"),
        layout.start_s,
    )


def mlflow_service(layout: Layout, environment: Mapping[str, str]) -> Service:
    """MLflow's UI over the database that the stages write to."""
    argv = (
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        environment["KINDLING_MLFLOW_URL"],
        "--default-artifact-root",
        f"{environment['KINDLING_OBJECTS_URL']}/mlflow",
        "--no-serve-artifacts",
        "--workers",
        "1",
        "--host",
        HOST,
        "--port",
        str(layout.ports["mlflow"]),
    )
    return Service(
        "mlflow",
        argv,
        environment,
        layout.log("mlflow"),
        layout.url("mlflow"),
        _answers(f"{layout.url('mlflow')}/health"),
        layout.start_s,
    )


def watcher_service(layout: Layout, with_parent: bool) -> Service:
    """The process that starts again what has died; see `watching`."""
    argv = (sys.executable, "-m", "kindling_local", "watch")
    environment = {
        # The caller's, from which the environment of everything else is made.
        **os.environ,
        "PYTHONPATH": str(layout.root / "include"),
        "KINDLING_VAR": str(layout.var),
        **{port_name(name): str(port) for name, port in layout.ports.items()},
    }
    return Service(
        WATCHER,
        (*argv, *(("--with-parent",) if with_parent else ())),
        environment,
        layout.log(WATCHER),
        "",
        lambda: "",
    )


def health_of(layout: Layout, name: str) -> Callable[[], str]:
    """The check of a service that was started by an earlier command."""
    if name == WATCHER:
        return lambda: ""
    if name in HEARTBEATS:
        return _heartbeat(
            f"{layout.url('airflow')}/api/v2/monitor/health", HEARTBEATS[name], 0.0
        )
    path = {
        "api-server": ("airflow", "/api/v2/monitor/health"),
        "shop": ("shop", "/healthz"),
    }
    port, address = path.get(name, (name, "/health"))
    return _answers(layout.url(port) + address)


@functools.cache
def _http() -> httpx.Client:
    # A proxy of the caller's environment knows nothing of our loopback.
    return httpx.Client(timeout=5, trust_env=False)


def _answers(url: str) -> Callable[[], str]:
    def check() -> str:
        try:
            status = _http().get(url).status_code
        except httpx.TransportError as error:
            return f"no answer from {url}: {type(error).__name__}"
        return "" if status == 200 else f"{url} answers {status}"

    return check


def _heartbeat(url: str, component: str, started: float) -> Callable[[], str]:
    def check() -> str:
        try:
            found = _http().get(url).json()[component]
        except (httpx.TransportError, ValueError) as error:
            return f"no answer from {url}: {type(error).__name__}"
        beat = found.get(f"latest_{component}_heartbeat")
        # Airflow goes on calling a component healthy for half a minute after it has died.
        if (
            found["status"] != "healthy"
            or not beat
            or datetime.fromisoformat(beat).timestamp() < started
        ):
            return f"no fresh heartbeat of {component}"
        return ""

    return check
