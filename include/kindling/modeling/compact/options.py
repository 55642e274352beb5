"""Training settings of the compact model."""

from pydantic import BaseModel, ConfigDict, Field

from kindling.ports.space import Choice, Range, Space


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


#: What a search may change.
SPACE: Space = {
    "learning_rate": Range(3e-5, 3e-4),
    "epochs": Choice((1, 2, 3)),
    "batch_size": Choice((16, 32, 64)),
    "max_tokens": Choice((64, 128, 256)),
}
