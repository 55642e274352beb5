"""Start, swap, stop: nothing is served half, no request is lost, no process is left."""

import io
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from PIL import Image

from kindling.serving import liveness
from kindling.stores.vectors_pgvector import PgIndexAlias

sys.path.insert(0, str(Path(__file__).resolve().parent))
from tiny_server import FolderRegistry

Wait = Callable[..., None]


@pytest.fixture
def registry(world) -> FolderRegistry:
    registry = FolderRegistry(world.folder / "registry")
    damaged = world.folder / "registry" / "damaged"
    damaged.mkdir(exist_ok=True)
    (damaged / "manifest.json").write_text("{}")
    registry.promote("1")
    PgIndexAlias(world.database_url).swap("v1")
    return registry


def gone(processes: list[psutil.Process], seconds: float = 20.0) -> bool:
    return not psutil.wait_procs(processes, timeout=seconds)[1]


class Asking(threading.Thread):
    """Asks without a pause until told to stop, and keeps what it got."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url, self._stopping = url, threading.Event()
        self.got: list[tuple[int, str, str]] = []
        self.start()

    def run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=60) as client:
            while not self._stopping.is_set():
                answer = client.post(
                    "/analyze", json={"query_text": "The zipper broke"}
                )
                body = answer.json()
                self.got.append(
                    (
                        answer.status_code,
                        body.get("model_version", ""),
                        body.get("index_version", ""),
                    )
                )

    def stop(self) -> list[tuple[int, str, str]]:
        self._stopping.set()
        self.join()
        return self.got


def test_what_the_aliases_name_is_taken_up_and_no_request_is_lost(
    world, registry, wait_until: Wait
) -> None:
    """One server's life: begun without an index, a new index, a promotion, a damaged model, one without images."""
    alias = PgIndexAlias(world.database_url)
    with psycopg.connect(world.database_url) as connection:
        connection.execute("DELETE FROM kindling.index_alias")
    with world.server() as server:
        first = server.post("/analyze", json={"text": "The zipper broke"}).json()
        assert (first["index_version"], first["search_reason"]) == (
            None,
            "no index serves yet",
        )
        refused = server.post("/search_similar", json={"query_text": "zipper"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (
            503,
            "no_index",
        )
        askers = [Asking(server.url) for _ in range(4)]
        alias.swap("v1")
        wait_until(
            lambda: all(asker.got and asker.got[-1][2] == "v1" for asker in askers)
        )
        registry.promote("2")
        wait_until(lambda: all(asker.got[-1][1] == "2" for asker in askers))
        registry.promote("damaged")
        wait_until(lambda: "still serving" in server.log.read_text())
        alias.swap("v2")
        registry.promote("3")
        wait_until(lambda: all(asker.got[-1] == (200, "3", "v2") for asker in askers))
        for asker in askers:
            got = asker.stop()
            assert {status for status, _, _ in got} == {200}
            # Each version once and in order; what was damaged never served.
            assert list(dict.fromkeys(version for _, version, _ in got)) == [
                "1",
                "2",
                "3",
            ]
            assert [
                version
                for version in dict.fromkeys(version for _, _, version in got)
                if version
            ] == ["v1", "v2"]
        found = server.post(
            "/search_similar", json={"query_text": "zipper", "top_k": 50}
        ).json()
        assert {one["review_id"] for one in found["results"]} == {"r0", "r1", "r2"}
        answer = server.post("/analyze", files={"image": ("a.png", _png())})
        assert (answer.status_code, answer.json()["error"]["code"]) == (
            422,
            "unreadable",
        )


def test_without_a_champion_it_refuses_to_start(world, registry) -> None:
    (world.folder / "registry" / "champion.json").unlink()
    with world.server(wait=False) as server:
        family = server.family()
        assert server.process.wait(120) == 3
        assert (
            "no model to serve yet" in server.log.read_text().strip().splitlines()[-1]
        )
        assert gone(family)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_last_answer_and_leaves_no_process(
    world, number: int, wait_until: Wait
) -> None:
    with world.server("instant") as server, ThreadPoolExecutor(4) as pool:
        family = server.family()
        assert len(family) >= 4
        # Two seconds of work for the worker, in the queue when the signal comes.
        answers = [
            pool.submit(server.post, "/analyze", json={"query_text": "slow " * 500})
            for _ in range(4)
        ]
        time.sleep(0.7)
        os.kill(server.process.pid, number)
        assert {answer.result().status_code for answer in answers} == {200}
        assert server.process.wait(30) == 0
        assert gone(family)
        assert "Traceback" not in server.log.read_text()


def test_control_c_in_a_terminal_ends_it_the_same_way(world) -> None:
    with world.server("instant") as server, ThreadPoolExecutor(1) as pool:
        family = server.family()
        answer = pool.submit(
            server.post, "/analyze", json={"query_text": "slow " * 1000}
        )
        time.sleep(0.5)
        os.killpg(server.process.pid, signal.SIGINT)  # What a terminal does.
        assert answer.result().status_code == 200
        assert server.process.wait(30) == 0
        assert gone(family)
        assert "Traceback" not in server.log.read_text()


def test_a_killed_server_leaves_no_process(world) -> None:
    with world.server("instant") as server:
        family = server.family()
        server.process.kill()
        assert gone(family)


def test_a_signal_during_the_start_leaves_no_process(world, wait_until: Wait) -> None:
    with world.server("instant", wait=False) as server:
        wait_until(lambda: len(server.family()) >= 3)
        family = server.family()
        server.process.terminate()
        assert server.process.wait(30) in (0, -signal.SIGTERM)
        assert gone(family)


def test_a_worker_that_dies_is_replaced(world, wait_until: Wait) -> None:
    def workers() -> list[psutil.Process]:
        return [
            one
            for one in server.family()
            if one.status() != psutil.STATUS_ZOMBIE
            and "spawn_main" in " ".join(one.cmdline())
        ]

    with world.server("instant") as server:
        [worker] = workers()
        worker.kill()
        wait_until(lambda: {one.pid for one in workers()} - {worker.pid})
        wait_until(
            lambda: server.post("/analyze", json={"text": "a"}).status_code == 200, 60
        )
        wait_until(lambda: server.client.get(f"{server.url}/health").status_code == 200)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_is_gone_or_hangs_fails_what_it_had_and_is_replaced(
    world, number: int, wait_until: Wait
) -> None:
    """Not after their time-outs: within the seconds in which a silent worker is noticed."""
    with world.server("instant") as server, ThreadPoolExecutor(8) as pool:
        worker = server.client.get(f"{server.url}/stats").json()["worker"]["pid"]
        under_way = [
            pool.submit(server.post, "/analyze", json={"text": f"slow {n} " * 2000})
            for n in range(8)
        ]
        time.sleep(0.7)
        os.kill(worker, number)
        killed_at = time.monotonic()
        answers = [one.result() for one in under_way]
        assert time.monotonic() - killed_at < liveness.SILENT_S + 4
        lost = [one for one in answers if one.status_code != 200]
        assert lost
        for answer in lost:
            assert answer.json()["error"]["code"] == "worker_lost"
            assert answer.headers["Retry-After"]
        while_away = server.post("/analyze", json={"text": "now"})
        assert while_away.json()["error"]["code"] == "starting"
        assert server.client.get(f"{server.url}/ready").status_code == 503

        def answers_again() -> bool:
            return server.post("/analyze", json={"text": "again"}).status_code == 200

        wait_until(answers_again, 60)
        stats = server.client.get(f"{server.url}/stats").json()["worker"]
        assert stats["pid"] != worker and stats["lost"] == 1


def test_a_taken_port_is_said(world) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with world.server("instant", wait=False, port=taken.getsockname()[1]) as server:
            assert server.process.wait(60) == 2
            assert "choose another port" in server.log.read_text()


def test_a_flood_is_told_to_come_back_and_leaves_no_line_in_the_log(world) -> None:
    with world.server("instant") as server:
        before = server.log.read_text()
        with ThreadPoolExecutor(250) as pool:
            answers = list(
                pool.map(
                    # Each its own text: equal ones are answered together.
                    lambda n: server.post(
                        "/analyze", json={"text": "slow " * 20 + str(n)}
                    ),
                    range(250),
                )
            )
        refused = [one for one in answers if one.status_code != 200]
        assert len(refused) < len(answers)
        assert all(
            one.status_code == 503 and one.headers["Retry-After"] for one in refused
        )
        assert all(one.json()["error"]["code"] == "busy" for one in refused)
        assert server.post("/analyze", json={"text": "after it"}).status_code == 200
        assert server.post("/analyze", json={"text": 1}).status_code == 422
        assert server.log.read_text() == before


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    return buffer.getvalue()
