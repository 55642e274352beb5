"""The writer behind a language model: attributes asked for one by one, answers parsed and judged."""

from pydantic import BaseModel, ConfigDict, Field

from kindling.errors import ConfigurationError
from kindling.ports.generation import Material, Writer

#: Manners of writing that real reviewers have; dealt evenly.
STYLES = (
    "matter of fact",
    "enthusiastic",
    "terse, incomplete sentences",
    "chatty, tells how it was used",
    "careful and detailed",
)


class Options(BaseModel):
    """What a recipe may say under `writer_options`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: A prompt of the package, or a path to a .md file of one's own.
    prompt: str = "write_review.v2"
    #: Let the model read each draft once more and mend it: twice the calls.
    revise: bool = False
    revise_prompt: str = "revise_review.v1"
    #: Real train reviews shown with each prompt, of the same sentiment, the own category's first.
    examples: int = Field(3, ge=0, le=20)
    #: What reviews may speak of; empty for what the real sentences are found to speak of.
    aspects: tuple[str, ...] = ()
    styles: tuple[str, ...] = Field(STYLES, min_length=1)
    #: Ways of typing (case, marks, slips, emoji), dealt evenly; empty for those of real reviews, as
    #: often as they have them.
    typing: tuple[str, ...] = ()
    temperature: float = Field(0.9, ge=0, le=2)
    max_tokens: int = Field(400, ge=16)
    #: Calls under way at once.
    concurrency: int = Field(4, ge=1, le=64)


def writer(options: Options, material: Material) -> Writer:
    """The writer; ConfigurationError where the environment names no language model."""
    if material.llm is None:
        raise ConfigurationError(
            "writer prompted needs a language model: set KINDLING_LLM_URL and KINDLING_LLM_MODEL,"
            " or KINDLING_LLM_MODEL alone to the folder of one; for trials without a model:"
            " python -m kindling.llm.practice"
        )
    # Reading a recipe imports this module; scikit-learn is for those who write.
    from kindling.synthesis.prompting import Prompted

    return Prompted(options, material, material.llm)
