"""Answers shared through a real Redis, and what happens when it is away, frozen or full of nonsense."""

import asyncio
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from kindling.errors import ConfigurationError
from kindling.serving.answer_cache import AnswerCache
from kindling.stores import answers_redis
from kindling.stores.answers_redis import PREFIX, RedisAnswers

SERVER = shutil.which("redis-server")
ANSWER = {"sentiment": "positive", "probabilities": {"positive": 0.9}}


class Redis:
    """A server of the test's own, on a socket in its folder."""

    def __init__(self, folder: Path) -> None:
        assert SERVER, "redis-server is missing; run: apt-get install redis-server"
        self.path = folder / "redis.sock"
        self.url = f"unix://{self.path}"
        self.process = subprocess.Popen(
            [str(SERVER), "--port", "0", "--unixsocket", str(self.path), "--save", ""],
            stdout=subprocess.DEVNULL,
            cwd=folder,
        )
        self.client = redis.Redis(unix_socket_path=str(self.path))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                self.client.ping()
                return
            except redis.ConnectionError:
                time.sleep(0.05)
        raise AssertionError("redis-server did not start")


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    running = Redis(tmp_path_factory.mktemp("r"))
    yield running
    running.process.send_signal(signal.SIGCONT)
    running.process.kill()
    running.process.wait()


def cache(url: str, made: list[str]) -> tuple[AnswerCache, Any]:
    found = AnswerCache(shared=RedisAnswers(url))

    async def compute() -> dict[str, Any]:
        made.append("x")
        return dict(ANSWER)

    return found, compute


def test_the_second_server_asks_no_model(server: Redis) -> None:
    made: list[str] = []

    async def both() -> list[dict[str, Any]]:
        answers = []
        for _ in range(2):
            one, compute = cache(server.url, made)
            answers.append(await one.get(("v1", "text"), compute, lambda _: True))
        other, compute = cache(server.url, made)
        answers.append(await other.get(("v2", "text"), compute, lambda _: True))
        return answers

    assert asyncio.run(both()) == [ANSWER] * 3
    # Once for each version: the key holds it.
    assert made == ["x", "x"]
    assert all(server.client.ttl(key) > 0 for key in server.client.keys(f"{PREFIX}*"))


def test_an_answer_that_is_not_to_be_kept_is_not_shared(server: Redis) -> None:
    made: list[str] = []

    async def ask() -> None:
        one, compute = cache(server.url, made)
        await one.get("key", compute, lambda _: False)

    asyncio.run(ask())
    assert server.client.keys("*") == []


@pytest.mark.parametrize("fault", ["stopped", "frozen", "nonsense"])
def test_a_redis_that_fails_costs_a_moment_and_no_answer(
    server: Redis, fault: str
) -> None:
    made: list[str] = []
    if fault == "stopped":
        server.process.kill()
        server.process.wait()
    elif fault == "frozen":
        server.process.send_signal(signal.SIGSTOP)
    else:
        answers = RedisAnswers(server.url)
        asyncio.run(answers.keep("key", ANSWER))
        [name] = server.client.keys("*")
        server.client.set(name, b"\xff{no json")

    async def ask() -> float:
        one, compute = cache(server.url, made)
        started = time.monotonic()
        for number in range(20):
            key = "key" if fault == "nonsense" and number == 0 else number
            assert await one.get(key, compute, lambda _: True) == ANSWER
        return time.monotonic() - started

    if fault == "nonsense":
        answers_find = RedisAnswers(server.url)
        assert asyncio.run(answers_find.find("key")) is None
    # One time-out for twenty answers: it is not asked again for a while.
    assert asyncio.run(ask()) < 20 * answers_redis.WAIT_S
    assert len(made) == 20


def test_a_redis_that_is_back_is_asked_again(
    server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_redis, "REST_S", 0.2)

    async def through() -> dict[str, Any] | None:
        answers = RedisAnswers(server.url)
        server.process.send_signal(signal.SIGSTOP)
        assert await answers.find("key") is None
        server.process.send_signal(signal.SIGCONT)
        await answers.keep("key", ANSWER)  # Not asked yet.
        await asyncio.sleep(0.3)
        await answers.keep("key", ANSWER)
        return await answers.find("key")

    assert asyncio.run(through()) == ANSWER


def test_an_address_that_is_none_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(ConfigurationError, match=r"redis://, rediss://, unix://"):
        RedisAnswers("http://localhost")


def test_an_address_without_a_server_answers_nothing() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answers = RedisAnswers(f"redis://127.0.0.1:{port}")
    assert asyncio.run(answers.find("key")) is None
