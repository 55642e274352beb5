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
import io
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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

CLIENT_CORE, SERVER_CORE = 0, (os.cpu_count() or 1) - 1
NUMBERS = count()

RIVALS = """
import sys, os
sys.path[:0] = [{include!r}]
from pathlib import Path
from kindling.serving.engine import Engines
from kindling.records import SENTIMENTS
def answer(model, text):
    p = model.predict([text], [None]).probabilities[0]
    return {{"sentiment": SENTIMENTS[int(p.argmax())], "probabilities": p.tolist()}}
def load(): return Engines(None, 1).open(Path({model!r})).model
"""
FASTAPI = """
from fastapi import FastAPI
import uvicorn
app, model = FastAPI(), load()
@app.post("/analyze")
def analyze(body: dict): return answer(model, body["text"])
@app.get("/health")
def health(): return "ok"
uvicorn.run(app, port={port}, log_level="warning")
"""
LITSERVE = """
import litserve
class Api(litserve.LitAPI):
    def setup(self, device): self.model = load()
    def decode_request(self, request): return request["text"]
    def predict(self, x): return answer(self.model, x)
    def encode_response(self, output): return output
if __name__ == "__main__":
    api = Api(api_path="/analyze")
    litserve.LitServer(api, accelerator="cpu").run(
        port={port}, log_level="warning", generate_client_file=False)
"""


#: The commit that `vs_today` compares with, and how its server is made with a model of full size.
TODAY = "7694a35"
TODAYS_MODEL = """
import sys, os; from pathlib import Path
from kindling.modeling import pretrained
from kindling.modeling.fusion import Fusion
from kindling.modeling.image_tower import ImageClassifier
from kindling.modeling.model import SentimentModel
from kindling.modeling.text_tower import TextClassifier
sys.path.insert(0, sys.argv[1])
import tiny_server
folder = Path(sys.argv[2])
text = TextClassifier.fresh(pretrained.locate(None)[0], 3, 128, 1)
fusion = Fusion(1.5, 1.2, 1.0, 1.0, (0.0, 0.0, 0.0), "naive-bayes", 0)
image = ImageClassifier.fresh(128, 3, 4, 1)
SentimentModel(text, image, fusion, "minilm", 128).save(folder / "registry" / "today")
tiny_server.FolderRegistry(folder / "registry").promote("today")
"""


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
    url: str, clients: int, seconds: float, body: Callable[[int], dict[str, Any]]
) -> tuple[float, list[float]]:
    """Answers a second and their times, of clients that ask without a pause."""
    times: list[float] = []
    until = time.monotonic() + seconds

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=120) as http:
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


def alone(model_folder: Path, sample: list[str], photo: bytes) -> dict[str, float]:
    """The model by itself on the server's core: texts a second together, and one call's time."""
    program = RIVALS.format(include=str(ROOT / "include"), model=str(model_folder)) + (
        "import json, time, statistics\n"
        "texts, photo = json.loads(sys.stdin.readline()), sys.stdin.readline().strip()\n"
        "photo = bytes.fromhex(photo)\n"
        "model = load(); model.predict(texts[:16], [None] * 16)\n"
        "start = time.monotonic()\n"
        "for at in range(0, len(texts), 16):\n"
        "    model.predict(texts[at:at + 16], [None] * len(texts[at:at + 16]))\n"
        "rate = len(texts) / (time.monotonic() - start)\n"
        "def timed(photo):\n"
        "    took = []\n"
        "    for text in texts[:40]:\n"
        "        start = time.monotonic(); model.predict([text], [photo])\n"
        "        took.append(time.monotonic() - start)\n"
        "    return statistics.median(took)\n"
        "print(json.dumps({'rate': rate, 'one_s': timed(None), 'photo_s': timed(photo)}))\n"
    )
    done = subprocess.run(
        ["taskset", "-c", str(SERVER_CORE), sys.executable, "-c", program],
        input=json.dumps(sample) + "\n" + photo.hex() + "\n",
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return dict(json.loads(done.stdout))


@contextmanager
def rival(source: str, model_folder: Path, folder: Path) -> Iterator[str]:
    port = free_port()
    path = folder / "rival.py"
    head = RIVALS.format(include=str(ROOT / "include"), model=str(model_folder))
    path.write_text(head + source.format(port=port))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with running([sys.executable, str(path)], port, folder, environment) as url:
        yield url


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    argv: list[str], port: int, folder: Path, environment: dict[str, str]
) -> Iterator[str]:
    """A server on the server's core, ended with all its children."""
    process = subprocess.Popen(
        ["taskset", "-c", str(SERVER_CORE), *argv],
        stdout=subprocess.DEVNULL,
        stderr=(folder / "rival.log").open("w"),
        cwd=folder,
        env=environment,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait(url)
        yield url
    finally:
        top = psutil.Process(process.pid)
        family = [*top.children(recursive=True), top]
        for one in family:
            one.kill()
        psutil.wait_procs(family, 10)


@contextmanager
def today(made: Any, work: Path) -> Iterator[str]:
    """The server of TODAY from a tree of its own, over the same index."""
    tree = ROOT / "var" / "bench" / f"today-{TODAY}"
    if not tree.exists():
        tree.parent.mkdir(parents=True, exist_ok=True)
        add = ["git", "worktree", "add", "--detach", str(tree), TODAY]
        subprocess.run(add, cwd=ROOT, check=True, capture_output=True)
    tests = tree / "tests" / "contract" / "serving"
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree / "include"),
        "OMP_NUM_THREADS": "1",
    }
    (work / "registry").mkdir(parents=True)
    (work / "keywords").symlink_to(made.folder / "keywords")
    subprocess.run(
        [sys.executable, "-c", TODAYS_MODEL, str(tests), str(work)],
        check=True,
        env=environment,
    )
    port = free_port()
    argv = [sys.executable, str(tests / "tiny_server.py"), "tiny", str(port)]
    with running([*argv, str(work), made.database_url], port, work, environment) as url:
        yield url


