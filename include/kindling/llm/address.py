"""Any address that speaks OpenAI's chat completions: OpenAI, vLLM, Ollama, llama.cpp."""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from kindling.errors import ConfigurationError, DataError, TransientError
from kindling.llm.chat import Answer, Request, lettered
from kindling.ports.llm import Message

#: Most alternatives for a token that OpenAI's interface gives.
_TOP = 20


@dataclass(frozen=True)
class Patience:
    """How long and how often an address is asked."""

    #: Seconds that one try may take.
    timeout_s: float = 60.0
    #: Tries after the first, for outages and "too many requests"; the pauses between them grow.
    retries: int = 4
    #: Requests begun in a minute at most; 0 for no limit.
    per_minute: int = 0
    #: Requests under way at once.
    concurrency: int = 4


class AddressChat:
    """Chat by the `openai` package."""

    def __init__(
        self, url: str, model: str, api_key: str = "", patience: Patience | None = None
    ) -> None:
        """`url` ends with the version, as in `http://localhost:8000/v1`; a local server needs no key."""
        self.name = f"{model}@{url}"
        self._model = model
        self._patience = patience or Patience()
        self.concurrency = self._patience.concurrency
        self._pace = _Pace(self._patience.per_minute)
        self._client = openai.OpenAI(
            base_url=url,
            api_key=api_key or "none",
            timeout=self._patience.timeout_s,
            max_retries=self._patience.retries,
        )

    def answer(self, request: Request, key: str) -> Answer:
        """One answer, after as many tries as the patience allows."""
        self._pace.wait()
        letters: Mapping[str, str] = {}
        messages: Sequence[Message] = request.messages
        if request.options:
            messages, letters = lettered(messages, request.options)
        try:
            reply = self._client.chat.completions.create(
                model=self._model,
                messages=[
                    {"role": one.role, "content": one.content}  # type: ignore[misc]
                    for one in messages
                ],
                temperature=request.temperature,
                max_tokens=request.max_tokens,
                seed=request.seed,
                extra_headers={"Idempotency-Key": key},
                **_shape(request),
            )
        except openai.OpenAIError as error:
            raise self._named(error) from error
        except json.JSONDecodeError as error:
            raise DataError(f"{self.name}: the reply is no JSON: {error}") from error
        return self._read(reply, letters)

    def _read(self, reply: ChatCompletion, letters: Mapping[str, str]) -> Answer:
        if not isinstance(reply, ChatCompletion) or not reply.choices:
            raise DataError(f"{self.name}: the reply holds no choice: {reply!r:.200}")
        choice = reply.choices[0]
        if reply.usage is None:
            raise DataError(f"{self.name}: the reply does not say what it cost (usage)")
        return Answer(
            choice.message.content or "",
            reply.usage.prompt_tokens,
            reply.usage.completion_tokens,
            choice.finish_reason == "length" and not letters,
            _letter_odds(choice, letters) if letters else None,
        )

    def _named(self, error: openai.OpenAIError) -> Exception:
        """The product's error for one of the client's, so that Airflow knows what to do."""
        said = f"{self.name}: {error}"
        if isinstance(error, openai.APITimeoutError):
            return TransientError(
                f"{self.name} gave no answer within {self._patience.timeout_s} s,"
                f" {self._patience.retries + 1} times"
            )
        if isinstance(error, openai.APIConnectionError):
            return TransientError(f"{self.name} cannot be reached: {error.__cause__}")
        if isinstance(error, openai.RateLimitError | openai.InternalServerError):
            return TransientError(f"{said} (after {self._patience.retries + 1} tries)")
        if isinstance(error, openai.APIStatusError):
            return ConfigurationError(
                f"{said}; look at KINDLING_LLM_URL, KINDLING_LLM_MODEL and KINDLING_LLM_API_KEY"
            )
        return DataError(said)


def _shape(request: Request) -> dict[str, Any]:
    if request.options:
        return {"logprobs": True, "top_logprobs": _TOP}
    if request.schema is None:
        return {}
    schema = {"name": "answer", "schema": dict(request.schema), "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _letter_odds(choice: Any, letters: Mapping[str, str]) -> dict[str, float]:
    """Option -> log-probability of its letter as the first token; the largest of its spellings."""
    content = choice.logprobs.content if choice.logprobs else None
    odds: dict[str, float] = {}
    for token in content[0].top_logprobs if content else ():
        option = letters.get(token.token.strip().upper())
        if option is not None:
            odds[option] = max(odds.get(option, token.logprob), token.logprob)
    return odds


class _Pace:
    """Spreads requests evenly over the minute."""

    def __init__(self, per_minute: int) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may begin."""
        with self._lock:
            now = time.monotonic()
            begin = max(now, self._next)
            self._next = begin + self._gap
        if begin > now:
            time.sleep(begin - now)
