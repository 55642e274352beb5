"""Bring an installation up: what must have run first, then the services, several at once where they may."""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import fsspec

from kindling_airflow import settings_file
from kindling_local import environment, postgres
from kindling_local.airflow_client import AirflowClient
from kindling_local.components import (
    AIRFLOW,
    airflow_services,
    inference_service,
    mlflow_service,
    shop_service,
    watcher_service,
)
from kindling_local.errors import SupervisorError
from kindling_local.layout import Layout
from kindling_local.preparation import Job, output_of
from kindling_local.services import Service, start, wait_healthy
from kindling_local.state import State, alone, load, process, save

EXIT_NO_CHAMPION = 3
#: Makes MLflow's tables in an empty database; its own `db upgrade` starts from tables that are there.
_MLFLOW_INIT = "import mlflow, sys; mlflow.MlflowClient(sys.argv[1]).search_experiments(max_results=1)"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """What the supervisor needs of a recipe."""

    #: What a run is given: a name, or the whole path of a file.
    name: str
    #: What the bundled shop serves for it; empty where no source needs that shop.
    catalogue: str
    #: Has to be said beside every figure that involves photos.
    photo_note: str


@dataclass
class Installation:
    """A layout whose database runs, with the environment of everything that is started on it."""

    layout: Layout
    say: Say
    #: True in `run`: services are told to end when the supervisor is gone.
    with_parent: bool
    recipe: str
    state: State = field(default_factory=State)

    def __post_init__(self) -> None:
        self.state = load(self.layout.state)
        self.secrets = environment.read_or_make_secrets(self.layout)
        if postgres.find(self.layout.postgres) is None:
            self.say("starting PostgreSQL")
        postgres.start(self.layout.postgres)
        postgres.make_databases(self.layout.postgres)
        socket_dir = postgres.socket_dir(self.layout.postgres)
        self.product = environment.product_environment(
            self.layout, socket_dir, self.recipe
        )
        environment.write_for_a_shell(self.layout, self.product)
        self.airflow = environment.airflow_environment(
            self.layout, socket_dir, self.secrets, self.product
        )

    def start(self, services: Sequence[Service]) -> None:
        """Start them all, noting each at once."""
        with alone(self.layout.state):
            # What is in the file is newer: the watcher may have started one of them again.
            self.state.services = load(self.layout.state).services
            for service in services:
                self.state.services[service.name] = start(
                    service, self.layout.processes, self.with_parent
                )
                save(self.layout.state, self.state)

    def restart(self, service: Service) -> bool:
        """Start a service again that has died; False when a command has stopped or started it since."""
        with alone(self.layout.state):
            self.state = load(self.layout.state)
            entry = self.state.services.get(service.name)
            if entry is None or process(entry) is not None:
                return False
            self.state.services[service.name] = start(
                service, self.layout.processes, self.with_parent
            )
            save(self.layout.state, self.state)
        return True

    def wait(self, services: Sequence[Service]) -> None:
        """Wait until they are healthy."""
        wait_healthy(
            services,
            self.state.services,
            lambda name, seconds: self.say(f"{name} is healthy ({seconds:.1f} s)"),
            self.say,
        )

    def job(
        self,
        name: str,
        *argv: str,
        airflow: bool = False,
        done: Callable[[], None] = lambda: None,
    ) -> Job:
        """A preparation, run by this very Python, its log beside those of the services."""
        return Job(
            name,
            (sys.executable, *argv),
            self.airflow if airflow else self.product,
            self.layout.processes,
            self.layout.log(name.replace(" ", "-")),
            done,
        )

    def client(self) -> AirflowClient:
        return AirflowClient(
            self.layout.url("airflow"),
            environment.ADMIN,
            self.secrets["admin_password"],
        )

    def champion(self) -> str:
        """Version of the model that serves, champion or provisional; empty where there is none."""
        code, output, said = output_of(
            (sys.executable, "-m", "kindling", "champion"),
            self.product,
            self.layout.processes,
        )
        if code == EXIT_NO_CHAMPION:
            return ""
        if code:
            raise SupervisorError(
                f"python -m kindling champion ended with {code}: {said}"
            )
        return str(json.loads(output)["version"])

    def example(self, run: str) -> tuple[str, bytes | None]:
        """Text of one review of the run, and its photo where it has one."""
        code, output, said = output_of(
            (sys.executable, "-m", "kindling", "example", "--run", run),
            self.product,
            self.layout.processes,
        )
        if code:
            raise SupervisorError(
                f"python -m kindling example ended with {code}: {said}"
            )
        found = json.loads(output)
        if not found["photo"]:
            return found["text"], None
        with fsspec.open(found["photo"], "rb") as file:
            return found["text"], file.read()


