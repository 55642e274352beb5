"""What is new on the running server: explanations, events, and runs without a scheduler."""

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kindling.client import ApiError, Client
from kindling.client.schemas import Explanation, TrainRequest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from tiny_server import FolderRegistry


@pytest.fixture(scope="module")
def server(world) -> Iterator[Any]:
    with world.server() as running:
        yield running


@pytest.fixture(scope="module")
def client(server) -> Iterator[Client]:
    with Client(server.url) as made:
        yield made


def test_an_explanation_covers_the_text_and_agrees_with_the_answer(client) -> None:
    text = "The seam ripped  after one wash,\nlovely colour though"
    answer = client.analyze(text, top_k=0)
    found = client.explain(text)
    assert (found.sentiment, found.confidence) == (answer.sentiment, answer.confidence)
    assert [text[one.start : one.end].strip() for one in found.parts] == text.split()
    assert found.parts[0].start == 0 and found.parts[-1].end == len(text)
    # A part's weight is what leaving it out does to the very same model.
    first = found.parts[0]
    without = client.analyze(text[first.end :], top_k=0)
    fall = found.confidence - without.probabilities[found.sentiment]
    assert first.weight == pytest.approx(fall, abs=2e-4)


def test_a_long_text_is_told_in_at_most_24_parts(client) -> None:
    found = client.explain("word " * 300)
    assert 1 < len(found.parts) <= 24


@pytest.mark.parametrize("body", [{"text": " "}, {"text": "a" * 20_001}, {"txt": "a"}])
def test_what_cannot_be_explained_is_refused(server, body: dict[str, str]) -> None:
    answer = server.post("/explain", json=body)
    assert answer.status_code in (400, 413, 422)
    assert answer.json()["error"]["code"]


def test_one_word_has_nothing_to_leave_out(client) -> None:
    assert [one.weight for one in client.explain("Fine").parts] == [None]


def test_events_tell_what_serves_and_go_on_behind_the_last_one(client) -> None:
    first = next_events(client, None, {"worker", "serving", "search"})
    assert {one.kind for one in first} == {"worker", "serving", "search"}
    serving = next(one for one in first if one.kind == "serving")
    assert serving.content.model_extra["model_version"] == "1"
    ids = [one.event_id for one in first]
    assert ids == sorted(set(ids))
    again = next_events(client, ids[0], {one.kind for one in first[1:]})
    assert [one.event_id for one in again] == ids[1:]


def test_a_swap_is_told_while_a_client_listens(world, client) -> None:
    known = next_events(client, None, {"worker", "serving", "search"})
    heard: list[Any] = []

    def listen() -> None:
        for event in client.events(after=known[-1].event_id):
            heard.append(event)
            return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    registry = FolderRegistry(world.folder / "registry")
    try:
        registry.promote("2")
        listener.join(20)
    finally:
        registry.promote("1")
    assert [one.kind for one in heard] == ["serving"]
    assert heard[0].content.model_extra["model_version"] == "2"


def test_an_id_that_is_not_kept_any_more_is_answered_with_a_gap(client) -> None:
    for event in client.events(after=1):
        assert event.kind == "gap"
        break


def test_a_run_is_begun_once_watched_and_ended(client) -> None:
    last = next_events(client, None, {"worker", "serving", "search"})[-1]
    asked = TrainRequest(train_id="monday", recipe="demo")
    begun = client.train(asked)
    assert (begun.train_id, begun.state, begun.stages) == ("monday", "running", 9)
    assert client.train(asked) == begun == client.training("monday")
    assert client.cancel_training("monday").state == "failed"
    # One that has ended stays as it was.
    assert client.cancel_training("monday").state == "failed"
    told = [next_events(client, last.event_id, {"training"})[-1]]
    assert told[0].content.model_extra["train_id"] == "monday"
    assert client.build_index().state == "running"


def test_a_run_that_nobody_began_is_unknown(client) -> None:
    for name in ("tuesday", "a" * 101, "../dags"):
        with pytest.raises(ApiError) as refused:
            client.training(name)
        assert refused.value.status == 404


def test_without_a_scheduler_a_run_is_refused_by_name(world) -> None:
    with world.server("instant") as server, Client(server.url) as client:
        refused_by_name(client)


def refused_by_name(client: Client) -> None:
    for call in (
        lambda: client.train(TrainRequest(train_id="monday")),
        lambda: client.training("monday"),
        lambda: client.cancel_training("monday"),
        client.build_index,
    ):
        with pytest.raises(ApiError) as refused:
            call()
        assert (refused.value.status, refused.value.code) == (404, "no_scheduler")
        assert "KINDLING_AIRFLOW_URL" in str(refused.value)


def test_listeners_do_not_hold_up_those_who_ask(server, client) -> None:
    with httpx.Client(base_url=server.url, timeout=30) as http:
        streams = [http.stream("GET", "/events") for _ in range(10)]
        for one in streams:
            assert one.__enter__().status_code == 200
        started = time.monotonic()
        assert isinstance(client.explain("Soft and warm"), Explanation)
        assert time.monotonic() - started < 10
        for one in streams:
            one.__exit__(None, None, None)


def next_events(client: Client, after: int | None, kinds: set[str]) -> list[Any]:
    """Events until each of the kinds has come."""
    found: list[Any] = []
    for event in client.events(after):
        found.append(event)
        if kinds <= {one.kind for one in found}:
            return found
    raise AssertionError("the stream ended")
