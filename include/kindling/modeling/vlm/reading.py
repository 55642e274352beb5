"""A vision-language model as a function: reviews in, the log-probability of each answer out."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from kindling.modeling.encoding import batches_by_length
from kindling.modeling.vlm.conversation import (
    MASKED,
    Conversation,
    Turn,
    answer_log_likelihood,
    on_device,
)
from kindling.records import SENTIMENTS

BATCH = 8


def answer_logits(
    model: nn.Module, conversation: Conversation, turns: Sequence[Turn]
) -> NDArray[np.float32]:
    """float32 [n, 3]: log P(answer | prompt) of each sentiment's word."""
    found = np.zeros((len(turns), len(SENTIMENTS)), dtype=np.float32)
    model.train(False)
    for rows in batches(turns, BATCH):
        some = [turns[row] for row in rows]
        with torch.inference_mode():
            found[rows] = _log_probabilities(model, conversation, some).cpu().numpy()
    return found


def batches(turns: Sequence[Turn], batch_size: int) -> list[NDArray[np.int64]]:
    """Row numbers in batches of like length, with a photo or without, never both."""
    made = []
    for wanted in (False, True):
        rows = np.array(
            [row for row, one in enumerate(turns) if (one.photo is not None) == wanted],
            dtype=np.int64,
        )
        if len(rows):
            lengths = [len(turns[row].text) for row in rows]
            made += [rows[at] for at in batches_by_length(lengths, batch_size)]
    return made


def _log_probabilities(
    model: nn.Module, conversation: Conversation, turns: Sequence[Turn]
) -> torch.Tensor:
    """float32 [n, 3]; one pass where every answer is one token, else one for each answer."""
    answers = conversation.answers
    if all(len(answer) == 1 for answer in answers):
        batch = on_device(conversation.prompts(turns))
        last = batch["attention_mask"].sum(1) - 1
        logits = model(**batch, use_cache=False).logits
        rows = torch.arange(len(turns), device=logits.device)
        said = logits[rows, last].float().log_softmax(-1)
        chosen: torch.Tensor = said[:, [answer[0] for answer in answers]]
        return chosen
    found = []
    for at, answer in enumerate(answers):
        batch = on_device(conversation.with_answers(turns, [at] * len(turns)))
        labels = _without_end(batch.pop("labels"), len(answer))
        logits = model(**batch, use_cache=False).logits
        found.append(answer_log_likelihood(logits, labels))
    return torch.stack(found, dim=1)


def _without_end(labels: torch.Tensor, kept: int) -> torch.Tensor:
    """Labels of the first `kept` tokens of each row's answer: how it ends says nothing of its class."""
    number = (labels != MASKED).cumsum(1)
    return labels.masked_fill(number > kept, MASKED)