def resolve_recipe(layout: Layout, name: str) -> Recipe:
    """The recipe as the product reads it; SupervisorError (exit code 2) when it is unknown or broken."""
    if name.endswith((".yaml", ".yml")):
        name = str(Path(name).resolve())  # Stages stand in folders of their own.
    code, output, said = output_of(
        (sys.executable, "-m", "kindling", "recipe", name),
        {**os.environ, "PYTHONPATH": str(layout.root / "include")},
        layout.root,
    )
    if code:
        raise SupervisorError(
            said or f"python -m kindling recipe {name} ended with {code}",
            exit_code=code,
        )
    content = json.loads(output)
    return Recipe(name, _catalogue_of(content), content["evaluate"]["photo_note"])


def _catalogue_of(recipe: dict[str, Any]) -> str:
    """The one catalogue that the recipe's sources want of the bundled shop; empty without one."""
    wanted = {
        entry["options"]["catalogue"]
        for entry in recipe["sources"]
        if entry["options"].get("catalogue")
    }
    if len(wanted) > 1:
        raise SupervisorError(
            f"sources: the bundled shop serves one catalogue at a time, not {', '.join(sorted(wanted))}",
            exit_code=2,
        )
    # Pods do not reach this machine's loopback: their shop is the one that KINDLING_SHOP_URL names.
    return "" if environment.in_pods() else str(next(iter(wanted), ""))


def bring_up(
    installation: Installation, recipe: Recipe, data: str, command: str
) -> None:
    """Databases, catalogue, shop and Airflow, all healthy, with pools made and the DAG parsed."""
    layout, state = installation.layout, installation.state
    state.command, state.recipe, state.catalogue = (
        "starting",
        recipe.name,
        recipe.catalogue,
    )
    state.ports = dict(layout.ports)
    save(layout.state, state)
    installation.say(f"making tables{' and the shop' if recipe.catalogue else ''}")
    started = time.time()
    airflow = airflow_services(layout, installation.airflow, started)
    shop = _shop(installation, recipe.catalogue)
    with ExitStack() as jobs:
        migration = [
            jobs.enter_context(job) for job in _airflow_migration(installation)
        ]
        catalogue = [
            jobs.enter_context(_catalogue_job(installation, one.catalogue, data))
            for one in ([recipe] if recipe.catalogue else [])
        ]
        others = [
            jobs.enter_context(job)
            for job in (
                installation.job("kindling migrate", "-m", "kindling", "migrate"),
                *_mlflow_migration(installation),
            )
        ]
        _wait_for(installation, migration)
        installation.say("starting Airflow")
        installation.start(airflow)
        _wait_for(installation, catalogue)
        installation.start(shop)
        _wait_for(installation, others)
    installation.wait([*shop, *airflow])
    with installation.client() as client:
        # A task that names a missing pool is never scheduled, in silence.
        settings_file.apply(
            settings_file.load(layout.root / "airflow_settings.yaml"), client.call
        )
        installation.say("waiting for Airflow to parse the DAG")
        client.wait_for_dag(parsed_after=started, timeout_s=layout.start_s)
    # Not before: `core_runs` must not take a start that was killed half-way for an installation.
    state.command = command
    save(layout.state, state)
    start_watcher(installation)


