"""A call is paid once, a budget is never overrun, and an answer fits its schema or is an error."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.errors import BudgetSpent, ConfigurationError, DataError, TransientError
from kindling.llm.chat import Answer, Request
from kindling.llm.metered import Budget, MeteredLlm, Price, spending_topic
from kindling.ports.llm import Message
from kindling.stores.memory import MemoryStanding

SCHEMA = {
    "type": "object",
    "properties": {"mood": {"enum": ["good", "bad"]}},
    "required": ["mood"],
}


class Scripted:
    """Answers from a list, or by a function of the request; remembers what was asked."""

    name = "scripted@here"
    concurrency = 4

    def __init__(self, *answers: str | Exception | Callable[[Request], Answer]) -> None:
        self.answers = list(answers) or ["yes"]
        self.asked: list[Request] = []
        self.lock = threading.Lock()

    def answer(self, request: Request, key: str) -> Answer:
        with self.lock:
            self.asked.append(request)
            said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(said, Exception):
            raise said
        if callable(said):
            return said(request)
        return Answer(said, 10, 5)


def ask(llm: MeteredLlm, text: str = "hello", **more: object) -> str:
    return llm.complete([Message("user", text)], max_tokens=20, **more).text  # type: ignore[arg-type]


def test_the_same_request_is_paid_once_even_by_another_run() -> None:
    chat, store = Scripted("one", "two"), MemoryStanding()
    first = MeteredLlm(chat, store, "monday")
    assert [ask(first), ask(first)] == ["one", "one"]
    second = MeteredLlm(chat, store, "tuesday")
    answer = second.complete([Message("user", "hello")], max_tokens=20)
    assert (answer.text, answer.cached) == ("one", True)
    assert len(chat.asked) == 1
    assert (first.spent.tokens, second.spent.tokens) == (15, 0)


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"temperature": 0.5}, {"schema": SCHEMA}]
)
def test_another_request_is_another_call(change: dict[str, object]) -> None:
    chat = Scripted('{"mood": "good"}')
    llm = MeteredLlm(chat, MemoryStanding(), "run")
    ask(llm)
    ask(llm, **change)
    assert len(chat.asked) == 2


def test_an_answer_that_does_not_fit_is_asked_again_and_each_try_is_paid() -> None:
    chat = Scripted("I feel good", '{"mood": "so so"}', '```json\n{"mood": "bad"}\n```')
    llm = MeteredLlm(chat, MemoryStanding(), "run")
    answer = llm.complete([Message("user", "mood?")], schema=SCHEMA, seed=7)
    assert answer.parsed == {"mood": "bad"}
    assert [request.seed for request in chat.asked] == [7, 8, 9]
    assert llm.spent.tokens == 45


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("{", "no JSON"),
        ('{"mood": 3}', "mood does not fit the schema"),
        (lambda request: Answer('{"mo', 10, 20, cut_off=True), "cut off after 20"),
    ],
)
def test_what_never_fits_is_an_error_that_says_why(said: object, problem: str) -> None:
    llm = MeteredLlm(Scripted(said), MemoryStanding(), "run")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=problem):
        llm.complete([Message("user", "mood?")], schema=SCHEMA)


def test_a_budget_ends_a_run_before_the_call_that_would_overrun_it() -> None:
    chat = Scripted()
    llm = MeteredLlm(chat, MemoryStanding(), "run", Budget(tokens=200))
    with pytest.raises(BudgetSpent, match=r"of 200 tokens .*KINDLING_LLM_MAX_TOKENS"):
        for number in range(100):
            ask(llm, f"number {number}")
    assert 0 < llm.spent.tokens <= 200
    assert llm.spent.tokens == 15 * len(chat.asked), "nothing stays reserved"


def test_money_is_counted_by_the_price_of_each_side() -> None:
    llm = MeteredLlm(Scripted(), MemoryStanding(), "run", price=Price(2.0, 8.0))
    ask(llm)
    assert llm.spent.money == pytest.approx(10 * 2e-6 + 5 * 8e-6)


def test_a_budget_of_money_ends_a_run_too() -> None:
    budget, price = Budget(money=0.0005), Price(1.0, 1.0)
    llm = MeteredLlm(Scripted(), MemoryStanding(), "run", budget, price)
    with pytest.raises(BudgetSpent, match="KINDLING_LLM_MAX_COST"):
        for number in range(100):
            ask(llm, f"number {number}")
    assert 0 < llm.spent.money <= 0.0005


def test_after_an_outage_the_price_stays_reserved_until_the_answer_comes() -> None:
    store = MemoryStanding()
    chat = Scripted(TransientError("no answer"), "late")
    llm = MeteredLlm(chat, store, "run")
    with pytest.raises(TransientError):
        ask(llm)
    assert llm.spent.tokens > 20
    again = MeteredLlm(chat, store, "run")
    assert (ask(again), again.spent.tokens) == ("late", 15)


def test_a_refused_call_costs_nothing() -> None:
    llm = MeteredLlm(Scripted(ConfigurationError("401")), MemoryStanding(), "run")
    with pytest.raises(ConfigurationError):
        ask(llm)
    assert llm.spent.tokens == 0


def test_a_kill_between_answer_and_settling_is_settled_by_the_next_attempt() -> None:
    store = MemoryStanding()
    MeteredLlm(Scripted(), store, "run")
    whole = MeteredLlm(Scripted(), store, "run")
    ask(whole)
    key = next(iter(store.latest(spending_topic("run"))))
    value = {"tokens": 999.0, "money": 0.0, "state": "reserved"}
    store.append(spending_topic("run"), key, value)
    after = MeteredLlm(Scripted(), store, "run")
    assert after.spent.tokens == 999
    ask(after)
    assert after.spent.tokens == 15


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=40),
    st.integers(0, 2000),
    st.integers(1, 8),
)
def test_no_order_of_calls_in_threads_overruns_a_budget(
    costs: list[tuple[int, int]], budget: int, threads: int
) -> None:
    """A call may take as many tokens as its prompt has bytes, and what it was allowed to make."""

    def priced(request: Request) -> Answer:
        _, made = costs[int(request.messages[0].content.split()[0])]
        return Answer("x", request.most_prompt_tokens, made)

    llm = MeteredLlm(Scripted(priced), MemoryStanding(), "run", Budget(tokens=budget))

    def call(number: int) -> None:
        try:
            ask(llm, f"{number} " + "x" * costs[number][0])
        except BudgetSpent:
            pass

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(call, range(len(costs))))
    assert llm.spent.tokens <= budget


def test_options_get_probabilities_that_sum_to_one() -> None:
    def odds(request: Request) -> Answer:
        return Answer("a", 5, 1, log_probabilities={"good": -0.1, "bad": -2.4})

    llm = MeteredLlm(Scripted(odds), MemoryStanding(), "run")
    found = llm.choose([Message("user", "mood?")], ("good", "bad", "odd"))
    assert sum(found.values()) == pytest.approx(1)
    assert found["good"] > found["bad"] > found["odd"] == 0


def test_an_address_without_log_probabilities_is_an_error() -> None:
    llm = MeteredLlm(Scripted("a"), MemoryStanding(), "run")
    with pytest.raises(DataError, match="no log-probabilities"):
        llm.choose([Message("user", "mood?")], ("good", "bad"))


def test_what_is_kept_is_json() -> None:
    store = MemoryStanding()
    ask(MeteredLlm(Scripted(), store, "run"))
    (fact,) = store.read("llm_call")
    assert json.loads(json.dumps(fact.value))["run_id"] == "run"
