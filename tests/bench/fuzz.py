"""Thousands of hostile inputs against the running server, with ordinary clients beside them.

    make bench NAME=fuzz

JSON of every shape, forms with broken boundaries and charsets, photos cut and forged, heads and
bodies that come slowly or never end. A bystander asks an ordinary question all the time: none of its
requests may fail or take longer than ten seconds. A contradiction is an answer that its own schema
refuses: a 200 that is no answer, or an error without a code.
"""

import argparse
import base64
import io
import json
import random
import socket
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from pydantic import ValidationError

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "include"), str(ROOT / "tests" / "bench")]
from outage import world  # noqa: E402

from kindling.client.schemas import (  # noqa: E402
    AnalyzeAnswer,
    BatchRow,
    ErrorAnswer,
    SearchAnswer,
)

HANG_S = 10.0
FIELDS = ("text", "query_text", "top_k", "image_url", "image_base64", "filters", "x")
SCRAPS = (
    "",
    " ",
    "good",
    "\ud800",
    "a\0b",
    "' OR 1=1 --",
    "漢字" * 50,
    "🙂" * 200,
    "x" * 20_001,
    "-1",
    "1e999",
    "http://127.0.0.1/",
    "http://[::1]:22/",
    "http://169.254.169.254/latest",
    "file:///etc/passwd",
    "data:image/png;base64,AA==",
)
CHARSETS = ("utf-8", "undefined", "punycode", "idna", "utf-7", "\xff", "x" * 500)
Request = tuple[str, bytes, dict[str, str]]


