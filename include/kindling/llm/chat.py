"""One paid call to a language model: what is asked, what comes back, and who can answer."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from kindling.ports.llm import Message

#: Tokens that a chat template adds to each message at most.
_TEMPLATE = 32


@dataclass(frozen=True)
class Request:
    """Everything that decides the answer; equal requests are one call."""

    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    temperature: float = 0.0
    max_tokens: int = 512
    seed: int = 0
    #: Where an answer is chosen: the options, of which each gets a probability.
    options: tuple[str, ...] = ()

    def key(self, name: str) -> str:
        """SHA-256 of the request to the model called `name`."""
        content = json.dumps([name, asdict(self)], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def most_prompt_tokens(self) -> int:
        """Tokens of the prompt at most: no tokenizer makes more of a text than it has bytes."""
        texts = [message.content for message in self.messages]
        if self.schema is not None:
            texts.append(json.dumps(self.schema))
        texts += self.options
        size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
        return size + _TEMPLATE * (len(self.messages) + len(self.options) + 1)


@dataclass(frozen=True)
class Answer:
    """What came back, as it came."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    #: True when the limit on tokens cut it off.
    cut_off: bool = False
    #: Option -> log-probability, of a request with options.
    log_probabilities: Mapping[str, float] | None = None


class Chat(Protocol):
    """Answers one request. Each call may cost money; remembering is the caller's work."""

    #: Model and address; part of the key of a request.
    name: str
    #: Calls under way at once that the model can take.
    concurrency: int

    def answer(self, request: Request, key: str) -> Answer:
        """One answer. `key` is the same for the same request: a server that knows idempotency keys
        answers a repeated one without doing (or billing) the work again.

        TransientError when nobody answers in time, ConfigurationError when the address,
        key or model is wrong, DataError when the answer is not one.
        """
        ...


def lettered(
    messages: Sequence[Message], options: Sequence[str]
) -> tuple[tuple[Message, ...], dict[str, str]]:
    """The conversation with the options as a list of letters, and letter -> option.

    One letter is one token, so its log-probability is the option's, whatever the tokenizer.
    """
    letters = {chr(ord("A") + at): option for at, option in enumerate(options)}
    listed = "\n".join(f"{letter}. {option}" for letter, option in letters.items())
    asked = f"{messages[-1].content}\n\n{listed}\n\nAnswer with one letter."
    return (*messages[:-1], Message(messages[-1].role, asked)), letters
