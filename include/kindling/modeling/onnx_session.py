"""Runs exported graphs on the processor. Nothing here needs torch."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as states

from kindling.errors import DataError

#: What onnxruntime says of a file that it cannot run; it has no base class for these.
UNREADABLE = (
    states.Fail,
    states.InvalidArgument,
    states.InvalidGraph,
    states.InvalidProtobuf,
    states.NoSuchFile,
    states.NotImplemented,
)
#: Fusions into an operator that takes longer on a processor than what it stands for.
SLOWER = ("SkipLayerNormFusion", "BiasSkipLayerNormFusion")
#: Tokens of one batch, padding included. Alone a text of 80 tokens uses the core as well as a
#: batch does; only short ones gain from company.
BATCH_TOKENS = 128


def opened(graph: Path | bytes, threads: int) -> onnxruntime.InferenceSession:
    """A graph, ready to run; DataError when it is none."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin between two requests take the core from those that read requests.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            graph if isinstance(graph, bytes) else str(graph),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=list(SLOWER),
        )
    except UNREADABLE as error:
        name = "the graph" if isinstance(graph, bytes) else str(graph)
        raise DataError(f"{name} is no graph that can be run: {error}") from error


def feeds(
    session: onnxruntime.InferenceSession, rows: Sequence[Sequence[int]]
) -> dict[str, NDArray[Any]]:
    """Token ids and mask [n, longest] under the graph's names, in the types that it wants."""
    longest = max(len(row) for row in rows)
    ids = np.zeros((len(rows), longest), dtype=np.int64)
    mask = np.zeros_like(ids)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = row
        mask[at, : len(row)] = 1
    values = {"ids": ids, "mask": mask}
    return {
        one.name: values[one.name].astype(np.int32 if "32" in one.type else np.int64)
        for one in session.get_inputs()
    }


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Row numbers in batches of like length and at most BATCH_TOKENS, the shortest first."""
    batch: list[int] = []
    for at in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and lengths[at] * (len(batch) + 1) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch
