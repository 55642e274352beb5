"""One batch before the hours are spent: what makes a vision-language training learn nothing, each by name."""

import numpy as np
import torch
from torch import nn

from kindling.errors import DataError
from kindling.modeling import preflight
from kindling.modeling.device import device
from kindling.modeling.vlm.conversation import (
    MASKED,
    Batch,
    Conversation,
    Turn,
    answer_loss,
    on_device,
)
from kindling.modeling.vlm.job import Indices, Job
from kindling.modeling.vlm.reading import answer_logits

NAME = "vision-language model"
#: Photos whose answers are compared.
PROBED = 4


def check(
    module: nn.Module, conversation: Conversation, job: Job, plan: list[Indices]
) -> None:
    """DataError, or ConfigurationError of the model's own parts, with the fault's name."""
    pictured = [batch for batch in plan if job.rows[batch[0]].photo]
    module.to(device())
    for batch in (plan[0], *pictured[:1]):
        rows = batch[: job.options.micro_batch]
        answers = [job.rows[row].label for row in rows]
        made = conversation.with_answers(job.turns(rows), answers)
        check_batch(module, conversation, made)
        check_loss(module, made)
    if pictured:
        check_photos(module, conversation, job.turns(pictured[0][:PROBED]))


def check_batch(module: nn.Module, conversation: Conversation, batch: Batch) -> None:
    """DataError where an answer was cut, every label is masked, or photos have no place in the prompt."""
    config = module.config
    text = getattr(config, "text_config", config)
    limit = getattr(text, "max_position_embeddings", None)
    longest = int(batch["attention_mask"].sum(1).max())
    if limit and longest > limit:
        raise DataError(
            f"preflight, {NAME}: the answer is truncated: a prompt has {longest} tokens,"
            f" the model reads {limit}; lower text_tokens"
        )
    counted = (batch["labels"] != MASKED).sum(1)
    if bool((counted == 0).any()):
        raise DataError(f"preflight, {NAME}: all labels of a row are masked")
    check_image_tokens(config, batch)


def check_image_tokens(config: object, batch: Batch) -> None:
    """DataError where a batch with photos has no image token in a row, or one without has some."""
    token = getattr(config, "image_token_id", None)
    if token is None:
        token = getattr(config, "image_token_index", None)
    if token is None:
        return
    found = (batch["input_ids"] == token).sum(1).tolist()
    pictured = any(name.startswith("pixel_values") for name in batch)
    if pictured != all(found) or pictured != any(found):
        raise DataError(
            f"preflight, {NAME}: image-token mismatch: rows of a batch"
            f" {'with' if pictured else 'without'} photos have {found} image tokens;"
            " look at the processor's chat template and patch_size"
        )


def check_loss(module: nn.Module, batch: Batch) -> None:
    """DataError where the loss is zero, not finite, or reaches no trained weight."""
    inputs = on_device(batch)
    labels = inputs.pop("labels")
    module.train()
    logits = _logits(module, inputs)
    loss = answer_loss(logits, labels).mean()
    value = float(loss.detach())
    if not np.isfinite(value) or value == 0.0:
        raise DataError(f"preflight, {NAME}: the loss of the first batch is {value}")
    if not loss.requires_grad:
        raise DataError(
            f"preflight, {NAME}: no gradient: the loss depends on no trained weight"
        )
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [one.grad for one in module.parameters() if one.grad is not None]
    finite = all(bool(torch.isfinite(one).all()) for one in gradients)
    if not finite or not any(bool((one != 0).any()) for one in gradients):
        raise DataError(
            f"preflight, {NAME}: no gradient: it is zero or not finite at every trained weight"
        )
    module.zero_grad(set_to_none=True)


def check_photos(
    module: nn.Module, conversation: Conversation, turns: list[Turn]
) -> None:
    """DataError where the answers do not change with the photo."""
    asked = [Turn(turns[0].text, one.photo) for one in turns]
    if len({one.photo for one in asked}) < 2:
        return
    preflight.check_sensitivity(
        f"{NAME}, one text with several photos",
        lambda at: answer_logits(module, conversation, [asked[row] for row in at]),
        np.arange(len(asked)),
    )


def _logits(module: nn.Module, inputs: Batch) -> torch.Tensor:
    try:
        logits: torch.Tensor = module(**inputs, use_cache=False).logits
    except ValueError as error:
        # Transformers' own words where image tokens and image features differ in number.
        if "image" not in str(error).lower():
            raise
        raise DataError(f"preflight, {NAME}: image-token mismatch: {error}") from error
    return logits
