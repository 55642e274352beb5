"""The keyless writer: new reviews out of sentences of several real ones."""

from pydantic import BaseModel, ConfigDict, Field

from kindling.ports.generation import Material, Writer


class Options(BaseModel):
    """What a recipe may say under `writer_options`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Chance of each rewrite where it applies.
    rewrite: float = Field(0.35, ge=0, le=1)


def writer(options: Options, material: Material) -> Writer:
    """The writer, taught by the material's reviews."""
    # Reading a recipe imports this module; scikit-learn is for those who write.
    from kindling.synthesis.recombine import Recombination

    return Recombination(
        material.reviews, material.products, material.seed, options.rewrite
    )
