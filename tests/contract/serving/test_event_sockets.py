"""Events over a WebSocket: the same as over a stream, and as guarded."""

import asyncio
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from kindling.client import ApiError, AsyncClient, Client
from kindling.serving.events import MAX_STREAMS
from kindling.serving.keys import make_key

sys.path.insert(0, str(Path(__file__).resolve().parent))
from tiny_server import FolderRegistry

FIRST = {"worker", "serving", "search"}


@pytest.fixture(scope="module")
def server(world) -> Iterator[Any]:
    with world.server() as running:
        yield running


@pytest.fixture(scope="module")
def client(server) -> Iterator[Client]:
    with Client(server.url) as made:
        yield made


def until_kinds(events: Iterator[Any], kinds: set[str]) -> list[Any]:
    found: list[Any] = []
    for event in events:
        found.append(event)
        if kinds <= {one.kind for one in found}:
            return found
    raise AssertionError("the server ended the events")


def address(server: Any, query: str = "") -> str:
    return server.url.replace("http", "ws", 1) + "/events" + query


def test_a_socket_tells_what_a_stream_tells(client) -> None:
    streamed = until_kinds(client.events(), FIRST)
    assert until_kinds(client.events_by_socket(), FIRST) == streamed
    behind = client.events_by_socket(after=streamed[0].event_id)
    assert until_kinds(behind, {streamed[-1].kind}) == streamed[1:]


def test_the_asynchronous_client_hears_the_same(server, client) -> None:
    streamed = until_kinds(client.events(), FIRST)

    async def heard() -> list[Any]:
        found: list[Any] = []
        async with AsyncClient(server.url) as made:
            async for event in made.events_by_socket(streamed[0].event_id):
                found.append(event)
                if len(found) == len(streamed) - 1:
                    return found
        return found

    assert asyncio.run(heard()) == streamed[1:]


def test_a_client_that_comes_back_is_told_what_it_missed(world, client) -> None:
    known = until_kinds(client.events_by_socket(), FIRST)
    registry = FolderRegistry(world.folder / "registry")
    registry.promote("2")
    try:
        first = next(client.events_by_socket(after=known[-1].event_id))
    finally:
        registry.promote("1")
    assert (first.kind, first.content.model_extra["model_version"]) == ("serving", "2")
    again = client.events_by_socket(after=first.event_id)
    second = next(again)
    assert second.content.model_extra["model_version"] == "1"


def test_an_id_in_the_address_goes_on_behind_it_too(server, client) -> None:
    known = until_kinds(client.events(), FIRST)
    with connect(address(server, f"?after={known[0].event_id}")) as opened:
        message = json.loads(opened.recv(timeout=10))
    assert (message["id"], message["event"]) == (known[1].event_id, known[1].kind)
    url = f"{server.url}/events?after={known[0].event_id}"
    with server.client.stream("GET", url) as answer:
        lines = answer.iter_lines()
        assert next(lines) == f"id: {known[1].event_id}"


def test_an_id_that_is_not_kept_any_more_is_answered_with_a_gap(client) -> None:
    assert next(client.events_by_socket(after=1)).kind == "gap"


@pytest.mark.parametrize("after", ["", "abc", "-1", "9" * 19, "1e3", "٣"])
def test_an_id_that_is_none_is_refused_on_both_ways(server, after: str) -> None:
    answer = server.client.get(f"{server.url}/events", params={"after": after})
    with pytest.raises(InvalidStatus) as refused:
        connect(address(server, "?" + str(httpx.QueryParams(after=after))))
    for status, body in (
        (answer.status_code, answer.content),
        (refused.value.response.status_code, refused.value.response.body),
    ):
        assert (status, json.loads(body)["error"]["code"]) == (422, "invalid_field")


def test_an_endless_header_of_digits_is_no_error_of_the_server(server) -> None:
    headers = {"Last-Event-ID": "9" * 5000}
    with server.client.stream("GET", f"{server.url}/events", headers=headers) as answer:
        assert answer.status_code == 200


def test_a_page_of_another_site_may_not_listen(server) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(address(server), origin="https://elsewhere.example")
    body = json.loads(refused.value.response.body)["error"]
    assert (refused.value.response.status_code, body["code"]) == (403, "foreign_origin")
    assert refused.value.response.headers["x-request-id"] == body["request_id"]
    with connect(address(server), origin=server.url) as opened:
        assert json.loads(opened.recv(timeout=10))["event"]


def test_what_a_client_sends_ends_its_socket(server) -> None:
    for sent in ("hello", b"\0", "x" * 100_000):
        with connect(address(server), compression=None) as opened:
            opened.send(sent)
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    opened.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code in (1008, 1009)


def test_a_key_without_the_scope_hears_nothing(world) -> None:
    file: Path = world.folder / "socket-keys.jsonl"
    seeing, other = make_key(file, ["observe"], 60), make_key(file, ["analyze"], 60)
    with world.server("instant", TINY_KEYS=str(file)) as server:
        for key, status in ((None, 401), (other, 403)):
            with Client(server.url, key) as client, pytest.raises(ApiError) as refused:
                next(client.events_by_socket())
            assert refused.value.status == status and refused.value.request_id
        with Client(server.url, seeing) as client:
            assert next(client.events_by_socket()).kind == "worker"
        # The line of a socket is written when it has ended.
        deadline = time.monotonic() + 10
        while '"status": 101' not in (log := server.log.read_text()):
            assert time.monotonic() < deadline, log
            time.sleep(0.05)
        assert '"method": "SOCKET"' in log
        assert '"status": 403' in log


def test_streams_and_sockets_share_one_limit_and_give_back_their_room(
    server, client
) -> None:
    opened = [connect(address(server)) for _ in range(MAX_STREAMS)]
    try:
        for one in opened:
            one.recv(timeout=10)
        for listen in (client.events, client.events_by_socket):
            with pytest.raises(ApiError) as refused:
                next(listen())
            assert (refused.value.status, refused.value.code) == (503, "busy")
        assert client.analyze("Soft and warm", top_k=0).sentiment
    finally:
        for one in opened:
            one.close()
    deadline = time.monotonic() + 10
    while True:
        try:
            assert next(client.events_by_socket())
            return
        except ApiError:
            assert time.monotonic() < deadline, "the room was not given back"
            time.sleep(0.1)


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/analyze", b"200"),
        ("GET", "/models", b"200"),
        ("POST", "/events", b"405"),
    ],
)
def test_elsewhere_an_upgrade_is_not_heard_and_the_request_is_answered(
    server, method: str, path: str, status: bytes, protocol: str
) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    body = b'{"text": "soft", "top_k": 0}'
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\n"
        f"Upgrade: {protocol}\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        said = connection.recv(4000)
    assert said.split(b" ", 2)[1] == status, said


def test_a_server_that_ends_ends_what_listens(world) -> None:
    with world.server("instant") as server, Client(server.url) as client:
        heard: list[list[Any]] = []

        def listen(listening: Any) -> None:
            heard.append(list(listening()))

        threads = [
            threading.Thread(target=listen, args=(one,), daemon=True)
            for one in (client.events, client.events_by_socket)
        ]
        for one in threads:
            one.start()
        known = [one.kind for one in until_kinds(client.events(), FIRST)]
        time.sleep(1)
        family = server.family()
        os.kill(server.process.pid, signal.SIGTERM)
        for one in threads:
            one.join(15)
        assert [[one.kind for one in events] for events in heard] == [known, known]
        _, alive = psutil.wait_procs(family, timeout=15)
        assert alive == []
