"""Texts as padded batches of tokens, and their encoding as one vector each."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from kindling.modeling.device import device


def tokenize(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text, special tokens included, not padded."""
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]


def pad(
    rows: Sequence[Sequence[int]], pad_id: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask, both int64 [n, longest], on the device."""
    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for position, row in enumerate(rows):
        ids[position, : len(row)] = torch.tensor(row)
        mask[position, : len(row)] = 1
    return ids.to(device()), mask.to(device())


def batches_by_length(
    lengths: Sequence[int], batch_size: int
) -> list[NDArray[np.int64]]:
    """Row numbers in batches of like length, so that little is padded; every row once."""
    order = np.argsort(np.asarray(lengths), kind="stable")
    return [
        order[start : start + batch_size] for start in range(0, len(order), batch_size)
    ]


def mean_pool(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """[n, tokens, d] and [n, tokens] -> [n, d], padding left out."""
    weights = mask.unsqueeze(-1).to(torch.float32)
    return (hidden.float() * weights).sum(1) / weights.sum(1).clamp(min=1.0)
