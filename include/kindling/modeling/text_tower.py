"""MiniLM with mean pooling: as published it embeds reviews for search, fine-tuned it classifies them."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import BertModel

from kindling.errors import DataError
from kindling.modeling import pretrained

EMBEDDING_TOKENS = 256


def native_bf16() -> bool:
    """Whether the processor multiplies bfloat16 itself; where it emulates, float32 is faster."""
    capabilities = torch.cpu.get_capabilities()
    return bool(
        capabilities.get("avx512_bf16")
        or capabilities.get("amx_bf16")
        or capabilities.get("bf16")
    )


def autocast() -> contextlib.AbstractContextManager[None]:
    """bfloat16 where it is native, float32 elsewhere."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=native_bf16())


def tokenize(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]


def pad(
    rows: Sequence[Sequence[int]], pad_id: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask, both int64 [n, longest]."""
    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for position, row in enumerate(rows):
        ids[position, : len(row)] = torch.tensor(row)
        mask[position, : len(row)] = 1
    return ids, mask


def batches_by_length(lengths: Sequence[int], batch_size: int) -> list[np.ndarray]:
    """Row numbers in batches of like length, so that little is padded; every row once."""
    order = np.argsort(np.asarray(lengths), kind="stable")
    return [
        order[start : start + batch_size] for start in range(0, len(order), batch_size)
    ]


def mean_pool(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """[n, tokens, d] and [n, tokens] -> [n, d], padding left out."""
    weights = mask.unsqueeze(-1).to(torch.float32)
    return (hidden.float() * weights).sum(1) / weights.sum(1).clamp(min=1.0)


class TextTower(nn.Module):
    """Encoder, mean pooling and a linear head: token ids -> sentiment logits [n, 3]."""

    def __init__(self, encoder: BertModel, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(encoder.config.hidden_size, classes)
        )

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return self.head(mean_pool(hidden, mask))


class TextClassifier:
    """Tokenizer and tower together: texts in, logits out."""

    def __init__(self, tokenizer: Tokenizer, tower: TextTower) -> None:
        self.tokenizer = tokenizer
        self.tower = tower

    @classmethod
    def fresh(
        cls, folder: Path, classes: int, max_tokens: int, seed: int
    ) -> "TextClassifier":
        """Published encoder weights under a new head; `seed` draws the head."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            tower = TextTower(pretrained.load_encoder(folder), classes)
        return cls(pretrained.load_tokenizer(folder, max_tokens), tower)

    def logits(self, texts: Sequence[str], batch_size: int = 32) -> np.ndarray:
        """float32 [n, 3]."""
        rows = tokenize(self.tokenizer, texts)
        result = np.zeros(
            (len(rows), self.tower.head[-1].out_features), dtype=np.float32
        )
        self.tower.train(False)
        for batch in batches_by_length([len(row) for row in rows], batch_size):
            with torch.inference_mode(), autocast():
                result[batch] = (
                    self.tower(*pad([rows[i] for i in batch])).float().numpy()
                )
        return result


class Embedder:
    """Published MiniLM weights as a sentence encoder; `model_id` names the vector space."""

    def __init__(self, folder: Path | None = None) -> None:
        found, sha256 = pretrained.locate(folder)
        self.model_id = pretrained.model_id(found, sha256)
        self._tokenizer = pretrained.load_tokenizer(found, EMBEDDING_TOKENS)
        self._encoder = pretrained.load_encoder(found).train(False)
        self.dimension: int = self._encoder.config.hidden_size

    def encode(self, texts: Sequence[str], batch_size: int = 32) -> np.ndarray:
        """float32 [n, dimension], L2-normalised, in the order given."""
        rows = tokenize(self._tokenizer, texts)
        result = np.zeros((len(rows), self.dimension), dtype=np.float32)
        for batch in batches_by_length([len(row) for row in rows], batch_size):
            ids, mask = pad([rows[i] for i in batch])
            with torch.inference_mode(), autocast():
                hidden = self._encoder(
                    input_ids=ids, attention_mask=mask
                ).last_hidden_state
            result[batch] = nn.functional.normalize(
                mean_pool(hidden, mask), dim=1
            ).numpy()
        if not np.isfinite(result).all():
            raise DataError(
                f"{self.model_id}: non-finite embedding; the weights are damaged"
            )
        return result
