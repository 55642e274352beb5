"""What dies after `make up` is started again; what a command stops is not."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from kindling_local import watching
from kindling_local.layout import Layout
from kindling_local.services import Service
from kindling_local.startup import Installation
from kindling_local.state import alone, load, process, save
from kindling_local.stopping import stop_services
from kindling_local.watching import MOST_RESTARTS, REST_S, Watcher

from .conftest import DUMMY, lines, wait_until

Launch = Callable[..., psutil.Process]


@pytest.fixture
def watcher(
    layout: Layout, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Watcher, list[str]]:
    """A watcher over dummy services; PostgreSQL counts as there."""

    def service(installation: object, name: str) -> Service:
        argv = (sys.executable, "-S", "-c", DUMMY, str(journal), name, "plain")
        return Service(name, argv, {"DUMMY": DUMMY}, layout.log(name), "", lambda: "")

    class Bare(Installation):
        def __post_init__(self) -> None:
            self.state = load(self.layout.state)

    said: list[str] = []
    monkeypatch.setattr(watching, "service_named", service)
    monkeypatch.setattr(watching, "Installation", Bare)
    monkeypatch.setattr(
        watching, "postgres", SimpleNamespace(find=lambda folder: object())
    )
    return Watcher(layout, said.append, with_parent=False), said


def kill(target: psutil.Process) -> None:
    target.kill()
    target.wait(5)


def test_a_dead_service_is_started_again_and_noted(
    watcher: tuple[Watcher, list[str]], layout: Layout, launch: Launch, journal: Path
) -> None:
    one, said = watcher
    first = launch("api-server", "plain")
    neighbour = launch("shop", "plain")
    assert one.look() == []
    kill(first)
    assert one.look() == ["api-server"]
    wait_until(lambda: lines(journal).count("up api-server") == 2)
    services = load(layout.state).services
    second = process(services["api-server"])
    assert second is not None and second.pid != first.pid
    assert process(services["shop"]) == neighbour
    assert said == ["api-server had died and is started again"]
    assert one.look() == []
    kill(second)


def test_what_a_command_stops_stays_stopped(
    watcher: tuple[Watcher, list[str]], layout: Layout, launch: Launch
) -> None:
    one, _ = watcher
    launch("shop", "plain")
    stop_services(layout, load(layout.state), ("shop",), 5, lambda line: None)
    assert one.look() == []


def test_a_service_that_a_command_is_replacing_is_left_to_it(
    watcher: tuple[Watcher, list[str]],
    layout: Layout,
    launch: Launch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # It dies, the watcher sees it, and before it may act a command has taken it out of the list.
    one, _ = watcher
    kill(launch("shop", "plain"))
    real = watching.service_named

    def meanwhile(installation: Installation, name: str) -> Service:
        with alone(layout.state):
            state = load(layout.state)
            state.services.pop("shop")
            save(layout.state, state)
        return real(installation, name)

    monkeypatch.setattr(watching, "service_named", meanwhile)
    assert one.look() == []
    assert load(layout.state).services == {}


def test_a_command_keeps_what_the_watcher_started(
    watcher: tuple[Watcher, list[str]], layout: Layout, launch: Launch
) -> None:
    # A command holds a state that it read before: stopping by it must reach the new process.
    one, _ = watcher
    kill(launch("shop", "plain"))
    stale = load(layout.state)
    assert one.look() == ["shop"]
    revived = process(load(layout.state).services["shop"])
    assert revived is not None
    assert stop_services(layout, stale, ("shop",), 5, lambda line: None) == ["shop"]
    assert not revived.is_running() or revived.status() == psutil.STATUS_ZOMBIE


def test_a_service_that_dies_again_and_again_is_started_after_a_rest(
    watcher: tuple[Watcher, list[str]],
    layout: Layout,
    launch: Launch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, said = watcher
    kill(launch("shop", "plain"))
    for _ in range(MOST_RESTARTS):
        assert one.look() == ["shop"]
        found = process(load(layout.state).services["shop"])
        assert found is not None
        kill(found)
    assert one.look() == []
    assert str(layout.log("shop")) in said[-1]
    later = time.monotonic() + REST_S
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: later))
    assert one.look() == ["shop"]


def test_restarts_long_apart_do_not_add_up(
    watcher: tuple[Watcher, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, said = watcher
    clock = iter(range(0, 10_000_000, int(watching.WITHIN_S)))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    for _ in range(20):
        one._note("shop")
    assert said == []