class Fuzzer:
    """Requests drawn by seed: the same ones each time."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._photo = _photo("PNG"), _photo("JPEG"), _photo("GIF")

    def request(self) -> Request:
        kind = self._draw.choice((self._json, self._form, self._lines, self._raw))
        return kind()

    def _value(self, depth: int = 0) -> Any:
        draw = self._draw
        shapes = 9 if depth < 3 else 7
        match draw.randrange(shapes):
            case 0:
                return draw.choice((None, True, False))
            case 1:
                return draw.randrange(-(10**6), 10**6)
            case 2:
                return draw.choice((10**400, -1, 0, 51, 2**63, 0.1))
            case 3 | 4 | 5:
                return draw.choice(SCRAPS)
            case 6:
                return base64.b64encode(self._bytes()).decode()
            case 7:
                return [self._value(depth + 1)] * draw.choice((0, 1, 3, 60))
        return {draw.choice(FIELDS): self._value(depth + 1) for _ in range(3)}

    def _bytes(self) -> bytes:
        draw, photo = self._draw, bytearray(self._draw.choice(self._photo))
        match draw.randrange(4):
            case 0:
                return bytes(photo)
            case 1:
                return bytes(photo[: draw.randrange(len(photo))])
            case 2:
                for _ in range(8):
                    photo[draw.randrange(len(photo))] = draw.randrange(256)
                return bytes(photo)
        return draw.randbytes(draw.randrange(300))

    def _json(self) -> Request:
        draw = self._draw
        fields = {draw.choice(FIELDS): self._value() for _ in range(draw.randrange(5))}
        body: Any = fields if draw.random() < 0.9 else self._value()
        path = draw.choice(("/analyze", "/search_similar", "/feedback"))
        return path, json.dumps(body).encode(), {"Content-Type": "application/json"}

    def _lines(self) -> Request:
        lines = [json.dumps(self._value()).encode() for _ in range(3)]
        lines.append(b'{"text": "good", "top_k": 0}')
        headers = {"Content-Type": "application/x-ndjson"}
        return "/analyze/batch", b"\n".join(lines), headers

    def _form(self) -> Request:
        draw, parts = self._draw, []
        for _ in range(draw.randrange(1, 4)):
            name = draw.choice((*FIELDS, "image"))
            head = f'Content-Disposition: form-data; name="{name}"'
            if draw.random() < 0.4:
                head += '; filename="a.png"'
                content = self._bytes()
            else:
                content = draw.choice(SCRAPS).encode(errors="replace")
            parts.append(b"--B\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n")
        end = draw.choice((b"--B--\r\n", b"--B--\r\n", b"--B", b""))
        media_type = "multipart/form-data; boundary=B"
        if draw.random() < 0.3:
            media_type += f"; charset={draw.choice(CHARSETS)}"
        return "/analyze", b"".join(parts) + end, {"Content-Type": media_type}

    def _raw(self) -> Request:
        draw = self._draw
        media_type = draw.choice(
            ("application/json", "multipart/form-data", "text/plain", "", "a/b+json")
        )
        path = draw.choice(("/analyze", "/search_similar", "/models", "/nowhere"))
        return path, draw.randbytes(draw.randrange(200)), {"Content-Type": media_type}


def _photo(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (24, 16), (200, 30, 30)).save(buffer, kind)
    return buffer.getvalue()


def contradicts(path: str, answer: httpx.Response) -> bool:
    """Whether the answer is not what its status says that it is."""
    try:
        if answer.status_code >= 400:
            ErrorAnswer.model_validate_json(answer.content)
        elif path == "/analyze":
            given = AnalyzeAnswer.model_validate_json(answer.content)
            best = max(given.probabilities.values())
            return given.confidence != best or (
                abs(sum(given.probabilities.values()) - 1) > 0.001
            )
        elif path == "/search_similar":
            SearchAnswer.model_validate_json(answer.content)
        elif path == "/analyze/batch":
            for line in answer.text.splitlines():
                row = BatchRow.model_validate_json(line)
                if (row.answer is None) == (row.error is None):
                    return True
    except ValidationError:
        return True
    return False


def slow_client(url: str, number: int) -> None:
    """Opens a connection and then says nothing, half a head, or half a body."""
    host, port = url.removeprefix("http://").split(":")
    said = (
        b"",
        b"POST /analyze HTTP/1.1\r\nHost: x\r\n",
        b"POST /analyze HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 1000000\r\n\r\n" + b"x" * 10_000,
        b"POST /analyze HTTP/1.1\r\nX: " + b"y" * 40_000,
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.settimeout(40)
        try:
            connection.sendall(said[number % len(said)])
            connection.recv(100)
        except OSError:
            return


def bystander(url: str, stop: threading.Event, took: list[float]) -> int:
    failed = 0
    with httpx.Client(base_url=url, timeout=60) as http:
        while not stop.is_set():
            started = time.monotonic()
            body = {"text": f"ordinary {len(took)}", "top_k": 0}
            try:
                failed += http.post("/analyze", json=body).status_code != 200
            except httpx.TransportError:
                failed += 1
            took.append(time.monotonic() - started)
    return failed


def attack(url: str, seed: int, n: int) -> Counter[str]:
    fuzzer, counts = Fuzzer(seed), Counter[str]()
    with httpx.Client(base_url=url, timeout=60) as http:
        for _ in range(n):
            path, body, headers = fuzzer.request()
            started = time.monotonic()
            counts["inputs"] += 1
            try:
                raw = [(k.encode(), v.encode("latin-1")) for k, v in headers.items()]
                answer = http.post(path, content=body, headers=raw)
            except httpx.TransportError as error:
                counts["dropped"] += 1
                print(f"{path} {headers} {body[:200]!r}: {error!r}", file=sys.stderr)
                continue
            counts["hangs"] += time.monotonic() - started > HANG_S
            broken = answer.status_code in (500, 502, 504)
            counts["server_errors"] += broken
            wrong = contradicts(path, answer)
            counts["contradictions"] += wrong
            counts[f"status {answer.status_code}"] += 1
            if broken or wrong:
                shown = f"{path} {headers} {body[:200]!r}: {answer.text[:200]}"
                print(shown, file=sys.stderr)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--inputs", type=int, default=10_000)
    arguments = parser.parse_args()
    stop, took = threading.Event(), []
    with world() as (_, _, made, _), made.server() as server:
        with ThreadPoolExecutor(60) as pool:
            watching = pool.submit(bystander, server.url, stop, took)
            slow = [pool.submit(slow_client, server.url, n) for n in range(40)]
            attackers = [
                pool.submit(attack, server.url, seed, arguments.inputs // 8 + 1)
                for seed in range(8)
            ]
            counts = sum((one.result() for one in attackers), Counter[str]())
            for one in slow:
                one.result()
            stop.set()
            failed = watching.result()
    counts["hangs"] += counts["dropped"]
    print(
        json.dumps(
            {
                "bench": "fuzz",
                "inputs": counts["inputs"],
                "server_errors": counts["server_errors"],
                "hangs": counts["hangs"],
                "bystanders_failed": failed + sum(one > HANG_S for one in took),
                "contradictions": counts["contradictions"],
                "bystander_requests": len(took),
                "slow_clients": len(slow),
                "statuses": {
                    name.split()[1]: counts[name]
                    for name in sorted(counts)
                    if name.startswith("status")
                },
            }
        )
    )


if __name__ == "__main__":
    main()
