"""One batch through everything that training will use, before the minutes are spent."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from kindling.errors import DataError

PROBE_ROWS = 8


def check_gradient(name: str, module: nn.Module, loss: torch.Tensor) -> float:
    """Loss of one batch. DataError unless it is finite, not zero, and its gradient reaches the tower's first layer."""
    value = float(loss.detach())
    if not np.isfinite(value) or value == 0.0:
        raise DataError(f"preflight, {name}: the loss of the first batch is {value}")
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = {
        part: p.grad
        for part, p in module.named_parameters()
        if p.requires_grad and p.grad is not None
    }
    broken = [
        part
        for part, gradient in gradients.items()
        if not torch.isfinite(gradient).all()
    ]
    first = next(
        part for part, parameter in module.named_parameters() if parameter.requires_grad
    )
    if broken or first not in gradients or not bool((gradients[first] != 0).any()):
        raise DataError(
            f"preflight, {name}: no usable gradient at {(broken or [first])[0]}"
        )
    module.zero_grad(set_to_none=True)
    return value


def check_sensitivity(
    name: str, logits_of: Callable[[np.ndarray], np.ndarray], inputs: np.ndarray
) -> None:
    """DataError when different inputs give the same logits: the tower does not look at them."""
    logits = logits_of(inputs[:PROBE_ROWS])
    if len(logits) > 1 and float(np.ptp(logits, axis=0).max()) == 0.0:
        raise DataError(
            f"preflight, {name}: {len(logits)} different inputs give the same logits"
        )
