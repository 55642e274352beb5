"""Whether the server keeps its memory and comes back: long load, overload, idle and parked clients.

    make bench NAME=soak

64 clients ask without a pause for `--seconds` (issue 14 names ten minutes; the default is four,
what one slot of a shared machine allows, and the answer says which it was). Then three times as
many, 900 silent connections, and 60 bodies that do not end, all at once. `rss_growth_mb` compares
resident memory after the load with that after its first tenth; `recovery_s` is from the end of all
of it to the first second in which one client is answered as fast as before, twice the time allowed.
"""

import argparse
import json
import socket
import statistics
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "include"), str(ROOT / "tests" / "bench")]
from outage import world  # noqa: E402

CLIENTS, OVERLOAD, IDLE, PARKED = 64, 3, 900, 60
RECOVERY_MOST_S = 60.0


class Load:
    """Clients that ask without a pause until told to stop; what they were answered."""

    def __init__(self, url: str, clients: int) -> None:
        self._url, self._clients = url, clients
        self._stop = threading.Event()
        self.answered: Counter[int] = Counter()

    def __enter__(self) -> "Load":
        self._pool = ThreadPoolExecutor(self._clients)
        for number in range(self._clients):
            self._pool.submit(self._ask, number)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown()

    def _ask(self, client: int) -> None:
        with httpx.Client(base_url=self._url, timeout=60) as http:
            number = 0
            while not self._stop.is_set():
                number += 1
                body = {"text": f"The seam ripped, {client} {number}", "top_k": 3}
                try:
                    status = http.post("/analyze", json=body).status_code
                except httpx.TransportError:
                    status = 0
                self.answered[status] += 1


def resident_mb(server: Any) -> float:
    return sum(one.memory_info().rss for one in server.family()) / 1e6


def median_s(server: Any, n: int = 20) -> float:
    """Median time of a request by itself."""
    times = []
    for number in range(n):
        started = time.monotonic()
        body = {"text": f"Alone {time.monotonic_ns()} {number}", "top_k": 3}
        if server.post("/analyze", json=body).status_code == 200:
            times.append(time.monotonic() - started)
    return statistics.median(times) if len(times) == n else float("inf")


def silent(url: str) -> list[socket.socket]:
    """Connections that say nothing, and heads of bodies that never come."""
    at = urlsplit(url)
    opened = []
    for number in range(IDLE + PARKED):
        try:
            one = socket.create_connection((at.hostname, at.port), timeout=2)
            if number >= IDLE:
                one.sendall(
                    b"POST /analyze HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n"
                    b"Content-Type: application/json\r\n\r\n" + b"x" * 200_000
                )
        except OSError:
            continue  # Refused or dropped, which is what a limit does.
        opened.append(one)
    return opened


def recovered_s(server: Any, normal_s: float) -> float:
    started = time.monotonic()
    while time.monotonic() - started < RECOVERY_MOST_S:
        if median_s(server, 5) <= 2 * normal_s:
            return time.monotonic() - started
    return RECOVERY_MOST_S


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--seconds", type=float, default=240.0)
    arguments = parser.parse_args()
    with world() as (_, _, made, _), made.server() as server:
        normal_s = median_s(server)
        with Load(server.url, CLIENTS) as steady:
            time.sleep(arguments.seconds / 10)
            before = resident_mb(server)
            time.sleep(0.9 * arguments.seconds)
        after = resident_mb(server)
        opened: list[socket.socket] = []
        with Load(server.url, CLIENTS * OVERLOAD) as crowd:
            opened = silent(server.url)
            time.sleep(15)
        recovery = recovered_s(server, normal_s)
        for one in opened:
            one.close()
        end = resident_mb(server)
    report = {
        "bench": "soak",
        "seconds": arguments.seconds,
        "rss_growth_mb": round(max(after, end) - before, 1),
        "recovery_s": round(recovery, 2),
        "rss_mb": [round(before), round(after), round(end)],
        "normal_ms": round(1000 * normal_s, 1),
        "steady": dict(steady.answered),
        "overload": dict(crowd.answered),
        "connections_opened": len(opened),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
