"""One slow or lost answer of Airflow never loses a run."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from kindling_local import airflow_client
from kindling_local.airflow_client import AirflowClient
from kindling_local.errors import SupervisorError


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What the server says, one after the other: a response, or an exception; the last one stays."""
    script: list[Any] = [httpx.Response(200, json={"access_token": "t"})]

    def send(request: httpx.Request) -> httpx.Response:
        said = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(said, Exception):
            raise said
        return said

    real = httpx.Client
    monkeypatch.setattr(
        airflow_client.httpx,
        "Client",
        lambda **options: real(**options, transport=httpx.MockTransport(send)),
    )
    monkeypatch.setattr(airflow_client, "PAUSE_S", 0.0)
    yield script


def client(answers: list[Any], *script: Any) -> AirflowClient:
    made = AirflowClient("http://127.0.0.1:1", "admin", "secret")
    answers[:] = script
    return made


SLOW = httpx.ReadTimeout("slow")
GONE = httpx.ConnectError("refused")


@pytest.mark.parametrize(
    "hitch", [SLOW, GONE, httpx.Response(503), httpx.Response(500)]
)
def test_a_question_is_repeated_until_it_is_answered(
    answers: list[Any], hitch: Any
) -> None:
    one = client(answers, hitch, hitch, httpx.Response(200, json={"state": "running"}))
    assert one.run_state("r1") == "running"


def test_a_refusal_is_final_at_once(answers: list[Any]) -> None:
    one = client(answers, httpx.Response(404, json={"detail": "no such run"}), SLOW)
    with pytest.raises(SupervisorError, match=r"\(404\): no such run"):
        one.run_state("r1")
    assert answers == [SLOW], "asked once"


def test_patience_ends(answers: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    one = client(answers, SLOW)
    monkeypatch.setattr(airflow_client, "PATIENCE_S", 0.05)
    with pytest.raises(SupervisorError, match="does not answer GET"):
        one.run_state("r1")


def test_a_trigger_whose_answer_was_lost_starts_one_run(answers: list[Any]) -> None:
    # The first request reached the server: the second finds the run there.
    one = client(answers, SLOW, httpx.Response(409, json={"detail": "exists"}))
    run = one.trigger({"recipe": "smoke"})
    assert run.startswith("manual__")


def test_a_trigger_that_is_refused_is_an_error(answers: list[Any]) -> None:
    one = client(answers, httpx.Response(400, json={"detail": "niche: wrong"}))
    with pytest.raises(SupervisorError, match="niche: wrong"):
        one.trigger({"niche": 3})
