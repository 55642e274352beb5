"""A night on a laptop while its parts are killed: is it lost, and are its rows those of a calm night?

    make bench NAME=chaos

Two installations, each with a first night that gives it a model. Then both run a second one, and in one of
them twenty SIGKILLs hit a stage, the scheduler, the API server, PostgreSQL and the endpoint, each as often,
in a random order (`--seed`). Nothing but the product brings anything back. `night_lost` is 1 where that
run did not end in success; `processes_left` are those alive after `make down`.
"""

import argparse
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "include"))

from kindling_local import environment, layout, postgres  # noqa: E402
from kindling_local.airflow_client import AirflowClient  # noqa: E402
from kindling_local.errors import SupervisorError  # noqa: E402
from kindling_local.state import load, process  # noqa: E402

TARGETS = ("stage", "scheduler", "api-server", "postgres", "inference")
#: What may differ between two runs over the same shop: when, and under which name.
VOLATILE = {"run_id", "fetched_at", "committed_at", "report", "inputs"}
TABLES = (
    "page",
    "product",
    "photo",
    "review",
    "dedupe_decision",
    "synthesis",
    "challenge_verdict",
    "label",
    "rejection",
)
LONGEST_S = 3600.0
#: Rows a category that the second night is asked for; the recipe asks for 20.
TARGET_SIZE = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--pause", type=float, default=8.0, help="seconds between")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", help="not used")
    options = parser.parse_args()
    draw = random.Random(options.seed)
    targets = [TARGETS[number % len(TARGETS)] for number in range(options.kills)]
    draw.shuffle(targets)
    with tempfile.TemporaryDirectory(prefix="kindling-chaos-") as folder:
        calm, stormy = Laptop(Path(folder) / "calm"), Laptop(Path(folder) / "stormy")
        with calm.up():
            run = calm.night()
            calm.follow(run, iter(()), 0.0)
            expected = calm.rows(run)
        with stormy.up():
            run = stormy.night()
            state, kills = stormy.follow(run, iter(targets), options.pause)
            found = stormy.rows(run)
    tell_differences(expected, found)
    left = calm.left() + stormy.left()
    for line in left:
        print(f"left: {line}")
    print(
        json.dumps(
            {
                "kills": sum(kills.values()),
                "by_target": kills,
                "night_lost": int(state != "success"),
                "rows_equal": found == expected,
                "rows": sum(map(len, expected.values())),
                "tables_that_differ": sorted(
                    name for name in TABLES if found[name] != expected[name]
                ),
                "processes_left": len(left),
            }
        )
    )


def tell_differences(
    expected: dict[str, list[str]], found: dict[str, list[str]]
) -> None:
    """Print a few rows of each table that only one of the two nights has."""
    for table in TABLES:
        calm, stormy = set(expected[table]), set(found[table])
        for name, rows in (("calm", calm - stormy), ("stormy", stormy - calm)):
            for row in sorted(rows)[:3]:
                print(f"{table}, {name} alone ({len(rows)}): {row}", flush=True)


