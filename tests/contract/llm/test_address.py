"""The adapter for an OpenAI-compatible address against the practice server: real HTTP, real faults."""

import json
import threading
import time
from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from kindling.errors import ConfigurationError, DataError, TransientError
from kindling.llm.address import AddressChat, Patience
from kindling.llm.chat import Request
from kindling.llm.metered import Budget, MeteredLlm
from kindling.llm.practice import Faults, PracticeServer
from kindling.ports.llm import Message
from kindling.stores.memory import MemoryStanding
from kindling.stores.standing import PostgresStanding

SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "body": {"type": "string"}},
    "required": ["title", "body"],
    "additionalProperties": False,
}
PROMPT = (Message("user", "Sentiment: negative\nProduct: skirt\nLength: 20 words"),)


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    serving = PracticeServer(api_key="secret")
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield serving
    serving.shutdown()
    serving.server_close()
    thread.join()


def chat(server: PracticeServer, key: str = "secret", **patience: float) -> AddressChat:
    quick = Patience(**{"retries": 2, "timeout_s": 5.0, **patience})  # type: ignore[arg-type]
    return AddressChat(server.url, "practice", key, quick)


def test_an_answer_comes_with_its_cost(server: PracticeServer) -> None:
    answer = chat(server).answer(Request(PROMPT, SCHEMA, seed=3), "key")
    assert set(json.loads(answer.text)) == {"title", "body"}
    assert "skirt" in answer.text
    statement = server.desk.statement()
    assert answer.prompt_tokens + answer.completion_tokens == statement["tokens"]
    assert answer.prompt_tokens <= Request(PROMPT, SCHEMA).most_prompt_tokens


def test_the_same_request_gets_the_same_answer(server: PracticeServer) -> None:
    one, two, other = (
        chat(server).answer(Request(PROMPT, seed=seed), f"key {number}").text
        for number, seed in enumerate((1, 1, 2))
    )
    assert one == two != other


def test_options_get_log_probabilities(server: PracticeServer) -> None:
    llm = MeteredLlm(chat(server), MemoryStanding(), "run")
    asked = [Message("user", "I was disappointed and returned it, poor quality.")]
    odds = llm.choose(asked, ("positive", "negative"))
    assert sum(odds.values()) == pytest.approx(1)
    assert odds["negative"] > odds["positive"]


def test_outages_are_outlived_and_paid_once(server: PracticeServer) -> None:
    server.desk.faults = Faults(status_every=2)
    for number in range(4):
        chat(server).answer(Request(PROMPT, seed=number), f"key {number}")
    statement = server.desk.statement()
    assert (statement["billed"], statement["billed_twice"]) == (4, 0)
    assert statement["requests"] > 4


def test_a_connection_that_breaks_after_the_work_is_not_paid_again(
    server: PracticeServer,
) -> None:
    server.desk.faults = Faults(hangup_every=2)
    chat(server).answer(Request(PROMPT, seed=1), "one")
    chat(server).answer(Request(PROMPT, seed=2), "two")
    statement = server.desk.statement()
    assert (statement["requests"], statement["billed"]) == (3, 2)


@pytest.mark.parametrize(
    ("faults", "error", "message"),
    [
        (Faults(status_every=1), TransientError, "503"),
        (Faults(status_every=1, status=429), TransientError, "429"),
        (Faults(status_every=1, status=400), ConfigurationError, "KINDLING_LLM_URL"),
        (Faults(slow_every=1, slow_s=1.0), TransientError, "no answer within 0.2 s"),
        (Faults(hangup_every=1), TransientError, "cannot be reached"),
        (Faults(broken_every=1), DataError, "practice@http"),
    ],
)
def test_every_fault_is_an_error_that_says_what_to_do(
    server: PracticeServer, faults: Faults, error: type[Exception], message: str
) -> None:
    server.desk.faults = faults
    patience = {"timeout_s": 0.2} if faults.slow_every else {}
    with pytest.raises(error, match=message):
        chat(server, retries=1, **patience).answer(Request(PROMPT), "key")


def test_a_misfit_answer_is_asked_again(server: PracticeServer) -> None:
    server.desk.faults = Faults(misfit_every=1)
    llm = MeteredLlm(chat(server), MemoryStanding(), "run")
    with pytest.raises(DataError, match="does not fit the schema"):
        llm.complete(PROMPT, schema=SCHEMA)
    assert server.desk.statement()["billed"] == 3
    server.desk.faults = Faults(cut_every=1)
    with pytest.raises(DataError, match="cut off"):
        llm.complete(PROMPT, schema=SCHEMA, seed=100)


def test_a_wrong_key_is_the_settings_fault(server: PracticeServer) -> None:
    with pytest.raises(ConfigurationError, match="API key is wrong"):
        chat(server, key="guess").answer(Request(PROMPT), "key")
    assert server.desk.statement()["billed"] == 0


def test_nobody_there_is_transient() -> None:
    quick = Patience(retries=0, timeout_s=2)
    with pytest.raises(TransientError, match="cannot be reached"):
        AddressChat("http://127.0.0.1:9/v1", "m", "", quick).answer(
            Request(PROMPT), "k"
        )


def test_the_pace_is_kept(server: PracticeServer) -> None:
    paced = chat(server, per_minute=600)
    began = time.monotonic()
    for seed in range(4):
        paced.answer(Request(PROMPT, seed=seed), str(seed))
    # Three gaps of a tenth of a second; slower is the machine's affair.
    assert time.monotonic() - began >= 0.29


def test_the_bill_can_be_read_while_it_serves(server: PracticeServer) -> None:
    chat(server).answer(Request(PROMPT), "key")
    address = server.url.removesuffix("/v1")
    with urlopen(f"{address}/practice/bill", timeout=5) as reply:
        assert json.load(reply)["billed"] == 1


def test_the_meter_remembers_in_postgres(
    server: PracticeServer, database_url: str
) -> None:
    """What one process has paid for, another does not pay again, nor does it get a new budget."""
    for _ in range(2):
        store = PostgresStanding(database_url)
        llm = MeteredLlm(chat(server), store, "run", Budget(tokens=5_000))
        llm.complete(PROMPT, schema=SCHEMA)
        assert llm.spent.tokens == server.desk.statement()["tokens"]
    assert server.desk.statement()["billed"] == 1
