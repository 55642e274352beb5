"""A training's state without its sharding: gathered from any number of ranks, dealt to any other.

Weights, both of Adam's moments and the step, by the name of the parameter. DeepSpeed's own checkpoints are
laid out by rank and need a conversion before another number of ranks can read them.
"""

from collections.abc import Iterator
from typing import Any

import torch
from deepspeed.utils import (
    safe_get_full_fp32_param,
    safe_get_full_optimizer_state,
    safe_set_full_fp32_param,
    safe_set_full_optimizer_state,
    safe_set_local_fp32_param,
    safe_set_local_optimizer_state,
)
from torch import nn

MOMENTS = ("exp_avg", "exp_avg_sq")


def trained(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Names and parameters that training changes."""
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            yield name, parameter


def gather(engine: Any) -> dict[str, dict[str, torch.Tensor]]:
    """Whole tensors in float32, one parameter after the other; every rank has to take part."""
    found: dict[str, dict[str, torch.Tensor]] = {
        "weights": {},
        **{one: {} for one in MOMENTS},
    }
    for name, parameter in trained(engine.module):
        found["weights"][name] = _kept(safe_get_full_fp32_param(parameter))
        for moment in MOMENTS:
            whole = safe_get_full_optimizer_state(parameter, moment)
            found[moment][name] = _kept(whole)
    return found


def deal(engine: Any, state: dict[str, Any], rank: int, ranks: int) -> None:
    """Put a gathered state into an engine that has not stepped yet."""
    _begin_moments(engine.optimizer, float(state["step"]))
    for name, parameter in trained(engine.module):
        _set(parameter, state["weights"][name], None, rank, ranks)
        for moment in MOMENTS:
            _set(parameter, state[moment][name], moment, rank, ranks)


def _kept(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().float().cpu().clone()


def _begin_moments(optimizer: Any, step: float) -> None:
    """Adam makes its moments at its first step; here they are made before, for the state to go into."""
    sharded = hasattr(optimizer, "fp32_partitioned_groups_flat")
    flat = (
        optimizer.fp32_partitioned_groups_flat
        if sharded
        else optimizer.single_partition_of_fp32_groups
    )
    for group in flat:
        optimizer.optimizer.state[group] = {
            "step": torch.tensor(step),
            **{moment: torch.zeros_like(group) for moment in MOMENTS},
        }
    if not sharded:
        # What DeepSpeed itself calls after the first step: it ties parameters to their moments.
        optimizer._lazy_init_hp_params_optimizer_state()


def _set(
    parameter: nn.Parameter,
    whole: torch.Tensor,
    moment: str | None,
    rank: int,
    ranks: int,
) -> None:
    value = whole.to(parameter.device)
    if not hasattr(parameter, "ds_id"):
        if moment:
            safe_set_full_optimizer_state(parameter, value, moment)
        else:
            safe_set_full_fp32_param(parameter, value)
        return
    # ZeRO-3 fills parameters up to equal parts; the whole one is shorter than their sum.
    each = -(-whole.numel() // ranks)
    padded = value.new_zeros(each * ranks)
    padded[: whole.numel()] = value.flatten()
    own = padded.narrow(0, rank * each, each)
    if moment:
        safe_set_local_optimizer_state(parameter, own, moment)
    else:
        safe_set_local_fp32_param(parameter, own)
