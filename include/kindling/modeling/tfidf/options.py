"""Training settings of TF-IDF and logistic regression."""

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """Keys of `train.model_options` in a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Words of the longest n-gram.
    ngrams: int = Field(2, ge=1, le=3)
    #: Texts that an n-gram has to be seen in.
    min_texts: int = Field(2, ge=1)
    #: Inverse strength of the L2 penalty.
    inverse_penalty: float = Field(1.0, gt=0)
