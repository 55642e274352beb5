"""Training settings of TF-IDF and logistic regression."""

from pydantic import BaseModel, ConfigDict, Field

from kindling.ports.space import Range, Space


class Options(BaseModel):
    """Keys of `train.model_options` in a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Inverse strength of the L2 penalty.
    inverse_penalty: float = Field(3.0, gt=0)


#: What a search may change.
SPACE: Space = {"inverse_penalty": Range(0.1, 100.0)}
