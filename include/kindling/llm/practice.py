"""A language model's address for tests and offline trials: real HTTP, answers by rule, faults on command.

    python -m kindling.llm.practice --port 8399
    KINDLING_LLM_URL=http://127.0.0.1:8399/v1 KINDLING_LLM_MODEL=practice …

The same request always gets the same answer. Its reviews are made of a small phrase list: they
exercise everything around a language model and say nothing about what one would write.
Faults are posted while it runs: `curl -d '{"status_every": 3}' …/practice/faults`; what was
asked and billed is at `/practice/bill`.
"""

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jsonschema

from kindling.llm.practice_answers import option_odds, spoken, tokens_of

_LONGEST = 2_000_000
#: What this server accepts; another key is an error, as it is at OpenAI.
_REQUEST: Mapping[str, Any] = {
    "type": "object",
    "required": ["model", "messages"],
    "additionalProperties": False,
    "properties": {
        "model": {"type": "string", "minLength": 1},
        "messages": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["role", "content"],
                "additionalProperties": False,
                "properties": {
                    "role": {"enum": ["system", "user", "assistant"]},
                    "content": {"type": "string"},
                },
            },
        },
        "temperature": {"type": "number", "minimum": 0, "maximum": 2},
        "max_tokens": {"type": "integer", "minimum": 1},
        "seed": {"type": "integer"},
        "logprobs": {"type": "boolean"},
        "top_logprobs": {"type": "integer", "minimum": 0, "maximum": 20},
        "response_format": {
            "type": "object",
            "required": ["type", "json_schema"],
            "properties": {"type": {"const": "json_schema"}},
        },
    },
}


@dataclass
class Faults:
    """Every n-th request goes wrong; 0 for none. The first request is number 1."""

    #: Answered with `status` before any work is done.
    status_every: int = 0
    status: int = 503
    #: Answered after `slow_s` seconds.
    slow_every: int = 0
    slow_s: float = 5.0
    #: The body is half a JSON object.
    broken_every: int = 0
    #: The answer does not fit the schema that was asked for.
    misfit_every: int = 0
    #: The answer ends at half its length, as at a limit on tokens.
    cut_every: int = 0
    #: The connection is closed without an answer.
    hangup_every: int = 0

    def due(self, name: str, number: int) -> bool:
        """Whether that fault falls on the request of that number."""
        every = getattr(self, f"{name}_every")
        return bool(every) and number % every == 0


@dataclass
class Desk:
    """What the server has seen and billed."""

    api_key: str = ""
    faults: Faults = field(default_factory=Faults)
    requests: int = 0
    #: Idempotency key -> the body that was billed for it.
    answered: dict[str, bytes] = field(default_factory=dict)
    #: Content of a request -> times that it was billed.
    billed: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_number(self) -> int:
        """Number of the request that has just come."""
        with self.lock:
            self.requests += 1
            return self.requests

    def bill(self, key: str, content: str, reply: Mapping[str, Any]) -> bytes:
        """The reply's body; a key that was billed before gets its old one and is not billed again."""
        with self.lock:
            if key and key in self.answered:
                return self.answered[key]
            body = json.dumps(reply).encode()
            self.billed[content] += 1
            self.tokens += reply["usage"]["total_tokens"]
            if key:
                self.answered[key] = body
            return body

    def statement(self) -> dict[str, int]:
        """Requests, calls billed, calls billed more than once, tokens billed."""
        with self.lock:
            return {
                "requests": self.requests,
                "billed": sum(self.billed.values()),
                "billed_twice": sum(count - 1 for count in self.billed.values()),
                "tokens": self.tokens,
            }


