"""One rank of a training, started by torchrun: `python -m kindling.modeling.vlm.rank FOLDER`.

DeepSpeed shards optimiser, gradients and (ZeRO-3) weights over the ranks. Every rank knows the whole plan of
batches and takes its share of each, so that the number of ranks changes neither the batches nor the losses.
"""

import json
import logging
import sys
from pathlib import Path
from typing import Any

import deepspeed
import numpy as np
import torch
from torch import distributed as dist

from kindling.errors import DataError, KindlingError
from kindling.modeling.device import set_threads, use_device
from kindling.modeling.fitting import GRADIENT_NORM, learning_rate_factor
from kindling.modeling.vlm import preflight, weights
from kindling.modeling.vlm import state as states
from kindling.modeling.vlm.conversation import Conversation, answer_loss, on_device
from kindling.modeling.vlm.job import ERROR, STATE, Indices, Job, load_state, share

WEIGHT_DECAY = 0.01

log = logging.getLogger(__name__)


class Training:
    """A model under DeepSpeed, and the rows that it learns from."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.rank, self.ranks = dist.get_rank(), dist.get_world_size()
        model, processor = weights.load(Path(job.options.folder))
        self.conversation = Conversation(processor, job.options.text_tokens)
        module = weights.trainable(model, job.options, job.seed)
        self.plan = job.plan()
        self.state = load_state(job.folder / STATE)
        if self.state is None:
            preflight.check(module, self.conversation, job, self.plan)
        else:
            module.load_state_dict(self.state["weights"], strict=False)
        parameters = [one for one in module.parameters() if one.requires_grad]
        optimizer = torch.optim.AdamW(
            parameters, lr=job.options.learning_rate, weight_decay=WEIGHT_DECAY
        )
        self.engine, *_ = deepspeed.initialize(
            model=module,
            optimizer=optimizer,
            config=self._config(parameters[0].dtype),
        )
        self.losses: list[float] = []
        if self.state is not None:
            states.deal(self.engine, self.state, self.rank, self.ranks)
            self.losses = list(self.state["losses"])

    def run(self) -> None:
        """Every step that has not been taken yet; the state is left behind at the end."""
        self.engine.train()
        steps = len(self.plan)
        for step in range(len(self.losses), steps):
            self._rate(step, steps)
            self.losses.append(self._step(self.plan[step], step))
            done = step + 1
            if done % self.job.options.checkpoint_steps == 0 or done == steps:
                self._save()

    def _step(self, batch: Indices, step: int) -> float:
        options = self.job.options
        total = float(sum(self.job.rows[row].weight for row in batch))
        parts = share(batch, self.rank, self.ranks, options.micro_batch)
        torch.manual_seed(self.job.seed + step)
        summed = torch.zeros(())
        for number, rows in enumerate(parts):
            loss = self._loss(rows, int(batch[0]))
            summed += loss.detach().float().cpu()
            self.engine.set_gradient_accumulation_boundary(number == len(parts) - 1)
            # DeepSpeed takes the mean over ranks; wanted is the mean over rows.
            self.engine.backward(loss * (self.ranks / total))
            self.engine.step()
        whole = summed.to(self.engine.device)
        dist.all_reduce(whole)
        value = float(whole) / total
        if not np.isfinite(value):
            raise DataError(
                f"vision-language model, step {step + 1}: the loss is {value}; lower learning_rate"
            )
        if self.rank == 0:
            log.info("step %d of %d, loss %.4f", step + 1, len(self.plan), value)
        return value

    def _loss(self, rows: Indices, of_batch: int) -> torch.Tensor:
        """Weighted sum of the rows' losses, without those of number -1.

        A rank that has none reads the row `of_batch` and counts it nothing: ZeRO-3 gathers weights layer
        by layer, and every rank has to pass through the same layers.
        """
        real = [int(row) for row in rows if row >= 0]
        used = real or [of_batch]
        batch = on_device(
            self.conversation.with_answers(
                self.job.turns(used), [self.job.rows[row].label for row in used]
            )
        )
        labels = batch.pop("labels")
        logits = self.engine(**batch, use_cache=False).logits
        counts = [self.job.rows[row].weight if real else 0.0 for row in used]
        weights_of_rows = torch.tensor(counts, device=logits.device)
        return (answer_loss(logits, labels) * weights_of_rows).sum()

    def _rate(self, step: int, steps: int) -> None:
        rate = self.job.options.learning_rate * learning_rate_factor(step, steps)
        for group in self.engine.optimizer.param_groups:
            group["lr"] = rate

    def _save(self) -> None:
        gathered = states.gather(self.engine)
        # The first rank of each machine writes the state for whoever started it there.
        if self.engine.local_rank != 0:
            return
        path = self.job.folder / STATE
        state = {
            **gathered,
            "step": len(self.losses),
            "steps": len(self.plan),
            "losses": self.losses,
            "resumed_at": self.state["step"] if self.state else 0,
            "ranks": self.ranks,
        }
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def _config(self, dtype: torch.dtype) -> dict[str, Any]:
        options = self.job.options
        return {
            "train_micro_batch_size_per_gpu": options.micro_batch,
            "gradient_accumulation_steps": 1,
            "gradient_clipping": GRADIENT_NORM,
            "bf16": {"enabled": dtype == torch.bfloat16},
            "zero_optimization": {"stage": options.zero},
            "zero_allow_untested_optimizer": True,
            "steps_per_print": 10**9,
        }


def main(folder: Path) -> None:
    """Train; a KindlingError is left in the folder for whoever started the ranks."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s rank: %(message)s")
    job = Job.read(folder)
    set_threads(job.threads)
    use_device(dist.get_node_local_rank())
    # Its kernel would be compiled on this machine first; gloo alone needs no compiler.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(verbose=False)
    try:
        Training(job).run()
    except KindlingError as error:
        told = {"kind": type(error).__name__, "message": str(error)}
        (folder / ERROR).write_text(json.dumps(told), encoding="utf-8")
        raise
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
