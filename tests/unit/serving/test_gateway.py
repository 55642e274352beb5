"""Keys, limits, ids, bodies and the log line, around an application that says yes to all."""

import asyncio
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kindling.errors import ConfigurationError
from kindling.serving import bodies, keys
from kindling.serving.connections import ON_END
from kindling.serving.errors_shown import one_error_shape
from kindling.serving.figures import Figures
from kindling.serving.gateway import Gateway, Life, Rules
from kindling.serving.keys import Allowance, KeyRing, make_key
from kindling.serving.server import rules_for
from kindling.settings import from_environment


class Client:
    """Speaks ASGI to a gateway: a request in pieces, an answer with its headers."""

    def __init__(self, rules: Rules) -> None:
        async def echo(request: Request) -> JSONResponse:
            return JSONResponse({"bytes": len(await request.body())})

        paths = ("/analyze", "/search_similar", "/health", "/stats", "/other")
        app = Starlette(routes=[Route(one, echo, methods=["POST"]) for one in paths])
        one_error_shape(app)  # type: ignore[arg-type]
        self.figures = Figures()
        self.ended: list[bool] = []

        async def nothing() -> None: ...

        self.gateway = Gateway(
            app, rules, self.figures, Life(nothing, lambda: self.ended.append(True))
        )

    def post(
        self, path: str, pieces: Sequence[bytes] = (b"",), **headers: str
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        sent: list[Any] = []
        coming = [
            {"type": "http.request", "body": piece, "more_body": n < len(pieces) - 1}
            for n, piece in enumerate(pieces)
        ]

        async def receive() -> Any:
            if not coming:
                await asyncio.sleep(60)
            return coming.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"secret=1",
            "client": ("192.0.2.7", 1),
            "headers": [
                (name.replace("_", "-").encode(), value.encode())
                for name, value in headers.items()
            ],
        }
        asyncio.run(self.gateway(scope, receive, send))
        shown = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], json.loads(sent[1]["body"]), shown


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.jsonl"


def test_a_key_opens_what_its_scopes_name(file: Path) -> None:
    key = make_key(file, ["analyze"], 100)
    client = Client(Rules(KeyRing(file)))
    for headers in ({"authorization": f"Bearer {key}"}, {"x_api_key": key}):
        assert client.post("/analyze", **headers)[0] == 200
        status, body, _ = client.post("/search_similar", **headers)
        assert (status, body["error"]["code"]) == (403, "wrong_scope")
    for wrong in ("", key[:-1], key + "x", "kindling_00000000_x", "ü", f"x{key}"):
        status, body, shown = client.post("/analyze", x_api_key=wrong)
        assert (status, body["error"]["code"]) == (401, "no_key")
        assert shown["www-authenticate"] == "Bearer"
    assert client.post("/health")[0] == 200


def test_the_file_holds_no_secret_and_is_its_owners(file: Path) -> None:
    key = make_key(file, ["analyze"], 5, "the shop")
    assert key.split("_", 2)[2] not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_a_key_taken_out_is_refused_soon_and_damage_keeps_the_others(
    file: Path,
) -> None:
    now = [0.0]
    key = make_key(file, ["analyze"], 5)
    ring = KeyRing(file, lambda: now[0])
    other = make_key(file, ["search"], 5)
    assert ring.find(key) and not ring.find(other)
    now[0] += keys.LOOK_EVERY_S + 1
    assert ring.find(other)
    file.write_text("{half a li")
    now[0] += keys.LOOK_EVERY_S + 1
    assert ring.find(key)
    another = file.parent / "new.jsonl"
    make_key(another, ["analyze"], 5)
    file.write_text(another.read_text())
    now[0] += keys.LOOK_EVERY_S + 1
    assert not ring.find(key)


@pytest.mark.parametrize("content", ["", "{}", "[]", "x", '{"key_id": 1}'])
def test_a_file_without_a_key_is_a_configuration_error(
    file: Path, content: str
) -> None:
    file.write_text(content)
    with pytest.raises(ConfigurationError, match="keys.jsonl"):
        KeyRing(file)
    with pytest.raises(ConfigurationError):
        KeyRing(file.parent / "nowhere")
    for scopes, per_minute in ((["everything"], 5), ([], 5), (["analyze"], 0)):
        with pytest.raises(ConfigurationError):
            make_key(file, scopes, per_minute)


def test_a_keys_limit_is_its_own(file: Path) -> None:
    first, second = make_key(file, ["analyze"], 3), make_key(file, ["analyze"], 3)
    client = Client(Rules(KeyRing(file)))
    assert [client.post("/analyze", x_api_key=first)[0] for _ in range(4)] == [
        200,
        200,
        200,
        429,
    ]
    status, body, shown = client.post("/analyze", x_api_key=first)
    assert (status, body["error"]["code"]) == (429, "rate_limited")
    assert 1 <= int(shown["retry-after"]) <= 20
    assert client.post("/analyze", x_api_key=second)[0] == 200


