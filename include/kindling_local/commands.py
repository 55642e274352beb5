"""The four commands. Each leaves things as it found them, or says what it left."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
from rich.console import Console

from kindling_local import pipeline, postgres, startup
from kindling_local.airflow_client import DAG
from kindling_local.components import WATCHER
from kindling_local.environment import ADMIN
from kindling_local.errors import SupervisorError
from kindling_local.layout import (
    Layout,
    port_name,
    require_free_ports,
    require_free_space,
)
from kindling_local.lock import holder, holding
from kindling_local.looking import settled
from kindling_local.memory import MemorySampler
from kindling_local.once import Wanted, run_once
from kindling_local.progress import print_at
from kindling_local.startup import Installation, Recipe
from kindling_local.state import load, process
from kindling_local.status import print_status
from kindling_local.stopping import leftovers, stop_all, stop_services
from kindling_local.summary import plain
from kindling_local.watching import Watcher

#: Seconds that `down` gives a run that it ended to tidy up by itself.
HAND_OVER_S = 60.0

Say = Callable[[str], None]


def run(console: Console, layout: Layout, wanted: Wanted) -> int:
    """The whole loop once. Uses an installation that `up` left, or brings one up and takes it down again."""
    started = time.monotonic()
    say = _speaker(console, started)
    wanted = settled(console, layout, wanted)
    data = _data_folder(wanted.data)
    layout.make()
    with holding(layout.lock, "run"), MemorySampler(lambda: _roots(layout)) as memory:
        say(f"reading recipe {wanted.recipe}")
        recipe = startup.resolve_recipe(layout, wanted.recipe)
        startup.require_data(layout, recipe.catalogue, data)
        state = load(layout.state)
        if startup.core_runs(state):
            layout = _as_it_runs(layout, say)
            say("using what `make up` left running")
            installation = Installation(
                layout, say, with_parent=False, recipe=state.recipe
            )
            with _serving(installation, recipe, data):
                return run_once(console, installation, recipe, wanted, memory, started)
        _clean_slate(layout, say, ("airflow", "inference", *_shop_of(recipe)))
        with _taken_down_after(layout, say):
            installation = Installation(
                layout, say, with_parent=True, recipe=recipe.name
            )
            startup.bring_up(installation, recipe, data, "run")
            with installation.client() as client:
                pipeline.clear_abandoned_runs(client, say)
            return run_once(console, installation, recipe, wanted, memory, started)


def up(console: Console, layout: Layout, wanted: Wanted) -> int:
    """Everything up and left running; what already runs is kept."""
    say = _speaker(console, time.monotonic())
    wanted = settled(console, layout, wanted)
    data = _data_folder(wanted.data)
    layout.make()
    with holding(layout.lock, "up"):
        say(f"reading recipe {wanted.recipe}")
        recipe = startup.resolve_recipe(layout, wanted.recipe)
        startup.require_data(layout, recipe.catalogue, data)
        state = load(layout.state)
        if startup.core_runs(state):
            layout = _as_it_runs(layout, say)
            if state.recipe != recipe.name:
                raise SupervisorError(
                    f"up already with recipe {state.recipe}; `make down` first, "
                    f"or `make up RECIPE={state.recipe}`"
                )
            say("up already")
            installation = Installation(
                layout, say, with_parent=False, recipe=recipe.name
            )
            _complete(installation)
        else:
            _clean_slate(
                layout, say, ("airflow", "inference", "mlflow", *_shop_of(recipe))
            )
            with _taken_down_after(layout, say, only_on_failure=True):
                installation = Installation(
                    layout, say, with_parent=False, recipe=recipe.name
                )
                startup.bring_up(installation, recipe, data, "up")
                _complete(installation)
        _print_addresses(console, installation)
    return 0


def look(console: Console, layout: Layout, wanted: Wanted) -> int:
    """What data or a shop holds, and the recipe for it; nothing is started."""
    if not wanted.data and not wanted.shop:
        raise SupervisorError(
            "nothing to look at: make look DATA=reviews.csv, or SHOP=https://…",
            exit_code=2,
        )
    recipe = settled(console, layout, replace(wanted, recipe="")).recipe
    plain(console, f"edit it, then: make run RECIPE={recipe}")
    return 0


def down(console: Console, layout: Layout) -> int:
    """Stop everything of this installation, whoever started it and however that ended."""
    say = _speaker(console, time.monotonic())
    if (pid := holder(layout.lock)) is not None:
        say(f"telling the command of pid {pid} to end")
        _end_command(pid)
    layout.make()
    with holding(layout.lock, "down"), _deaf():
        if not stop_all(layout, say):
            plain(console, "nothing runs")
        if left := [
            *leftovers(layout),
            *filter(None, [postgres.find(layout.postgres)]),
        ]:
            raise SupervisorError(
                f"still running: {', '.join(f'{one.pid} ({one.name()})' for one in left)}"
            )
    return 0


def status(console: Console, layout: Layout) -> int:
    """A table of what runs."""
    return print_status(console, _as_it_runs(layout, lambda line: None))


def watch(console: Console, layout: Layout, with_parent: bool) -> int:
    """Start again what dies, until told to end; `up` and `run` start this beside the services."""
    say = _speaker(console, time.monotonic())
    Watcher(layout, say, with_parent).watch()
    return 0


def _as_it_runs(layout: Layout, say: Say) -> Layout:
    """The layout with the ports that the running installation was started with."""
    ports = load(layout.state).ports
    if not ports or ports == dict(layout.ports):
        return layout
    say(
        "up already, on other ports than asked for; they stay as they are until `make down`"
    )
    return replace(layout, ports=ports)


@contextmanager
def _serving(installation: Installation, recipe: Recipe, data: str) -> Iterator[None]:
    """The shop over this recipe's catalogue for the time being; as it was, afterwards."""
    before = installation.state.catalogue

    def serve(catalogue: str) -> None:
        installation.say(f"the shop serves {catalogue or 'nothing any more'}")
        stop_services(
            installation.layout, installation.state, ("shop",), 10, installation.say
        )
        startup.start_shop(installation, catalogue)

    if not recipe.catalogue:
        yield
        return
    # First, so that the shop goes on as it is when the other catalogue cannot be made.
    startup.make_catalogue(installation, recipe.catalogue, data)
    if recipe.catalogue == before:
        yield
        return
    serve(recipe.catalogue)
    try:
        yield
    finally:
        with _deaf():
            serve(before)