class PracticeServer(ThreadingHTTPServer):
    """Serves in threads; `url` is what KINDLING_LLM_URL wants."""

    daemon_threads = True

    def __init__(self, port: int = 0, api_key: str = "") -> None:
        """Port 0 takes a free one."""
        self.desk = Desk(api_key)
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        """Address with the version."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no fault of the server's; anything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: PracticeServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/practice/bill":
            return self._send(200, self.server.desk.statement())
        if self.path == "/v1/models":
            model = {"id": "practice", "object": "model", "owned_by": "kindling"}
            return self._send(200, {"object": "list", "data": [model]})
        return self._refuse(404, f"no such path {self.path}")

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        if size > _LONGEST:
            return self._refuse(413, f"{size} bytes; allowed: {_LONGEST}")
        try:
            asked = json.loads(self.rfile.read(size))
        except ValueError as error:
            return self._refuse(400, f"the body is no JSON: {error}")
        if self.path == "/practice/faults":
            return self._set_faults(asked)
        if self.path != "/v1/chat/completions":
            return self._refuse(404, f"no such path {self.path}")
        return self._complete(asked)

    def _set_faults(self, asked: Any) -> None:
        try:
            self.server.desk.faults = Faults(**asked)
        except TypeError as error:
            known = ", ".join(asdict(Faults()))
            return self._refuse(400, f"{error}; known faults: {known}")
        return self._send(200, asdict(self.server.desk.faults))

    def _complete(self, asked: Any) -> None:
        desk = self.server.desk
        number = desk.next_number()
        if desk.api_key and self.headers.get("Authorization") != (
            f"Bearer {desk.api_key}"
        ):
            return self._refuse(401, "the API key is wrong")
        try:
            jsonschema.validate(asked, _REQUEST)
        except jsonschema.ValidationError as error:
            at = ".".join(map(str, error.absolute_path)) or "the request"
            return self._refuse(400, f"{at}: {error.message}")
        faults = desk.faults
        if faults.due("status", number):
            return self._refuse(faults.status, f"request {number} fails on command")
        if faults.due("slow", number):
            time.sleep(faults.slow_s)
        reply = _reply(asked, faults, number)
        content = json.dumps(asked, sort_keys=True)
        body = desk.bill(self.headers.get("Idempotency-Key", ""), content, reply)
        if faults.due("hangup", number):
            self.close_connection = True
            return None
        if faults.due("broken", number):
            body = body[: len(body) // 2]
        return self._send_bytes(200, body)

    def _refuse(self, status: int, message: str) -> None:
        self._send(status, {"error": {"message": message, "type": "practice"}})

    def _send(self, status: int, content: Any) -> None:
        self._send_bytes(status, json.dumps(content).encode())

    def _send_bytes(self, status: int, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            # Whoever asked was killed or lost patience; the bill says what it cost.
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the bill says what was asked."""


def _reply(asked: Mapping[str, Any], faults: Faults, number: int) -> dict[str, Any]:
    """A chat completion as OpenAI's reference describes it."""
    shape = asked.get("response_format", {}).get("json_schema", {}).get("schema")
    text = spoken(asked["messages"], shape, asked.get("seed", 0))
    if faults.due("misfit", number):
        text = '{"answer": "something else"}'
    limit = asked.get("max_tokens", 10_000)
    words = text.split(" ")
    cut = tokens_of(text) > limit or faults.due("cut", number)
    if cut:
        words = words[: max(1, min(limit, len(words) // 2))]
    choice: dict[str, Any] = {
        "index": 0,
        "finish_reason": "length" if cut else "stop",
        "message": {"role": "assistant", "content": " ".join(words)},
    }
    if asked.get("logprobs"):
        odds = option_odds(asked["messages"], asked.get("seed", 0))
        top = [{"token": t, "logprob": p, "bytes": None} for t, p in odds.items()]
        best = max(top, key=lambda one: float(one["logprob"] or 0))
        choice["message"]["content"] = best["token"]
        choice["logprobs"] = {"content": [{**best, "top_logprobs": top}]}
    read = sum(tokens_of(one["content"]) for one in asked["messages"])
    made = min(limit, tokens_of(choice["message"]["content"]))
    usage = {
        "prompt_tokens": read,
        "completion_tokens": made,
        "total_tokens": read + made,
    }
    return {
        "id": f"practice-{number}",
        "object": "chat.completion",
        "created": 0,
        "model": asked["model"],
        "choices": [choice],
        "usage": usage,
    }


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=8399)
    parser.add_argument("--api-key", default="")
    for name, default in asdict(Faults()).items():
        kind = type(default)
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=kind, default=default)
    given = vars(parser.parse_args())
    server = PracticeServer(given.pop("port"), given.pop("api_key"))
    server.desk.faults = Faults(**given)
    print(f"KINDLING_LLM_URL={server.url} KINDLING_LLM_MODEL=practice", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
