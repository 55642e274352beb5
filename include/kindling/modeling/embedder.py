"""MiniLM as published: embeds reviews for search."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from kindling.errors import DataError
from kindling.modeling import pretrained
from kindling.modeling.device import autocast, device
from kindling.modeling.encoding import batches_by_length, mean_pool, pad, tokenize

MAX_TOKENS = 256


class Embedder:
    """Published MiniLM weights as a sentence encoder; `model_id` names the vector space."""

    def __init__(self, folder: Path | None = None) -> None:
        found, sha256 = pretrained.locate(folder)
        self.model_id = pretrained.model_id(found, sha256)
        self.tokenizer = pretrained.load_tokenizer(found, MAX_TOKENS)
        self.encoder = pretrained.load_encoder(found).train(False).to(device())
        self.dimension: int = self.encoder.config.hidden_size

    def encode(self, texts: Sequence[str], batch_size: int = 32) -> NDArray[np.float32]:
        """float32 [n, dimension], L2-normalised, in the order given."""
        rows = tokenize(self.tokenizer, texts)
        result = np.zeros((len(rows), self.dimension), dtype=np.float32)
        for batch in batches_by_length([len(row) for row in rows], batch_size):
            ids, mask = pad([rows[i] for i in batch])
            with torch.inference_mode(), autocast():
                hidden = self.encoder(
                    input_ids=ids, attention_mask=mask
                ).last_hidden_state
            pooled = nn.functional.normalize(mean_pool(hidden, mask), dim=1)
            result[batch] = pooled.cpu().numpy()
        if not np.isfinite(result).all():
            raise DataError(
                f"{self.model_id}: non-finite embedding; the weights are damaged"
            )
        return result
