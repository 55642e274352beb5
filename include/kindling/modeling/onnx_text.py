"""Texts through an exported encoder: tokens in batches of like length, rows in the order given."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from kindling.errors import DataError
from kindling.modeling.onnx_session import batches, feeds, opened


class TextGraph:
    """An exported encoder and its tokenizer."""

    def __init__(self, path: Path, tokenizer: Tokenizer, threads: int) -> None:
        self._path, self._tokenizer = path, tokenizer
        self._session = opened(path, threads)
        self._output = self._session.get_outputs()[0].name

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 [n, width of the graph's output]; DataError where a value is not finite."""
        rows = [one.ids for one in self._tokenizer.encode_batch(list(texts))]
        found: NDArray[np.float32] | None = None
        for batch in batches([len(row) for row in rows]):
            given = feeds(self._session, [rows[at] for at in batch])
            [values] = self._session.run([self._output], given)
            if found is None:
                found = np.zeros((len(rows), values.shape[1]), dtype=np.float32)
            found[batch] = values
        if found is None:
            raise ValueError("no text was given")
        if not np.isfinite(found).all():
            raise DataError(f"{self._path.name} answers with what is no number")
        return found


class GraphEncoder:
    """The search encoder as a graph: `encode` is that of the Embedder that it was made from."""

    def __init__(self, graph: TextGraph, model_id: str) -> None:
        self._graph = graph
        #: Name of the vector space.
        self.model_id = model_id

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 [n, dimension], L2-normalised, in the order given."""
        vectors = self._graph(texts)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)