class Laptop:
    """An installation with folders and ports of its own."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self._environment = {**os.environ, "KINDLING_VAR": str(var)}
        for name in ("AIRFLOW", "INFERENCE", "MLFLOW", "SHOP"):
            self._environment[f"KINDLING_PORT_{name}"] = str(_free_port())
        self.layout = layout.from_environment(self._environment)

    @contextmanager
    def up(self) -> Iterator[None]:
        """`make up` after a first night, then `make down`."""
        self._command("run", "--recipe", "smoke")
        self._command("up", "--recipe", "smoke")
        try:
            yield
        finally:
            self._command("down")

    def _command(self, *arguments: str) -> None:
        began = time.monotonic()
        argv = [sys.executable, "-m", "kindling_local", *arguments]
        environment = {**self._environment, "PYTHONPATH": str(ROOT / "include")}
        done = subprocess.run(
            argv,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{arguments}: {done.stdout[-4000:]}{done.stderr[-2000:]}")
        print(
            f"{self.var.name}: {arguments[0]} {time.monotonic() - began:.0f} s",
            flush=True,
        )

    def _client(self) -> AirflowClient:
        kept = environment.read_or_make_secrets(self.layout)
        url = self.layout.url("airflow")
        return AirflowClient(url, environment.ADMIN, kept["admin_password"])

    def night(self) -> str:
        """Trigger a run; its id."""
        with self._client() as client:
            client.set_paused(False)
            # Another size: with nothing new the night would be over before the kills are.
            return client.trigger({"recipe": "smoke", "target_size": TARGET_SIZE})

    def follow(
        self, run: str, targets: Iterator[str], pause: float
    ) -> tuple[str, dict[str, int]]:
        """The run's state once it has ended, and kills by target, one every `pause` seconds."""
        kills = dict.fromkeys(TARGETS, 0)
        target = next(targets, None)
        next_kill, deadline = time.monotonic() + pause, time.monotonic() + LONGEST_S
        with self._client() as client:
            while time.monotonic() < deadline:
                if target and time.monotonic() > next_kill and self._kill(target):
                    kills[target] += 1
                    print(f"killed: {target}", flush=True)
                    target, next_kill = next(targets, None), time.monotonic() + pause
                with suppress(SupervisorError):
                    state = client.run_state(run)
                    if state in ("success", "failed"):
                        return state, kills
                time.sleep(0.5)
        return "not ended", kills

    def _kill(self, target: str) -> bool:
        """SIGKILL to one that is at work; False where none is."""
        victim = self._stage() if target == "stage" else self._service(target)
        if victim is None:
            return False
        with suppress(psutil.NoSuchProcess):
            victim.send_signal(signal.SIGKILL)
            return True
        return False

    def _service(self, name: str) -> psutil.Process | None:
        if name == "postgres":
            return postgres.find(self.layout.postgres)
        entry = load(self.layout.state).services.get(name)
        return process(entry) if entry else None

    def _stage(self) -> psutil.Process | None:
        for one in psutil.process_iter(["cmdline", "environ"]):
            words = one.info["cmdline"] or []
            ours = str(self.var) in str(one.info["environ"] or {})
            if (
                ours
                and words[1:3] == ["-m", "kindling"]
                and "--run=" in " ".join(words)
            ):
                return one
        return None

    def rows(self, run: str) -> dict[str, list[str]]:
        """Every table of the run as sorted JSON rows without what may differ."""
        folder = postgres.socket_dir(self.layout.postgres)
        url = environment.database_url(folder, "kindling")
        with psycopg.connect(
            url, options="-c search_path=kindling,public"
        ) as connection:
            rows = {table: _rows(connection, table, run) for table in TABLES}
        # Each installation has a shop, a folder and a run of its own.
        own = (run, str(self.var), self.layout.url("shop"))
        return {table: sorted(_without(own, some)) for table, some in rows.items()}

    def left(self) -> list[str]:
        """Command lines of processes that belong to it, known as `make down` knows them."""
        stand = str(self.layout.processes)
        return [
            " ".join(one.info["cmdline"] or [one.name()])
            for one in psutil.process_iter(["cmdline", "cwd"])
            if one.info["cwd"] == stand
        ]


def _rows(connection: psycopg.Connection, table: str, run: str) -> list[str]:
    found = connection.execute(
        f"SELECT to_jsonb(t) FROM {table} t WHERE run_id = %s", (run,)
    ).fetchall()
    # A kept page is a WARC record, which says when it was fetched: its address is another's each time.
    left_out = VOLATILE | ({"uri"} if table == "page" else set())
    kept = [
        {key: value for key, value in row.items() if key not in left_out}
        for (row,) in found
    ]
    return [json.dumps(row, sort_keys=True) for row in kept]


def _without(words: Sequence[str], rows: Sequence[str]) -> list[str]:
    pattern = re.compile("|".join(map(re.escape, words)))
    return [pattern.sub("", row) for row in rows]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


if __name__ == "__main__":
    main()
