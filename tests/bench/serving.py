"""How near the server comes to what the model alone can do, beside other ways to serve it.

    make bench NAME=serving [DATA=folder]

Clients run on the first core, the server (and each rival, and the model alone) on the second, one
thread of maths each. Every text is another one, so that the cache answers nothing unless it is
what is measured. The model is of the size that serves, without training: its speed is what counts.
"""

import argparse
import base64
import csv
import gzip
import hashlib
import io
import json
import os
import shutil
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psutil
from inputs.datasets import dataset
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "include"), str(ROOT / "tests" / "bench")]
from outage import world  # noqa: E402
from serving_peers import peers  # noqa: E402

CLIENT_CORE, SERVER_CORE = 0, peers.SERVER_CORE
NUMBERS = count()
#: Read once: to each client by itself they cost as much as several answers.
CERTIFICATES = ssl.create_default_context()
#: Measured by turns this often: others use the machine too, and a turn is short beside their work.
ROUNDS = 5


Body = Callable[[int], dict[str, Any]]


@dataclass(frozen=True)
class Round:
    """What one round found: of the model alone, and rate and sorted times of each load."""

    alone: dict[str, float]
    found: dict[str, tuple[float, list[float]]]

    def rate(self, name: str) -> float:
        return self.found[name][0]

    def middle(self, name: str) -> float:
        return statistics.median(self.found[name][1])

    def tail(self, name: str) -> float:
        times = self.found[name][1]
        return quantile(times, 0.99) / quantile(times, 0.5)


def texts(data: Path | None) -> list[str]:
    """Reviews: of the data set where there is one, else sentences of the bench's own."""
    if data is not None:
        path = dataset(data, "clothing") / "reviews.csv.gz"
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            found = [row["Review Text"] for row in csv.DictReader(lines)]
        return [one for one in found if one][:3000]
    parts = (
        "The seam ripped after one wash and the colour faded.",
        "Soft fabric, true to size, and it arrived early.",
        "I ordered a size up and it is still tight in the shoulders.",
        "It looks nothing like the photo; the print is blurred.",
    )
    return [" ".join(parts[(n + k) % 4] for k in range(1 + n % 6)) for n in range(200)]


def load(
    url: str, clients: int, seconds: float, body: Body
) -> tuple[float, list[float]]:
    """Answers a second and their times, of clients that ask without a pause."""
    times: list[float] = []
    until = time.monotonic() + seconds

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=120, verify=CERTIFICATES) as http:
            while time.monotonic() < until:
                started = time.monotonic()
                answer = http.post("/analyze", json=body(next(NUMBERS)))
                answer.raise_for_status()
                times.append(time.monotonic() - started)

    started = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        for future in [pool.submit(ask) for _ in range(clients)]:
            future.result()
    return len(times) / (time.monotonic() - started), sorted(times)


def quantile(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(share * len(times)))]


def jpeg() -> bytes:
    buffer = io.BytesIO()
    noise = Image.effect_noise((800, 800), 60).convert("RGB")
    noise.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def text_of(sample: list[str], top_k: int) -> Body:
    return lambda n: {"text": f"{sample[n % len(sample)]} {n}", "top_k": top_k}


def turns(
    sample: list[str], photo: bytes, urls: dict[str, str]
) -> dict[str, tuple[str, int, Body]]:
    """What is measured of the servers: address, clients, and body of a request."""
    whole, sentiment = text_of(sample, 5), text_of(sample, 0)
    encoded = base64.b64encode(photo).decode()
    same = {"text": "The very same text each time.", "top_k": 5}

    def bare(n: int) -> dict[str, Any]:
        return {"text": sentiment(n)["text"]}

    return {
        "whole_c16": (urls["ours"], 16, whole),
        "whole_c64": (urls["ours"], 64, whole),
        "sentiment_c16": (urls["ours"], 16, sentiment),
        "fastapi": (urls["fastapi"], 16, bare),
        "litserve": (urls["litserve"], 16, bare),
        "today": (urls["today"], 16, whole),
        "cached_c16": (urls["ours"], 16, lambda n: same),
        "alone_c1": (urls["ours"], 1, sentiment),
        "photo_c1": (
            urls["ours"],
            1,
            lambda n: {**sentiment(n), "image_base64": encoded},
        ),
    }


