"""A made catalogue, and the shop as its own process on a free port."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SHOP = Path(__file__).resolve().parents[3] / "containers" / "shop"


def run_shop(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One command of the shop, run to its end."""
    command = [sys.executable, str(SHOP), *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def start_shop(catalogue: Path, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """A serving shop and its address, once it listens."""
    command = [
        sys.executable,
        str(SHOP),
        "serve",
        "--catalogue",
        str(catalogue),
        "--port",
        "0",
        *arguments,
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    )
    line = process.stdout.readline()
    return process, next(word for word in line.split() if word.startswith("http://"))


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shop") / "smoke"
    done = run_shop("make", "--kind", "bundled-smoke", "--out", str(out))
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def shop_url(catalogue: Path) -> Iterator[str]:
    process, url = start_shop(catalogue)
    yield url
    process.terminate()
    process.wait(timeout=10)
    process.stdout.close()