def wait(url: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{url} did not come up")


def jpeg() -> bytes:
    buffer = io.BytesIO()
    noise = Image.effect_noise((800, 800), 60).convert("RGB")
    noise.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def ours(url: str, sample: list[str], photo: bytes, s: float) -> dict[str, Any]:
    """Every figure of the server itself, as rates and times."""

    def text(n: int) -> str:
        return f"{sample[n % len(sample)]} {n}"

    def whole(n: int) -> dict[str, Any]:
        return {"text": text(n), "top_k": 5}

    def sentiment(n: int) -> dict[str, Any]:
        return {"text": text(n), "top_k": 0}

    encoded = base64.b64encode(photo).decode()
    load(url, 4, 2, whole)
    found: dict[str, Any] = {}
    found["c16"], found["times16"] = load(url, 16, s, whole)
    found["c64"], _ = load(url, 64, s, whole)
    found["sentiment16"], _ = load(url, 16, s, sentiment)
    _, found["times1"] = load(url, 1, s / 2, sentiment)
    same = {"text": "The very same text each time.", "top_k": 5}
    found["cached"], _ = load(url, 16, s / 2, lambda n: same)
    with_photo = {"image_base64": encoded, "top_k": 0}
    _, found["times_photo"] = load(
        url, 1, s / 2, lambda n: {**with_photo, "text": text(n)}
    )
    return found


def pin(family: list[psutil.Process]) -> None:
    for one in family:
        for thread in one.threads():
            os.sched_setaffinity(thread.id, {SERVER_CORE})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each load")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    sample, photo = texts(arguments.data), jpeg()
    with world() as (_, _, made, _):
        registry = made.folder / "registry"
        make_full(registry)
        one = alone(registry / "full", sample[:160], photo)
        with made.server() as server:
            pin(server.family())
            found = ours(server.url, sample, photo, arguments.seconds)
        rates = {}
        for name, source in (("fastapi", FASTAPI), ("litserve", LITSERVE)):
            with rival(source, registry / "full", made.folder) as url:
                rates[name], _ = load(
                    url,
                    16,
                    arguments.seconds,
                    lambda n: {"text": f"{sample[n % len(sample)]} {n}"},
                )
        with today(made, made.folder / "today") as url:
            rates["today"], _ = load(
                url,
                16,
                arguments.seconds,
                lambda n: {"text": f"{sample[n % len(sample)]} {n}", "top_k": 5},
            )
    print(json.dumps(report(one, found, rates, len(sample))))


def make_full(registry: Path) -> None:
    """Promote a model of full size; it is made and exported once, and kept under var/bench."""
    kept = ROOT / "var" / "bench" / "full-model"
    if not (kept / "manifest.json").exists():
        _make_full(kept.parent)
    shutil.copytree(kept, registry / "full")
    champion = {"version": "full", "run_id": "r", "uri": str(registry / "full")}
    (registry / "champion.json").write_text(json.dumps(champion))


def _make_full(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "sys.path[:0] = sys.argv[1:3]\n"
        "import tiny_server as t\n"
        "t.full_model(Path(sys.argv[3]) / 'full-model', 1)\n"
    )
    paths = [str(ROOT / "include"), str(ROOT / "tests" / "contract" / "serving")]
    subprocess.run([sys.executable, "-c", program, *paths, str(folder)], check=True)


def report(
    one: dict[str, float], found: dict[str, Any], rates: dict[str, float], n: int
) -> dict[str, Any]:
    times = found["times16"]
    median = statistics.median
    return {
        "bench": "serving",
        "texts": n,
        "of_limit_c16": round(found["c16"] / one["rate"], 3),
        "of_limit_c64": round(found["c64"] / one["rate"], 3),
        "sentiment_of_limit_c16": round(found["sentiment16"] / one["rate"], 3),
        "vs_fastapi": round(found["sentiment16"] / rates["fastapi"], 2),
        "vs_litserve": round(found["sentiment16"] / rates["litserve"], 2),
        "vs_today": round(found["c16"] / rates["today"], 2),
        "p99_over_p50_c16": round(quantile(times, 0.99) / quantile(times, 0.5), 2),
        "cache_speedup": round(found["cached"] / found["c16"], 1),
        "c1_over_model": round(median(found["times1"]) / one["one_s"], 2),
        "photo_of_limit": round(one["photo_s"] / median(found["times_photo"]), 3),
        "rates": {
            "model_alone": round(one["rate"], 1),
            "whole_c16": round(found["c16"], 1),
            "whole_c64": round(found["c64"], 1),
            "sentiment_c16": round(found["sentiment16"], 1),
            "cached_c16": round(found["cached"], 1),
            **{name: round(rate, 1) for name, rate in rates.items()},
        },
    }


if __name__ == "__main__":
    main()
