"""One loop for both towers: planned batches, warm-up then linear decay, checkpoints, and no silent NaN."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from kindling.errors import DataError
from kindling.modeling.checkpoint import Checkpoint

WARM_UP_SHARE = 0.06
GRADIENT_NORM = 1.0
LABEL_SMOOTHING = 0.05
LOG_SECONDS = 10.0

Indices = NDArray[np.int64]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    #: Mean loss of the first and of the last tenth of the steps.
    first_loss: float
    last_loss: float
    steps: int
    resumed_at: int


@dataclass(frozen=True)
class Task:
    """What is to be learned."""

    #: For log lines and errors.
    name: str
    module: nn.Module
    #: AdamW's groups: `params` and `lr`.
    groups: Sequence[Mapping[str, Any]]
    #: Row numbers of a batch -> its loss.
    loss_of: Callable[[Indices], torch.Tensor]


def fit(
    task: Task,
    plan: Sequence[Indices],
    checkpoint: Checkpoint,
    seed: int,
    clock: Callable[[], float] = time.monotonic,
) -> Fitted:
    """Train the task's module in place on the batches of `plan`, with AdamW.

    The plan, the learning rate and the random state at step k depend on nothing but k and `seed`, so
    a run that resumes from its checkpoint ends with the weights of one that never stopped.
    DataError when a loss is not finite.
    """
    optimizer = torch.optim.AdamW(
        [{**group, "params": list(group["params"])} for group in task.groups],
        weight_decay=0.01,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_factor(step, len(plan))
    )
    name, module = task.name, task.module
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        losses = _restore(checkpoint, module, optimizer, schedule)
        resumed_at = len(losses)
        pace = _Pace(name, plan, resumed_at, clock)
        module.train()
        for step in range(resumed_at, len(plan)):
            losses.append(
                _step(
                    module,
                    optimizer,
                    task.loss_of(plan[step]),
                    f"{name} step {step + 1}",
                )
            )
            schedule.step()
            if (step + 1) % checkpoint.every == 0 or step + 1 == len(plan):
                _save(checkpoint, module, optimizer, schedule, losses)
            pace.tell(step + 1, losses)
    module.train(False)
    tenth = max(1, len(losses) // 10)
    return Fitted(
        float(np.mean(losses[:tenth])),
        float(np.mean(losses[-tenth:])),
        len(plan),
        resumed_at,
    )


def learning_rate_factor(step: int, steps: int) -> float:
    """Linear from 0 over the first 6 % of the steps to 1, then linear to 0 at the end."""
    warm_up = max(1, round(WARM_UP_SHARE * steps))
    return min((step + 1) / warm_up, (steps - step) / max(1, steps - warm_up + 1), 1.0)


def length_bucketed_plan(
    lengths: Sequence[int], batch_size: int, epochs: int, seed: int
) -> list[Indices]:
    """Every row once an epoch, in batches of like length, in random order.

    Rows are sorted by length only within chunks of 50 batches, so that batches differ between epochs.
    """
    rng = np.random.default_rng(seed)
    by_row = np.asarray(lengths)
    plan: list[Indices] = []
    for _ in range(epochs):
        order = rng.permutation(len(by_row))
        batches = []
        for start in range(0, len(order), 50 * batch_size):
            chunk = order[start : start + 50 * batch_size]
            chunk = chunk[np.argsort(by_row[chunk], kind="stable")]
            batches += [
                chunk[at : at + batch_size] for at in range(0, len(chunk), batch_size)
            ]
        plan += [batches[at] for at in rng.permutation(len(batches))]
    return plan


def _step(
    module: nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor, where: str
) -> float:
    value = float(loss.detach())
    if not np.isfinite(value):
        raise DataError(
            f"{where}: the loss is {value}; lower the learning rate or look for damaged rows"
        )
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(
        (p for p in module.parameters() if p.requires_grad), GRADIENT_NORM
    )
    optimizer.step()
    return value


def _trained(module: nn.Module) -> dict[str, torch.Tensor]:
    """Weights and buffers that training changes; frozen ones come from where they came from before."""
    frozen = {
        name
        for name, parameter in module.named_parameters()
        if not parameter.requires_grad
    }
    return {
        name: tensor
        for name, tensor in module.state_dict().items()
        if name not in frozen
    }


def _save(
    checkpoint: Checkpoint,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: Any,
    losses: list[float],
) -> None:
    checkpoint.save(
        {
            "weights": _trained(module),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state_all(),
            "losses": losses,
        }
    )


def _restore(
    checkpoint: Checkpoint,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: Any,
) -> list[float]:
    state = checkpoint.load()
    if state is None:
        return []
    module.load_state_dict(state["weights"], strict=False)
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    torch.set_rng_state(state["random"])
    if len(state["cuda_random"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda_random"])
    return list(state["losses"])


class _Pace:
    """Progress lines, at most one each ten seconds: loss, rows a second, time left."""

    def __init__(
        self,
        name: str,
        plan: Sequence[Indices],
        start: int,
        clock: Callable[[], float],
    ) -> None:
        self._name, self._plan, self._start, self._clock = name, plan, start, clock
        self._began = self._said = clock()
        if start:
            log.info("%s: resumed at step %d of %d", name, start, len(plan))

    def tell(self, step: int, losses: list[float]) -> None:
        now = self._clock()
        if now - self._said < LOG_SECONDS and step != len(self._plan):
            return
        self._said = now
        rows = sum(len(batch) for batch in self._plan[self._start : step])
        rate = rows / max(now - self._began, 1e-9)
        left = sum(len(batch) for batch in self._plan[step:]) / rate
        log.info(
            "%s: step %d of %d, loss %.4f, %.0f rows/s, %.0f s left",
            self._name,
            step,
            len(self._plan),
            float(np.mean(losses[-20:])),
            rate,
            left,
        )
