"""The commands on a real machine: what they refuse, and that nothing outlives them."""

import os
import signal
import socket
import time
from collections.abc import Callable

import pytest

from kindling_local.layout import Layout
from kindling_local.state import load

from .conftest import Command, ended, processes_of


def when(true: Callable[[], bool], timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.1)


@pytest.mark.parametrize("command", ["run", "up"])
def test_taken_port_is_named_with_its_holder_and_nothing_starts(
    command: str, supervisor: Command, layout: Layout
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", layout.ports["shop"]))
        other.listen()
        code, output = ended(supervisor(command, "--recipe", "smoke"))
        assert not processes_of(layout)
    assert code == 1
    expected = f"port {layout.ports['shop']} (shop) is taken by pid {os.getpid()}"
    assert expected in output and "KINDLING_PORT_SHOP=" in output


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("run", "--recipe", "nosuch"), 2, ["nosuch", "smoke", "demo"]),
        (
            ("run", "--data", "/no/such/folder"),
            2,
            ["DATA=/no/such/folder: no such file or folder"],
        ),
        (("run", "--target-size", "many"), 2, ["a whole number"]),
        (("sideways",), 2, ["invalid choice"]),
        (("status",), 3, ["nothing runs"]),
        (("down",), 0, ["nothing runs"]),
    ],
)
def test_bad_input_is_refused_before_anything_starts(
    arguments: tuple[str, ...],
    code: int,
    words: list[str],
    supervisor: Command,
    layout: Layout,
) -> None:
    found, output = ended(supervisor(*arguments))
    assert found == code, output
    assert all(word in output for word in words), output
    assert "Traceback" not in output
    assert not layout.postgres.exists()


def test_broken_recipe_is_named_with_its_key(
    supervisor: Command, layout: Layout
) -> None:
    recipe = layout.var.parent / "mine.yaml"
    recipe.write_text(
        "name: mine\nsummary: x\ncatalogue: bundled-smoke\nscrape: {max_page: 3}\n"
    )
    code, output = ended(supervisor("up", "--recipe", str(recipe)))
    assert code == 2
    assert str(recipe) in output and "scrape.max_page: unknown key; allowed:" in output


@pytest.mark.timeout(900)
def test_killed_up_is_tidied_by_down_and_a_second_command_is_refused(
    supervisor: Command, layout: Layout
) -> None:
    first = supervisor("up", "--recipe", "smoke")
    when(lambda: "api-server" in load(layout.state).services, 240)
    code, output = ended(supervisor("run", "--recipe", "smoke"))
    assert code == 1
    assert f"another run holds {layout.lock}, pid {first.pid} (make up)" in output
    time.sleep(3)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    assert processes_of(layout), "what it started is there still"
    layout.state.unlink()

    code, output = ended(supervisor("down"))
    assert code == 0, output
    assert "postgres stopped" in output and "left-over process" in output
    assert not processes_of(layout)


@pytest.mark.timeout(900)
def test_interrupted_start_leaves_nothing(supervisor: Command, layout: Layout) -> None:
    first = supervisor("run", "--recipe", "smoke")
    when(lambda: "scheduler" in load(layout.state).services, 240)
    first.send_signal(signal.SIGINT)
    time.sleep(0.5)
    first.send_signal(signal.SIGINT)
    code, output = ended(first)
    assert code == 130, output
    assert "scheduler stopped" in output and "interrupted" in output
    assert not processes_of(layout)
    assert ended(supervisor("status"))[0] == 3
