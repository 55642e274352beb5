"""What the product asks of a language model, whoever serves it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Completion:
    """An answer, and what it cost."""

    text: str
    #: The answer parsed by the schema that was asked for; None where none was.
    parsed: Mapping[str, Any] | None
    model: str
    prompt_tokens: int
    completion_tokens: int
    #: True when it was paid for before and came from the cache.
    cached: bool = False


class Llm(Protocol):
    """A chat model."""

    #: Model and address, for reports.
    name: str

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Any] | None = None,
        temperature: float = 0.0,
        max_tokens: int = 512,
        seed: int = 0,
    ) -> Completion:
        """One answer, parsed by the JSON schema where one is given.

        DataError when the answer does not fit the schema, TransientError when nobody answers
        in time, BudgetSpent when the run's budget does not cover the call.
        """
        ...

    def choose(
        self, messages: Sequence[Message], options: Sequence[str], *, seed: int = 0
    ) -> Mapping[str, float]:
        """Probability of each option as the answer, from log-probabilities; they sum to 1."""
        ...
