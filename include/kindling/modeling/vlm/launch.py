"""Starts the ranks of a training by torchrun, on one machine or as one of many, and keeps their state safe."""

import json
import logging
import subprocess
import sys
import time
from pathlib import Path

from kindling import errors
from kindling.errors import KindlingError
from kindling.modeling.device import devices
from kindling.modeling.vlm.job import ERROR, STATE
from kindling.ports.nodes import Nodes
from kindling.ports.objects import ObjectStore

POLL_SECONDS = 0.1
STOP_SECONDS = 20

log = logging.getLogger(__name__)


def ranks_here(asked: int) -> int:
    """Processes of this machine: as many as asked for, else one a GPU, else one."""
    return asked or max(1, devices())


def run(
    folder: Path, ranks: int, nodes: Nodes, objects: ObjectStore, name: str
) -> None:
    """Train until the ranks end; each state they leave goes to the object store as `name`.

    What a rank raised is raised here; a rank that died otherwise is a KindlingError.
    """
    state, seen = folder / STATE, 0
    process = subprocess.Popen(
        command(folder, ranks, nodes), stdin=subprocess.DEVNULL, stdout=sys.stderr
    )
    try:
        while process.poll() is None:
            time.sleep(POLL_SECONDS)
            seen = _keep(state, seen, nodes, objects, name)
    finally:
        _stop(process)
    _keep(state, seen, nodes, objects, name)
    if process.returncode:
        raise _failure(folder, process.returncode)


def command(folder: Path, ranks: int, nodes: Nodes) -> list[str]:
    """Arguments of torchrun: a port of its own on one machine, the first machine's address on many."""
    where = (
        ["--standalone"]
        if nodes.count == 1
        else [
            f"--node-rank={nodes.rank}",
            f"--master-addr={nodes.address}",
            f"--master-port={nodes.port}",
        ]
    )
    return [
        sys.executable,
        *("-m", "torch.distributed.run"),
        f"--nnodes={nodes.count}",
        f"--nproc-per-node={ranks}",
        *where,
        *("-m", "kindling.modeling.vlm.rank", str(folder)),
    ]


def _keep(state: Path, seen: int, nodes: Nodes, objects: ObjectStore, name: str) -> int:
    """Put a new state into the object store; when it was written, in nanoseconds."""
    if nodes.rank or not state.is_file():
        return seen
    written = state.stat().st_mtime_ns
    if written != seen:
        objects.put_named(name, state.read_bytes())
    return written


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _failure(folder: Path, code: int) -> KindlingError:
    path = folder / ERROR
    if path.is_file():
        told = json.loads(path.read_text("utf-8"))
        kind = getattr(errors, told["kind"], KindlingError)
        found: KindlingError = kind(told["message"])
        return found
    return KindlingError(
        f"training: its ranks ended with exit code {code}; the first rank's traceback is above"
    )
