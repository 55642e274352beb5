"""A causal language model in this process: any local folder that Hugging Face's classes can load."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from kindling.errors import ConfigurationError, DataError
from kindling.llm.chat import Answer, Request
from kindling.ports.llm import Message


class InProcessChat:
    """Chat by `transformers`. Nothing leaves the machine and nothing costs money; one call at a time."""

    concurrency = 1

    def __init__(self, folder: str, device: str = "cpu") -> None:
        """Load weights and tokenizer; ConfigurationError naming the folder when there are none."""
        if not (Path(folder) / "config.json").is_file():
            raise ConfigurationError(
                f"KINDLING_LLM_MODEL={folder!r}: no config.json there; wanted: the folder of a"
                " causal language model, or KINDLING_LLM_URL for a model behind an address"
            )
        self.name = f"{Path(folder).name}@in-process"
        self._device = device
        self._lock = threading.Lock()
        self._tokenizer, self._model = _loaded(folder)
        self._model.to(device).train(False)

    def answer(self, request: Request, key: str) -> Answer:
        """One answer; a schema is asked for in words, since nothing here constrains the decoding."""
        prompt = self._tokens(_with_schema(request))
        with self._lock, torch.inference_mode():
            if request.options:
                return self._chosen(prompt, request.options)
            return self._generated(prompt, request)

    def _generated(self, prompt: torch.Tensor, request: Request) -> Answer:
        # transformers draws from the process's generator; it is put back afterwards.
        with torch.random.fork_rng():
            torch.manual_seed(request.seed)
            sampling = (
                {"do_sample": True, "temperature": request.temperature}
                if request.temperature > 0
                else {"do_sample": False}
            )
            whole = self._model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=request.max_tokens,
                pad_token_id=self._end,
                **sampling,
            )
        made = whole[0, prompt.shape[1] :]
        text = self._tokenizer.decode(made, skip_special_tokens=True)
        ended = bool(len(made)) and int(made[-1]) in self._ends
        return Answer(text, prompt.shape[1], len(made), not ended)

    def _chosen(self, prompt: torch.Tensor, options: Sequence[str]) -> Answer:
        """Each option's log-probability as a whole, token by token, after the prompt."""
        odds, read = {}, prompt.shape[1]
        for option in options:
            tokens = self._tokenizer(
                option, add_special_tokens=False, return_tensors="pt"
            ).input_ids.to(self._device)
            if not tokens.shape[1]:
                raise DataError(f"{self.name}: the option {option!r} has no token")
            whole = torch.cat([prompt, tokens], dim=1)
            logits = self._model(whole).logits[0, prompt.shape[1] - 1 : -1].float()
            chances = logits.log_softmax(-1).gather(1, tokens[0][:, None])
            # By the token, so that a long option is not the less likely for its length.
            odds[option] = float(chances.mean())
        best = max(odds, key=odds.__getitem__)
        return Answer(best, read, 0, False, odds)

    def _tokens(self, messages: Sequence[Message]) -> torch.Tensor:
        turns = [{"role": one.role, "content": one.content} for one in messages]
        if self._tokenizer.chat_template:
            text = self._tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True
            )
            encoded = self._tokenizer(
                text, add_special_tokens=False, return_tensors="pt"
            )
        else:
            text = "\n\n".join(f"{one['role']}: {one['content']}" for one in turns)
            encoded = self._tokenizer(f"{text}\n\nassistant:", return_tensors="pt")
        tokens: torch.Tensor = encoded.input_ids.to(self._device)
        longest = getattr(self._model.config, "max_position_embeddings", None)
        if longest and tokens.shape[1] >= longest:
            raise DataError(
                f"{self.name}: the prompt has {tokens.shape[1]} tokens, the model reads {longest}"
            )
        return tokens

    @property
    def _ends(self) -> set[int]:
        ends = self._model.generation_config.eos_token_id
        if ends is None:
            ends = self._tokenizer.eos_token_id
        return set(ends) if isinstance(ends, list) else {ends} - {None}

    @property
    def _end(self) -> int:
        return min(self._ends, default=0)


def _loaded(folder: str) -> tuple[Any, Any]:
    try:
        return (
            AutoTokenizer.from_pretrained(folder, local_files_only=True),
            AutoModelForCausalLM.from_pretrained(folder, local_files_only=True),
        )
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"KINDLING_LLM_MODEL={folder!r} cannot be loaded: {error}"
        ) from error


def _with_schema(request: Request) -> Sequence[Message]:
    if request.schema is None:
        return request.messages
    last = request.messages[-1]
    asked = (
        f"{last.content}\n\nAnswer with one JSON object that fits this schema and with nothing"
        f" else:\n{json.dumps(request.schema)}"
    )
    return (*request.messages[:-1], Message(last.role, asked))
