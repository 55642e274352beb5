"""Lightpanda for tests and benchmarks: the one that is named, or the pinned wheel installed beside the project.

Its browser is under the AGPL and no part of the lock, so it goes into var/bench/ and never into .venv.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PINNED = "lightpanda==1.0.2"


def lightpanda() -> str:
    """Path of the binary; CalledProcessError where it is not there and cannot be installed."""
    if named := os.environ.get("KINDLING_LIGHTPANDA"):
        return named
    folder = ROOT / "var" / "bench" / PINNED.replace("==", "-")
    binary = folder / "lightpanda" / "lightpanda"
    if not binary.is_file():
        uv = Path(sys.executable).parent / "uv"
        install = [str(uv), "pip", "install", "-q", "--python", sys.executable]
        subprocess.run(
            [*install, "--no-deps", "--target", str(folder), PINNED], check=True
        )
    return str(binary)
