"""Training settings of a vision-language model."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from kindling.ports.space import Choice, Range, Space


class Options(BaseModel):
    """Keys of `train.model_options` in a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Folder of the model and its processor, as `save_pretrained` writes them: LLaVA, SmolVLM, Qwen-VL …
    folder: str = Field(min_length=1)
    #: `lora` trains small matrices beside the language model's linear layers, `full` every weight.
    tuning: Literal["lora", "full"] = "lora"
    lora_rank: int = Field(16, ge=1)
    epochs: int = Field(1, ge=1)
    #: Rows of one optimiser step, over all ranks.
    batch_size: int = Field(32, ge=1)
    #: Rows that one rank holds at once.
    micro_batch: int = Field(4, ge=1)
    learning_rate: float = Field(2e-4, gt=0)
    #: Tokens of a review's text; the rest of it is cut, never the photo or the answer.
    text_tokens: int = Field(256, ge=8)
    #: DeepSpeed's ZeRO: 2 shards optimiser and gradients over the ranks, 3 the weights too.
    zero: Literal[2, 3] = 2
    #: Processes that this machine trains with; 0 for one a GPU (one without a GPU).
    ranks: int = Field(0, ge=0)
    #: Optimiser steps between checkpoints.
    checkpoint_steps: int = Field(50, ge=1)
    #: Recompute activations instead of keeping them: a third more time, far less memory.
    activation_checkpointing: bool = True


#: What a search may change.
SPACE: Space = {
    "learning_rate": Range(2e-5, 1e-3),
    "epochs": Choice((1, 2, 3)),
    "lora_rank": Choice((8, 16, 64)),
}
