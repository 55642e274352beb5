"""The keyless editor: a real photo, shot again, with the wanted condition drawn onto its object."""

from pydantic import BaseModel, ConfigDict, Field

from kindling.ports.generation import Editor, Material


class Options(BaseModel):
    """What a recipe may say under `editor_options`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Longest side of an edited photo, in pixels.
    size: int = Field(192, ge=32)
    #: Share of photos, whatever they show, that are slightly out of focus.
    blurred: float = Field(0.1, ge=0, le=1)
    #: Share of photos, whatever they show, that were taken in poor light.
    dim: float = Field(0.0, ge=0, le=1)
    #: Times that a change which cannot be seen is drawn again elsewhere.
    redraws: int = Field(5, ge=0, le=50)


def editor(options: Options, material: Material) -> Editor:
    """The editor; it learns nothing from the material."""
    # Reading a recipe imports this module; scipy is for those who draw.
    from kindling.synthesis.drawing import DrawnConditions

    return DrawnConditions(options.size, options.blurred, options.dim, options.redraws)
