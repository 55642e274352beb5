"""Docker as it is: the lane fails where there is none, since what it tests can be tested no other way."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

#: The client, where the one on the path is not the engine's.
DOCKER = os.environ.get("DOCKER") or shutil.which("docker") or "docker"

Docker = Callable[..., str]


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def docker(root: Path) -> Docker:
    """`docker("compose", "config")`: its output; the test fails with what it said."""

    def run(*arguments: str, env: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            [DOCKER, *arguments],
            cwd=root,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    run("info")
    return run
