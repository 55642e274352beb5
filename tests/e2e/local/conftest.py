"""The supervisor as `make` calls it, on a `var` and ports of the test's own."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from kindling_local.layout import PORTS, Layout, port_name

Command = Callable[..., subprocess.Popen[str]]


def free_ports(count: int) -> list[int]:
    """As many free ports, all different: held open together, then let go."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture
def layout(tmp_path: Path, repository: Path) -> Layout:
    return Layout(
        repository,
        tmp_path / "var",
        dict(zip(PORTS, free_ports(len(PORTS)), strict=True)),
    )


@pytest.fixture
def supervisor(layout: Layout, repository: Path) -> Iterator[Command]:
    """`supervisor("up", "--recipe", "smoke")` starts the command; in the end everything is taken down."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(repository / "include"),
        "KINDLING_VAR": str(layout.var),
        **{port_name(service): str(port) for service, port in layout.ports.items()},
    }

    def command(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "kindling_local", *arguments],
            env=environment,
            text=True,
            cwd=repository,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    yield command
    with command("down") as last:
        output, _ = last.communicate(timeout=120)
    assert last.returncode == 0, output
    assert not processes_of(layout), "left behind"


def processes_of(layout: Layout) -> list[str]:
    """Everything that stands in, or names, this `var`; found without the supervisor's own means."""
    found = []
    for one in psutil.process_iter(["pid", "cwd", "cmdline", "status"]):
        place = one.info["cwd"] or ""
        named = any(
            str(layout.var) in argument for argument in one.info["cmdline"] or []
        )
        if one.info["status"] != psutil.STATUS_ZOMBIE and (
            place.startswith(str(layout.var)) or named
        ):
            found.append(f"{one.info['pid']} {one.info['cmdline']}")
    return found


def ended(process: subprocess.Popen[str], timeout_s: float = 180) -> tuple[int, str]:
    """Exit code and output."""
    output, _ = process.communicate(timeout=timeout_s)
    return process.returncode, output
