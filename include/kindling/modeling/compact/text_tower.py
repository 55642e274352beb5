"""MiniLM fine-tuned to classify: texts in, sentiment logits out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn
from transformers import BertModel

from kindling.modeling import pretrained
from kindling.modeling.device import autocast, device
from kindling.modeling.encoding import batches_by_length, mean_pool, pad, tokenize


class TextTower(nn.Module):
    """Encoder, mean pooling and a linear head: token ids -> sentiment logits [n, 3]."""

    def __init__(self, encoder: BertModel, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.classes = classes
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(encoder.config.hidden_size, classes)
        )

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        logits: torch.Tensor = self.head(mean_pool(hidden, mask))
        return logits


class TextClassifier:
    """Tokenizer and tower together: texts in, logits out."""

    def __init__(self, tokenizer: Tokenizer, tower: TextTower) -> None:
        self.tokenizer = tokenizer
        self.tower = tower.to(device())

    @classmethod
    def fresh(
        cls, folder: Path, classes: int, max_tokens: int, seed: int
    ) -> "TextClassifier":
        """Published encoder weights under a new head; `seed` draws the head."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            tower = TextTower(pretrained.load_encoder(folder), classes)
        return cls(pretrained.load_tokenizer(folder, max_tokens), tower)

    def logits(self, texts: Sequence[str], batch_size: int = 32) -> NDArray[np.float32]:
        """float32 [n, 3]."""
        rows = tokenize(self.tokenizer, texts)
        result = np.zeros((len(rows), self.tower.classes), dtype=np.float32)
        self.tower.train(False)
        for batch in batches_by_length([len(row) for row in rows], batch_size):
            with torch.inference_mode(), autocast():
                logits = self.tower(*pad([rows[i] for i in batch]))
            result[batch] = logits.float().cpu().numpy()
        return result
