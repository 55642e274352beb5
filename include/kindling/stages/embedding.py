"""Vectors of texts out of the cache, and new ones into it: a night embeds only what is new."""

import hashlib
import logging
from collections.abc import Sequence

import numpy as np

from kindling.modeling.embedder import Embedder
from kindling.ports.index import EmbeddingCache

#: Texts embedded between two entries into the cache: what a killed attempt has to do again.
CHUNK = 1024

log = logging.getLogger(__name__)


def embedded_texts(
    cache: EmbeddingCache, embedder: Embedder, texts: Sequence[str]
) -> tuple[np.ndarray, int]:
    """float32 [n, D] in the order of the texts, and how many were not in the cache."""
    keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    vectors = cache.get(embedder.model_id, sorted(set(keys)))
    missing = {
        key: text for key, text in zip(keys, texts, strict=True) if key not in vectors
    }
    todo = sorted(missing.items())
    for start in range(0, len(todo), CHUNK):
        chunk = todo[start : start + CHUNK]
        made = dict(
            zip(
                (key for key, _ in chunk),
                embedder.encode([text for _, text in chunk]),
                strict=True,
            )
        )
        cache.put(embedder.model_id, made)
        vectors.update(made)
        log.info("embedded %d of %d new texts", start + len(chunk), len(todo))
    return np.stack([vectors[key] for key in keys]), len(todo)