def _shop_of(recipe: Recipe) -> tuple[str, ...]:
    return ("shop",) if recipe.catalogue else ()


def _complete(installation: Installation) -> None:
    """Start what else `up` has, where it does not run yet."""
    services = installation.state.services
    missing = [
        name
        for name in ("inference", "mlflow", WATCHER)
        if name not in services or process(services[name]) is None
    ]
    require_free_ports(
        installation.layout, [name for name in missing if name != WATCHER]
    )
    startup.start_servers(installation, missing)
    if WATCHER in missing:
        startup.start_watcher(installation)


def _clean_slate(layout: Layout, say: Say, services: tuple[str, ...]) -> None:
    """Nothing of an earlier installation left, room on the disk, every port free; or nothing is started."""
    if any(
        process(entry) for entry in load(layout.state).services.values()
    ) or leftovers(layout):
        say("tidying up after an installation that did not end well")
        with _deaf():
            stop_all(layout, say)
    require_free_ports(layout, services)
    require_free_space(layout)


@contextmanager
def _taken_down_after(
    layout: Layout, say: Say, only_on_failure: bool = False
) -> Iterator[None]:
    failed = True
    try:
        yield
        failed = False
    finally:
        if failed or not only_on_failure:
            with _deaf():
                stop_all(layout, say)


@contextmanager
def _deaf() -> Iterator[None]:
    """Stopping half-way would leave orphans: a second Ctrl-C is not heard."""
    before = {
        number: signal.signal(number, signal.SIG_IGN)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_command(pid: int) -> None:
    try:
        other = psutil.Process(pid)
        other.terminate()
        other.wait(HAND_OVER_S)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        other.kill()
        other.wait(5)


def _roots(layout: Layout) -> dict[int, str]:
    """Pid -> name of everything whose memory counts: services, database, and ourselves."""
    roots = {entry.pid: name for name, entry in load(layout.state).services.items()}
    if server := postgres.find(layout.postgres):
        roots[server.pid] = "postgres"
    return {**roots, psutil.Process().pid: "supervisor"}


def _print_addresses(console: Console, installation: Installation) -> None:
    layout, state = installation.layout, installation.state
    password = installation.secrets["admin_password"]
    with installation.client() as client:
        paused = client.is_paused()
    lines = {
        "Airflow": f"{layout.url('airflow')}  user {ADMIN}, password {password} (kept in {layout.secrets})",
        "inference": f"{layout.url('inference')}  POST /analyze, POST /search_similar; docs at /docs",
        "MLflow": layout.url("mlflow"),
        "shop": f"{layout.url('shop')}  catalogue {state.catalogue}"
        if state.catalogue
        else "none: no source of the recipe needs the bundled shop",
        "logs": f"{layout.logs}",
        "stage": f". {layout.environment} sets what a stage run by hand needs",
        "ports": f"to change them: {', '.join(map(port_name, layout.ports))}",
        "nightly": f"{DAG} is paused until it is unpaused in Airflow's UI"
        if paused
        else "02:00 UTC",
        "end": "make down",
    }
    if "inference" not in state.services:
        del lines["inference"]
    for name, line in lines.items():
        plain(console, f"{name:<10} {line}")


def _data_folder(data: str) -> str:
    if not data:
        return ""
    folder = Path(data).expanduser().resolve()
    if not folder.is_dir():
        raise SupervisorError(f"DATA={data}: no such folder", exit_code=2)
    return str(folder)


def _speaker(console: Console, started: float) -> Say:
    def say(line: str) -> None:
        print_at(console, started, line)

    return say
