"""One batch through everything that training will use, before the minutes are spent; each fault has its name."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from kindling.errors import DataError

PROBE_ROWS = 8


def check_lengths(name: str, lengths: Sequence[int], limit: int) -> None:
    """DataError when no training row is whole: every one reaches the limit, where it was cut."""
    if lengths and min(lengths) >= limit:
        raise DataError(
            f"preflight, {name}: all {len(lengths)} rows were cut at {limit} tokens;"
            " raise max_tokens"
        )


def check_gradient(name: str, module: nn.Module, loss: torch.Tensor) -> float:
    """Loss of one batch.

    DataError unless it is finite, not zero, and its gradient reaches the tower's first layer.
    """
    value = float(loss.detach())
    if not np.isfinite(value) or value == 0.0:
        raise DataError(f"preflight, {name}: the loss of the first batch is {value}")
    if not loss.requires_grad:
        raise DataError(
            f"preflight, {name}: the loss does not depend on any trained weight"
        )
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = {
        part: p.grad
        for part, p in module.named_parameters()
        if p.requires_grad and p.grad is not None
    }
    for part, gradient in gradients.items():
        if not torch.isfinite(gradient).all():
            raise DataError(f"preflight, {name}: no usable gradient at {part}")
    first = next(
        part for part, parameter in module.named_parameters() if parameter.requires_grad
    )
    if first not in gradients or not bool((gradients[first] != 0).any()):
        raise DataError(f"preflight, {name}: no usable gradient at {first}")
    module.zero_grad(set_to_none=True)
    return value


def check_sensitivity(
    name: str,
    logits_of: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    inputs: NDArray[np.int64],
) -> None:
    """DataError when different inputs give the same logits: the tower does not look at them."""
    logits = logits_of(inputs[:PROBE_ROWS])
    if not np.isfinite(logits).all():
        raise DataError(f"preflight, {name}: logits are not finite before any step")
    if len(logits) > 1 and float(np.ptp(logits, axis=0).max()) == 0.0:
        raise DataError(
            f"preflight, {name}: {len(logits)} different inputs give the same logits"
        )
