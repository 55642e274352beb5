"""The port `Llm` over any chat model: a call is paid for once, and a run spends what it may.

Before a call its highest price is reserved in the standing store, afterwards the true price takes
its place and the answer is kept. A run that is killed in between leaves the reservation, which
goes on counting; the next attempt asks again with the same idempotency key. So what was answered
is never paid for twice, and no crash makes a budget larger.
"""

import json
import logging
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema

from kindling.errors import BudgetSpent, ConfigurationError, DataError
from kindling.llm.chat import Answer, Chat, Request
from kindling.ports.llm import Completion, Message
from kindling.ports.standing import Fact, StandingStore

log = logging.getLogger(__name__)

#: Answers asked for, with another seed each, until one fits the schema.
_TRIES = 3
CALLS = "llm_call"


def spending_topic(run_id: str) -> str:
    """Topic that holds what the run has reserved and paid, by call."""
    return f"llm_spending/{run_id}"


@dataclass(frozen=True)
class Price:
    """Money for a million tokens; zero for a model that costs nothing."""

    prompt: float = 0.0
    completion: float = 0.0

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """What so many tokens cost."""
        total = prompt_tokens * self.prompt + completion_tokens * self.completion
        return total / 1_000_000


@dataclass(frozen=True)
class Budget:
    """What one run may spend; infinity where nothing limits it."""

    tokens: float = math.inf
    money: float = math.inf


@dataclass(frozen=True)
class Spending:
    """Tokens and money, reserved or paid."""

    tokens: float = 0.0
    money: float = 0.0

    def __add__(self, other: "Spending") -> "Spending":
        return Spending(self.tokens + other.tokens, self.money + other.money)

    def within(self, budget: Budget) -> bool:
        """Whether the budget covers it; a rounding error of a millionth is forgiven."""
        return self.tokens <= budget.tokens and self.money <= budget.money + 1e-9


class MeteredLlm:
    """Llm with cache, ledger and budget. Safe for threads."""

    def __init__(
        self,
        chat: Chat,
        store: StandingStore,
        run_id: str,
        budget: Budget | None = None,
        price: Price | None = None,
    ) -> None:
        """What earlier attempts of the run have spent counts from the beginning."""
        self.name = chat.name
        self._chat = chat
        self._store = store
        self._run_id = run_id
        self._budget = budget or Budget()
        self._price = price or Price()
        self._spent: dict[str, Spending] = {}
        self._lock = threading.Lock()

    @property
    def spent(self) -> Spending:
        """What the run has reserved and paid so far, its earlier attempts included."""
        with self._lock:
            self._refresh()
            return self._total()

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Any] | None = None,
        temperature: float = 0.0,
        max_tokens: int = 512,
        seed: int = 0,
    ) -> Completion:
        """One answer that fits the schema, from the cache where it was paid for before."""
        problem = ""
        for attempt in range(_TRIES if schema is not None else 1):
            request = Request(
                tuple(messages), schema, temperature, max_tokens, seed + attempt
            )
            answer, cached = self._once(request)
            parsed, problem = _parsed(answer, schema)
            if not problem:
                return Completion(
                    answer.text,
                    parsed,
                    self.name,
                    answer.prompt_tokens,
                    answer.completion_tokens,
                    cached,
                )
            log.warning("answer %d of %s: %s", attempt + 1, self.name, problem)
        raise DataError(f"{self.name}: {problem}; the answer was {answer.text[:200]!r}")

    def choose(
        self, messages: Sequence[Message], options: Sequence[str], *, seed: int = 0
    ) -> Mapping[str, float]:
        """Probability of each option as the answer, from log-probabilities; they sum to 1."""
        if len(options) < 2 or len(set(options)) < len(options):
            raise ValueError(f"two different options at least are wanted: {options}")
        request = Request(tuple(messages), None, 0.0, 1, seed, tuple(options))
        answer, _ = self._once(request)
        if not answer.log_probabilities:
            raise DataError(f"{self.name} gives no log-probabilities for its answer")
        highest = max(answer.log_probabilities.values())
        odds = {
            option: math.exp(answer.log_probabilities.get(option, -math.inf) - highest)
            for option in options
        }
        return {option: value / sum(odds.values()) for option, value in odds.items()}

    def _once(self, request: Request) -> tuple[Answer, bool]:
        """The answer, and whether it was paid for before."""
        key = request.key(self.name)
        known = self._store.get(CALLS, key)
        if known:
            self._settle_leftover(key, known)
            return _answer_of(known), True
        self._reserve(key, request)
        try:
            answer = self._chat.answer(request, key)
        except ConfigurationError:
            # Refused before any work was done; after an outage nobody knows, so that stays reserved.
            with self._lock:
                self._write(key, Spending(), "released")
            raise
        kept = self._store.put_once(CALLS, key, self._kept(answer))
        self._settle(key, answer)
        return _answer_of(kept), False

    def _reserve(self, key: str, request: Request) -> None:
        """Set the highest possible price aside, or BudgetSpent.

        The reservation is written first and the sum read afterwards: of two processes that spend the
        last of a budget at once both may be refused, but never both admitted.
        """
        highest = self._cost(request.most_prompt_tokens, request.max_tokens)
        with self._lock:
            self._refresh()
            before = self._spent.get(key)
            if before is None:
                self._write(key, highest, "reserved")
                self._refresh()
            if self._total().within(self._budget):
                return
            if before is None:
                self._write(key, Spending(), "released")
                self._refresh()
            total = self._total()
        raise BudgetSpent(
            f"run {self._run_id!r}: {total.tokens:.0f} of {self._budget.tokens:.0f} tokens and"
            f" {total.money:.4f} of {self._budget.money:.4f} in money are spent or reserved; the"
            f" next call to {self.name} may take {highest.tokens:.0f} tokens and"
            f" {highest.money:.4f}. Raise KINDLING_LLM_MAX_TOKENS or KINDLING_LLM_MAX_COST"
        )

    def _settle(self, key: str, answer: Answer) -> None:
        with self._lock:
            cost = self._cost(answer.prompt_tokens, answer.completion_tokens)
            self._write(key, cost, "paid")

    def _settle_leftover(self, key: str, known: Fact) -> None:
        """An attempt that was killed between keeping the answer and settling left its reservation."""
        with self._lock:
            self._refresh()
            if key not in self._spent or known.value["run_id"] != self._run_id:
                return
            answer = _answer_of(known)
            cost = self._cost(answer.prompt_tokens, answer.completion_tokens)
            if self._spent[key] != cost:
                self._write(key, cost, "paid")

    def _write(self, key: str, cost: Spending, state: str) -> None:
        value = {"tokens": cost.tokens, "money": cost.money, "state": state}
        self._store.append(spending_topic(self._run_id), key, value)

    def _refresh(self) -> None:
        """Read what this process and others have reserved and paid."""
        self._spent = {
            key: Spending(fact.value["tokens"], fact.value["money"])
            for key, fact in self._store.latest(spending_topic(self._run_id)).items()
            if fact.value["state"] != "released"
        }

    def _total(self) -> Spending:
        return sum(self._spent.values(), Spending())

    def _cost(self, prompt_tokens: int, completion_tokens: int) -> Spending:
        money = self._price.of(prompt_tokens, completion_tokens)
        return Spending(prompt_tokens + completion_tokens, money)

    def _kept(self, answer: Answer) -> dict[str, Any]:
        return {
            "text": answer.text,
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "cut_off": answer.cut_off,
            "log_probabilities": answer.log_probabilities,
            "model": self.name,
            "run_id": self._run_id,
        }


def _answer_of(fact: Fact) -> Answer:
    value = fact.value
    return Answer(
        value["text"],
        value["prompt_tokens"],
        value["completion_tokens"],
        value["cut_off"],
        value["log_probabilities"],
    )


def _parsed(
    answer: Answer, schema: Mapping[str, Any] | None
) -> tuple[Mapping[str, Any] | None, str]:
    """The answer by its schema, and what is wrong with it ("" for nothing)."""
    if schema is None:
        return None, ""
    if answer.cut_off:
        return None, f"the answer was cut off after {answer.completion_tokens} tokens"
    try:
        parsed = json.loads(_unfenced(answer.text))
        jsonschema.validate(parsed, schema)
    except json.JSONDecodeError as error:
        return None, f"the answer is no JSON ({error})"
    except jsonschema.ValidationError as error:
        at = ".".join(map(str, error.absolute_path)) or "the answer"
        return None, f"{at} does not fit the schema: {error.message}"
    return parsed, ""


def _unfenced(text: str) -> str:
    """Without the code fence that some models put around JSON."""
    text = text.strip()
    if text.startswith("```"):
        text = text.split("\n", 1)[-1].rsplit("```", 1)[0]
    return text
