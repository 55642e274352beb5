"""Connections that say nothing, too little or too much, against the running server."""

import io
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image

from kindling.serving import connections


@pytest.fixture(scope="module")
def server(world) -> Iterator[Any]:
    with world.server("instant") as running:
        yield running


def speak(server, said: bytes, seconds: float = 30) -> tuple[bytes, float]:
    """What is answered until the server closes, and after how long it does."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as connection:
        started, heard = time.monotonic(), b""
        connection.sendall(said)
        try:
            while piece := connection.recv(65536):
                heard += piece
        except ConnectionResetError:
            pass
        return heard, time.monotonic() - started


@pytest.mark.parametrize("said", [b"", b"POST /analyze HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(server, said: bytes) -> None:
    _, seconds = speak(server, said)
    assert connections.HEAD_S - 1 < seconds < connections.HEAD_S + 8


def test_a_head_that_does_not_end_is_refused_at_once(server) -> None:
    said = b"GET /health HTTP/1.1\r\nX: " + b"y" * (connections.MAX_HEAD_BYTES + 1)
    heard, seconds = speak(server, said)
    assert heard.startswith(b"HTTP/1.1 431") and b'"head_too_large"' in heard
    assert seconds < connections.HEAD_S - 1


def test_a_long_body_is_no_long_head(server) -> None:
    answer = server.post("/analyze", json={"text": "good", "x": "y" * 200_000})
    assert answer.status_code == 200


def test_silent_connections_are_bounded_and_others_are_answered(server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    open_ = []
    try:
        for _ in range(connections.MAX_CONNECTIONS + 20):
            open_.append(socket.create_connection((host, int(port)), timeout=5))
        heard, _ = speak(server, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert heard.startswith(b"HTTP/1.1 503") and b'"busy"' in heard
        time.sleep(connections.HEAD_S + 2)
        assert server.client.get(f"{server.url}/health").status_code == 200
    finally:
        for connection in open_:
            connection.close()


def test_photos_of_many_pixels_do_not_stop_other_clients(server) -> None:
    """Twelve PNGs of 39 million pixels in 150 kB held everybody up for 40 s."""
    buffer = io.BytesIO()
    Image.new("L", (6240, 6250)).save(buffer, "PNG")
    photo = buffer.getvalue()
    with ThreadPoolExecutor(12) as pool:
        large = [
            pool.submit(
                server.post, "/analyze", data={"text": f"{n}"}, files={"image": photo}
            )
            for n in range(12)
        ]
        time.sleep(0.2)
        for n in range(5):
            started = time.monotonic()
            answer = server.post("/analyze", json={"text": f"beside {n}"})
            assert answer.status_code == 200 and time.monotonic() - started < 5
        assert {one.result().status_code for one in large} <= {200, 503}