def test_an_allowance_fills_up_to_a_minutes_worth() -> None:
    now = [0.0]
    allowance = Allowance(60, lambda: now[0])
    assert [allowance.take() for _ in range(60)] == [0.0] * 60
    assert allowance.take() == pytest.approx(1.0)
    now[0] += 1.0
    assert allowance.take() == 0.0
    now[0] += 600
    assert allowance.take(60) == 0.0 and allowance.take(2) == pytest.approx(2.0)


def test_every_answer_has_the_id_of_its_request() -> None:
    client = Client(Rules())
    assert client.post("/analyze", x_request_id="shop-7")[2]["x-request-id"] == "shop-7"
    for given in ("", "a" * 65, "a b", 'a"b', "ü"):
        made = client.post("/analyze", x_request_id=given)[2]["x-request-id"]
        assert made != given and len(made) == 32
    status, body, shown = client.post("/nowhere")
    assert status == 404
    assert body["error"]["request_id"] == shown["x-request-id"]


@pytest.mark.parametrize(
    ("path", "most"),
    [("/analyze", 15_000_000), ("/search_similar", bodies.MAX_OTHER_BYTES)],
)
def test_bodies_are_bounded_by_route(path: str, most: int) -> None:
    client = Client(Rules())
    half = b"x" * (most // 2)
    assert client.post(path, [half, half])[1] == {"bytes": 2 * (most // 2)}
    status, body, shown = client.post(path, [half, half, b"xx"])
    assert (status, body["error"]["code"]) == (413, "body_too_large")
    assert shown["connection"] == "close"


def test_a_slow_body_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_S", 0.1)
    client = Client(Rules())

    async def stalled() -> Any:
        await asyncio.sleep(30)

    async def send(message: Any) -> None:
        sent.append(message)

    sent: list[Any] = []
    scope = {"type": "http", "method": "POST", "path": "/analyze", "headers": []}
    asyncio.run(client.gateway({**scope, "query_string": b""}, stalled, send))
    assert sent[0]["status"] == 408


def test_bytes_of_all_bodies_are_bounded_and_given_back() -> None:
    client = Client(Rules())
    parked = client.gateway._parked
    parked.now = parked.most - 10
    assert client.post("/analyze", [b"x" * 10])[0] == 200
    status, body, shown = client.post("/analyze", [b"x" * 11])
    assert (status, body["error"]["code"]) == (503, "busy") and shown["retry-after"]
    assert parked.now == parked.most - 10


def test_the_log_says_who_and_what_and_nothing_that_was_written(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = make_key(file, ["analyze"], 100)
    client = Client(Rules(KeyRing(file), log=True))
    with caplog.at_level(logging.INFO, "kindling.access"):
        client.post("/analyze", [b"my private review"], x_api_key=key)
        client.post("/a/path/of/a/client", x_api_key=key)
        client.post("/analyze", x_api_key="kindling_guess_secret")
    lines = [json.loads(record.message) for record in caplog.records]
    assert [(one["status"], one["route"]) for one in lines] == [
        (200, "/analyze"),
        (404, "other"),
        (401, "/analyze"),
    ]
    assert lines[0]["key"] == key.split("_")[1] and lines[0]["bytes_in"] == 17
    for kept_out in ("private", key.split("_", 2)[2], "secret", "path/of"):
        assert kept_out not in caplog.text


def test_figures_count_what_was_answered() -> None:
    client = Client(Rules())
    client.post("/analyze")
    client.post("/whatever/a/client/likes")
    shown = client.figures.exposition().decode()
    assert 'kindling_requests_total{route="/analyze",status="200"} 1.0' in shown
    assert 'route="other",status="404"' in shown and "whatever" not in shown
    assert client.figures.stats()["requests"]["/analyze"] == {"200": 1}


@pytest.mark.parametrize(
    ("access", "host", "needed", "logged"),
    [
        ("auto", "127.0.0.1", False, False),
        ("auto", "0.0.0.0", True, True),
        ("auto", "::", True, True),
        ("keys", "127.0.0.1", True, True),
        ("open", "0.0.0.0", False, True),
    ],
)
def test_keys_are_needed_where_others_can_reach_it(
    file: Path, access: str, host: str, needed: bool, logged: bool
) -> None:
    environment = {"KINDLING_API_ACCESS": access}
    if needed:
        with pytest.raises(ConfigurationError, match="python -m kindling key"):
            rules_for(from_environment(environment), host)
    make_key(file, ["analyze"], 1)
    rules = rules_for(
        from_environment({**environment, "KINDLING_API_KEYS": str(file)}), host
    )
    assert ((rules.keys is not None), rules.log) == (needed, logged)
    with pytest.raises(ConfigurationError, match="auto, keys, open"):
        from_environment({"KINDLING_API_ACCESS": "sometimes"})


def test_who_holds_a_connection_can_tell_that_the_server_ends() -> None:
    client = Client(Rules())

    async def lived() -> None:
        coming = ["lifespan.startup", "lifespan.shutdown"]

        async def receive() -> Any:
            return {"type": coming.pop(0)}

        async def send(message: Any) -> None: ...

        state: dict[str, Any] = {}
        scope = {"type": "lifespan", "state": state, "asgi": {"version": "3.0"}}
        await client.gateway(scope, receive, send)
        state[ON_END]()

    asyncio.run(lived())
    assert client.ended == [True]