def start_servers(installation: Installation, names: Sequence[str]) -> None:
    """Of `inference` and `mlflow` those named; no inference while there is no model."""
    layout, product = installation.layout, installation.product
    services = [mlflow_service(layout, product)] if "mlflow" in names else []
    installation.start(services)
    if "inference" in names:
        if installation.champion():
            services.append(inference_service(layout, product))
            installation.start(services[-1:])
        else:
            installation.say(
                "no model yet, so no inference: make run trains one; then make up again"
            )
    installation.wait(services)


def start_watcher(installation: Installation) -> None:
    """The process that starts again what dies from here on."""
    installation.start([watcher_service(installation.layout, installation.with_parent)])


def service_named(installation: Installation, name: str) -> Service:
    """The service as it was started, for starting it again; KeyError for one that is not known."""
    layout, product = installation.layout, installation.product
    known = {
        "shop": shop_service(layout, product, installation.state.catalogue),
        "inference": inference_service(layout, product),
        "mlflow": mlflow_service(layout, product),
    }
    for service in airflow_services(layout, installation.airflow, time.time()):
        known[service.name] = service
    return known[name]


def require_data(layout: Layout, catalogue: str, data: str) -> None:
    """SupervisorError when the catalogue cannot be made from `data`: before anything starts."""
    if not catalogue:
        return
    shop = str(layout.root / "containers" / "shop")
    argv = [sys.executable, shop, "check", "--kind", catalogue]
    code, _, said = output_of(
        [*argv, *(("--data", data) if data else ())], os.environ, layout.root
    )
    if code:
        given = f"DATA={data}" if data else "DATA is not given"
        raise SupervisorError(f"{given}: {said}", exit_code=code)


def make_catalogue(installation: Installation, catalogue: str, data: str) -> None:
    """Make a catalogue and wait for it."""
    with _catalogue_job(installation, catalogue, data) as job:
        _wait_for(installation, [job])


def start_shop(installation: Installation, catalogue: str) -> None:
    """Serve a catalogue that has been made; nothing is served for an empty name."""
    installation.state.catalogue = catalogue
    services = _shop(installation, catalogue)
    installation.start(services)
    save(installation.layout.state, installation.state)
    installation.wait(services)


def _shop(installation: Installation, catalogue: str) -> list[Service]:
    if not catalogue:
        return []
    return [shop_service(installation.layout, installation.product, catalogue)]


def _catalogue_job(installation: Installation, catalogue: str, data: str) -> Job:
    argv = [
        str(installation.layout.root / "containers" / "shop"),
        "make",
        "--kind",
        catalogue,
        "--out",
        str(installation.layout.catalogue(catalogue)),
    ]
    return installation.job("catalogue", *argv, *(("--data", data) if data else ()))


def core_runs(state: State) -> bool:
    """Whether Airflow and the shop, where it has one, of an earlier `up` are all still there."""
    return state.command == "up" and all(
        name in state.services and process(state.services[name])
        for name in (*AIRFLOW, *(("shop",) if state.catalogue else ()))
    )


def _airflow_migration(installation: Installation) -> list[Job]:
    return _stamped(
        installation,
        "airflow",
        version("apache-airflow-core"),
        ("-m", "airflow", "db", "migrate"),
    )


def _mlflow_migration(installation: Installation) -> list[Job]:
    url = installation.product["KINDLING_MLFLOW_URL"]
    empty = not postgres.stamp(installation.layout.postgres, "mlflow")
    argv = (
        ("-c", _MLFLOW_INIT, url) if empty else ("-m", "mlflow", "db", "upgrade", url)
    )
    return _stamped(installation, "mlflow", version("mlflow"), argv)


def _stamped(
    installation: Installation, database: str, wanted: str, argv: Sequence[str]
) -> list[Job]:
    folder = installation.layout.postgres
    if postgres.stamp(folder, database) == wanted:
        return []
    return [
        installation.job(
            f"{database} migrate",
            *argv,
            airflow=database == "airflow",
            done=lambda: postgres.set_stamp(folder, database, wanted),
        )
    ]


def _wait_for(installation: Installation, jobs: Sequence[Job]) -> None:
    for job in jobs:
        job.wait(installation.say)
        installation.say(f"{job.name} done")
