"""Training settings of the compact model."""

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """Keys of `train.model_options` in a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(1, ge=1)
    batch_size: int = Field(32, ge=2)
    max_tokens: int = Field(128, ge=8, le=512)
    learning_rate: float = Field(1e-4, gt=0)
    head_learning_rate: float = Field(1e-3, gt=0)
    image_epochs: int = Field(3, ge=1)
    #: Pixels a side.
    image_size: int = Field(128, ge=32)