def pin(family: list[psutil.Process]) -> None:
    for one in family:
        for thread in one.threads():
            os.sched_setaffinity(thread.id, {SERVER_CORE})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seconds", type=float, default=2.5, help="of each load")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    sample, photo = texts(arguments.data), jpeg()
    with world() as (_, _, made, _), ExitStack() as opened:
        registry = made.folder / "registry"
        make_full(registry)
        server = opened.enter_context(made.server())
        pin(server.family())
        urls = {"ours": server.url}
        for name, source in (("fastapi", peers.FASTAPI), ("litserve", peers.LITSERVE)):
            server_of = peers.rival(source, registry / "full", made.folder)
            urls[name] = opened.enter_context(server_of)
        urls["today"] = opened.enter_context(peers.today(made, made.folder / "today"))
        model = opened.enter_context(
            peers.Alone(registry / "full", sample[:160], photo)
        )
        rounds = measured(model, turns(sample, photo, urls), arguments.seconds)
    print(json.dumps(report(rounds, len(sample))))


def measured(
    model: peers.Alone, each: dict[str, tuple[str, int, Body]], seconds: float
) -> list[Round]:
    """Everything once a round, so that what else the machine does meets all alike."""
    for url, _, body in each.values():
        load(url, 4, 1, body)
    rounds = []
    for number in range(ROUNDS):
        before = model.measured(seconds)
        found = {name: load(*at, seconds, body) for name, (*at, body) in each.items()}
        after = model.measured(seconds)
        alone = {name: (before[name] + after[name]) / 2 for name in before}
        rounds.append(Round(alone, found))
        shown = {name: round(rate, 1) for name, (rate, _) in found.items()}
        print(number, json.dumps(alone | shown), file=sys.stderr, flush=True)
    return rounds


def make_full(registry: Path) -> None:
    """Promote a model of full size; it is made once and kept under var/bench, by how it is exported."""
    modeling = ROOT / "include" / "kindling" / "modeling"
    sources = (modeling / "onnx_quantise.py", modeling / "compact" / "int8_export.py")
    digest = hashlib.sha256(b"".join(one.read_bytes() for one in sources)).hexdigest()
    kept = ROOT / "var" / "bench" / f"full-model-{digest[:12]}"
    if not (kept / "manifest.json").exists():
        _make_full(kept)
    shutil.copytree(kept, registry / "full")
    champion = {"version": "full", "run_id": "r", "uri": str(registry / "full")}
    (registry / "champion.json").write_text(json.dumps(champion))


def _make_full(target: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "sys.path[:0] = sys.argv[1:3]\n"
        "import tiny_server as t\n"
        "t.full_model(Path(sys.argv[3]), 1)\n"
    )
    paths = [str(ROOT / "include"), str(ROOT / "tests" / "contract" / "serving")]
    subprocess.run([sys.executable, "-c", program, *paths, str(target)], check=True)


def report(rounds: list[Round], n: int) -> dict[str, Any]:
    """Medians over the rounds of ratios within each."""

    def median(value: Callable[[Round], float], digits: int) -> float:
        return round(statistics.median(value(one) for one in rounds), digits)

    def of_limit(name: str) -> float:
        return median(lambda one: one.rate(name) / one.alone["rate"], 3)

    return {
        "bench": "serving",
        "texts": n,
        "rounds": len(rounds),
        "of_limit_c16": of_limit("whole_c16"),
        "of_limit_c64": of_limit("whole_c64"),
        "sentiment_of_limit_c16": of_limit("sentiment_c16"),
        **{
            f"vs_{name}": median(
                lambda one, name=name, mine=mine: one.rate(mine) / one.rate(name), 2
            )
            for name, mine in (
                ("fastapi", "sentiment_c16"),
                ("litserve", "sentiment_c16"),
                ("today", "whole_c16"),
            )
        },
        "p99_over_p50_c16": median(lambda one: one.tail("whole_c16"), 2),
        "cache_speedup": median(
            lambda one: one.rate("cached_c16") / one.rate("whole_c16"), 1
        ),
        "c1_over_model": median(
            lambda one: one.middle("alone_c1") / one.alone["one_s"], 2
        ),
        "photo_of_limit": median(
            lambda one: one.alone["photo_s"] / one.middle("photo_c1"), 3
        ),
        "rates": {
            "model_alone": median(lambda one: one.alone["rate"], 1),
            **{
                name: median(lambda one, name=name: one.rate(name), 1)
                for name in rounds[0].found
            },
        },
    }


if __name__ == "__main__":
    main()
