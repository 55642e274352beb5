"""What the server costs before it has done anything: CPU seconds to ready, and memory at rest.

    make bench NAME=start

A model of the size that serves (MiniLM and both towers), a real PostgreSQL, the embedded keyword
index. CPU seconds are those of every process of the server together, memory is its PSS: pages that
several processes share are counted once.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "include"), str(ROOT / "tests" / "bench")]
from outage import world  # noqa: E402
from serving import make_full  # noqa: E402

REST_S = 10.0


def cpu_s(server: object) -> float:
    """User and system seconds of the server's processes, those that have ended included."""
    total = 0.0
    for process in server.family():  # type: ignore[attr-defined]
        times = process.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


def help_s() -> float:
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "kindling", "--help"],
        cwd=ROOT / "include",
        check=True,
        capture_output=True,
    )
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="not used")
    parser.parse_args()
    with world() as (_, _, made, _):
        make_full(made.folder / "registry")
        started = time.monotonic()
        listening_s = 0.0
        with made.server(wait=False) as server:
            while True:
                try:
                    status = server.client.get(f"{server.url}/ready").status_code
                    listening_s = listening_s or time.monotonic() - started
                    if status == 200:
                        break
                except httpx.TransportError:
                    pass
                time.sleep(0.05)
            ready_s, cpu = time.monotonic() - started, cpu_s(server)
            time.sleep(REST_S)
            pss = {one.pid: one.memory_full_info().pss / 1e6 for one in server.family()}
            idle = cpu_s(server) - cpu
    print(
        json.dumps(
            {
                "bench": "start",
                "cpu_s": round(cpu, 1),
                "idle_mb": round(sum(pss.values())),
                "ready_s": round(ready_s, 1),
                "listening_s": round(listening_s, 1),
                "idle_cpu_share": round(idle / REST_S, 4),
                "help_s": round(help_s(), 2),
                "processes_mb": sorted(
                    (round(one) for one in pss.values()), reverse=True
                ),
            }
        )
    )


if __name__ == "__main__":
    main()
