"""What the server is compared with: the model alone, two frameworks around it, and an older server."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[3]
SERVER_CORE = (os.cpu_count() or 1) - 1

HEAD = """
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
ALONE = """
import json, statistics, time
texts, photo = json.loads(sys.stdin.readline()), bytes.fromhex(sys.stdin.readline())
model, at = load(), 0
def rate(seconds):
    global at
    done, start = 0, time.monotonic()
    while time.monotonic() - start < seconds:
        some = [texts[(at + n) % len(texts)] for n in range(16)]
        model.predict(some, [None] * 16)
        done, at = done + 16, at + 16
    return done / (time.monotonic() - start)
def one(photo, calls):
    took = []
    for text in texts[:calls]:
        start = time.monotonic()
        model.predict([text], [photo])
        took.append(time.monotonic() - start)
    return statistics.median(took)
model.predict(texts[:16], [photo] * 16)
print("ready", flush=True)
for line in sys.stdin:
    seconds = json.loads(line)
    print(json.dumps({"rate": rate(seconds), "one_s": one(None, 40),
                      "photo_s": one(photo, 15)}), flush=True)
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


class Alone:
    """The model by itself on the server's core, in a process that measures when it is told to."""

    def __init__(self, model_folder: Path, sample: list[str], photo: bytes) -> None:
        head = HEAD.format(include=str(ROOT / "include"), model=str(model_folder))
        self._process = subprocess.Popen(
            [*on_core(), sys.executable, "-c", head + ALONE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self._say(json.dumps(sample))
        assert self._say(photo.hex()).readline() == "ready\n"

    def __enter__(self) -> "Alone":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(10)

    def measured(self, seconds: float) -> dict[str, float]:
        """Texts a second together, and the median times of one call without and with a photo."""
        return dict(json.loads(self._say(json.dumps(seconds)).readline()))

    def _say(self, line: str) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout


@contextmanager
def rival(source: str, model_folder: Path, folder: Path) -> Iterator[str]:
    """The same model behind a framework; its address."""
    port = free_port()
    path = folder / f"rival-{port}.py"
    head = HEAD.format(include=str(ROOT / "include"), model=str(model_folder))
    path.write_text(head + source.format(port=port))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with running([sys.executable, str(path)], port, folder, environment) as url:
        yield url


@contextmanager
def today(made: Any, work: Path) -> Iterator[str]:
    """The server of TODAY from a tree of its own, over the same index; its address."""
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


@contextmanager
def running(
    argv: list[str], port: int, folder: Path, environment: dict[str, str]
) -> Iterator[str]:
    """A server on the server's core, ended with all its children."""
    process = subprocess.Popen(
        [*on_core(), *argv],
        stdout=subprocess.DEVNULL,
        stderr=(folder / f"rival-{port}.log").open("w"),
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


def on_core() -> list[str]:
    return ["taskset", "-c", str(SERVER_CORE)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait(url: str) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{url} did not come up")
