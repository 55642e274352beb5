"""The conversational prompt as tokens: what the model is asked, and the one word that it should answer.

The answer's tokens are put behind the prompt's by number, so that no tokenizer can merge the two and the
loss can be taken on the answer alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from string import Template
from typing import Any

import torch

from kindling.errors import ConfigurationError, DataError
from kindling.modeling.device import device
from kindling.modeling.photos import decode_upright
from kindling.records import SENTIMENTS

PROMPT = "judge_review.v1"
#: No token of the prompt is to be predicted; PyTorch's cross-entropy leaves this label out.
MASKED = -100
#: Longest side at which a photo is handed to a model's own processor.
MAX_SIDE = 1024

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Turn:
    """What is asked about one review."""

    text: str
    #: An encoded picture; decoded when its batch is made.
    photo: bytes | None = None


class Conversation:
    """Turns reviews into a model's inputs by the model's own processor."""

    def __init__(self, processor: Any, text_tokens: int) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.tokenizer.padding_side = "right"
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        if self.tokenizer.eos_token_id is None:
            raise ConfigurationError("the model's tokenizer has no end-of-text token")
        self.text_tokens = text_tokens
        self._template, self.prompt_sha256 = _template()
        #: Token ids of each answer, in the order of SENTIMENTS, without the end of text.
        self.answers = [self._answer(word) for word in SENTIMENTS]

    def prompts(self, turns: Sequence[Turn]) -> Batch:
        """Inputs of the prompts alone, padded on the right; either every turn has a photo or none."""
        photos = [one.photo for one in turns if one.photo is not None]
        if photos and len(photos) < len(turns):
            raise ValueError(
                "a batch holds rows with a photo or rows without, not both"
            )
        asked: dict[str, Any] = {
            "text": [self._asked(one) for one in turns],
            "padding": True,
            "return_tensors": "pt",
        }
        if photos:
            asked["images"] = [[decode_upright(one, MAX_SIDE)] for one in photos]
        return dict(self.processor(**asked))

    def with_answers(self, turns: Sequence[Turn], answers: Sequence[int]) -> Batch:
        """Prompts, each with the answer that SENTIMENTS has at its number, and `labels` [n, tokens].

        Labels are masked everywhere but on the answer and the end of text behind it.
        """
        end = [self.tokenizer.eos_token_id]
        return self._behind(
            self.prompts(turns), [[*self.answers[at], *end] for at in answers]
        )

    def _behind(self, prompts: Batch, answers: Sequence[Sequence[int]]) -> Batch:
        lengths = prompts["attention_mask"].sum(1).tolist()
        shape = prompts["input_ids"].shape
        longest = max(
            length + len(answer)
            for length, answer in zip(lengths, answers, strict=True)
        )
        made = {}
        for name, tensor in prompts.items():
            if tensor.shape != shape:
                made[name] = tensor
                continue
            filler = self.tokenizer.pad_token_id if name == "input_ids" else 0
            wider = torch.full((shape[0], longest), filler, dtype=tensor.dtype)
            kept = min(longest, shape[1])
            wider[:, :kept] = tensor[:, :kept]
            made[name] = wider
        made["labels"] = torch.full((shape[0], longest), MASKED)
        for row, (length, answer) in enumerate(zip(lengths, answers, strict=True)):
            place = slice(length, length + len(answer))
            made["input_ids"][row, place] = torch.tensor(answer)
            made["attention_mask"][row, place] = 1
            made["labels"][row, place] = torch.tensor(answer)
        return made

    def _asked(self, turn: Turn) -> str:
        question = self._template.substitute(text=self._cut(turn.text))
        if self.processor.chat_template:
            content: list[Mapping[str, str]] = [{"type": "text", "text": question}]
            if turn.photo is not None:
                content.insert(0, {"type": "image"})
            asked: str = self.processor.apply_chat_template(
                [{"role": "user", "content": content}], add_generation_prompt=True
            )
            return asked
        # LLaVA-v1.5's own format, for processors that bring none.
        image = "<image>\n" if turn.photo is not None else ""
        return f"USER: {image}{question}\nASSISTANT:"

    def _cut(self, text: str) -> str:
        # Whoever writes the name of a special token into a review must not write to the model.
        for token in self.tokenizer.all_special_tokens:
            text = text.replace(token, " ")
        image_token = getattr(self.processor, "image_token", "")
        if image_token:
            text = text.replace(image_token, " ")
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) <= self.text_tokens:
            return text
        cut: str = self.tokenizer.decode(ids[: self.text_tokens])
        return cut

    def _answer(self, word: str) -> list[int]:
        ids: list[int] = self.tokenizer(f" {word}", add_special_tokens=False)[
            "input_ids"
        ]
        if not ids:
            raise ConfigurationError(f"the model's tokenizer has no token for {word!r}")
        return ids


def on_device(batch: Batch) -> Batch:
    """The same tensors on the device that trains and answers."""
    return {name: tensor.to(device()) for name, tensor in batch.items()}


def answer_log_likelihood(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Log-probability of each row's unmasked tokens, summed: logits [n, t, vocabulary], labels [n, t] -> [n]."""
    said, wanted = logits[:, :-1], labels[:, 1:]
    counted = wanted != MASKED
    rows, places = counted.nonzero(as_tuple=True)
    # Only where an answer is predicted: the vocabulary of a whole prompt would not fit.
    log_probabilities = said[rows, places].float().log_softmax(-1)
    chosen = log_probabilities.gather(1, wanted[rows, places][:, None])[:, 0]
    summed = torch.zeros(len(logits), device=logits.device)
    return summed.index_add(0, rows, chosen)


def answer_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over the tokens of each row's answer, [n]; DataError when a row has none."""
    tokens = (labels[:, 1:] != MASKED).sum(1)
    if not bool((tokens > 0).all()):
        raise DataError("every label of a row is masked: there is no answer to learn")
    return -answer_log_likelihood(logits, labels) / tokens


def _template() -> tuple[Template, str]:
    text = (resources.files("kindling") / "prompts" / f"{PROMPT}.md").read_text("utf-8")
    return Template(text.strip()), sha256(text.encode()).hexdigest()
