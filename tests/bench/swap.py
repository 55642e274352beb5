"""Twenty promotions and index swaps under load: no request lost, no answer of the wrong version.

    make bench NAME=swap

An answer names its model; it is wrong where its probabilities are not those that this model gave to
the same text while it served alone. The texts come again and again, so answers from the cache are
held to the same.
"""

import argparse
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(ROOT / "include"),
    str(ROOT / "tests" / "bench"),
    str(ROOT / "tests" / "contract" / "serving"),
]
from outage import world  # noqa: E402
from tiny_server import FolderRegistry  # noqa: E402

from kindling.stores.vectors_pgvector import PgIndexAlias  # noqa: E402

CLIENTS, SWAPS = 32, 20
TEXTS = [f"The zipper broke on day {n} and the seam ripped" for n in range(12)]
#: Seconds within which a promotion is taken up.
TAKEN_UP_S = 30.0

References = dict[tuple[str, str], dict[str, float]]


def until_serves(http: httpx.Client, version: str) -> None:
    deadline = time.monotonic() + TAKEN_UP_S
    while http.get("/models").json().get("model_version") != version:
        if time.monotonic() > deadline:
            raise SystemExit(f"model {version} was not taken up in {TAKEN_UP_S:g} s")
        time.sleep(0.05)


def references(http: httpx.Client, registry: FolderRegistry) -> References:
    """What each model says of each text while it serves alone."""
    found = {}
    for version in ("2", "1"):
        registry.promote(version)
        until_serves(http, version)
        time.sleep(1)
        for text in TEXTS:
            answer = http.post("/analyze", json={"text": text, "top_k": 2}).json()
            assert answer["model_version"] == version
            found[(version, text)] = answer["probabilities"]
    return found


def ask(
    url: str, known: References, stop: threading.Event, client: int
) -> tuple[int, int, int]:
    """Requests, those that failed, and those with an answer of another version."""
    asked = failed = wrong = 0
    with httpx.Client(base_url=url, timeout=60) as http:
        while not stop.is_set():
            text = TEXTS[(client + asked) % len(TEXTS)]
            asked += 1
            try:
                answer = http.post("/analyze", json={"text": text, "top_k": 2})
            except httpx.TransportError:
                failed += 1
                continue
            if answer.status_code != 200:
                failed += 1
                continue
            body: dict[str, Any] = answer.json()
            wrong += not alike(
                body["probabilities"], known[(body["model_version"], text)]
            )
    return asked, failed, wrong


def alike(one: dict[str, float], other: dict[str, float]) -> bool:
    """Equal but for what the order of additions in a batch does to the last digit."""
    return all(abs(one[name] - other[name]) < 0.002 for name in one)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="not used")
    parser.parse_args()
    stop = threading.Event()
    with world() as (_, _, made, _), made.server() as server:
        registry = FolderRegistry(made.folder / "registry")
        alias = PgIndexAlias(made.database_url)
        with httpx.Client(base_url=server.url, timeout=60) as http:
            known = references(http, registry)
            with ThreadPoolExecutor(CLIENTS) as pool:
                clients = [
                    pool.submit(ask, server.url, known, stop, n) for n in range(CLIENTS)
                ]
                for swap in range(SWAPS):
                    version = str(1 + (swap + 1) % 2)
                    registry.promote(version)
                    alias.swap(f"v{version}")
                    until_serves(http, version)
                stop.set()
                got = [one.result() for one in clients]
    differ = max(
        abs(known[("1", text)][name] - known[("2", text)][name])
        for text in TEXTS
        for name in known[("1", text)]
    )
    print(
        json.dumps(
            {
                "bench": "swap",
                "swaps": SWAPS,
                "clients": CLIENTS,
                "requests": sum(one[0] for one in got),
                "failed": sum(one[1] for one in got),
                "wrong_version": sum(one[2] for one in got),
                "models_differ_by": round(differ, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
