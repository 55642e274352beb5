"""The editor behind a diffusion model: a region of the object painted anew, its edges kept."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kindling.ports.generation import Editor, Material


class Options(BaseModel):
    """What a recipe may say under `editor_options`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Folder of a pipeline that `diffusers` can load, such as SDXL's.
    model: str = Field(min_length=1)
    #: Folder of a ControlNet for edges; empty to go without.
    controlnet: str = ""
    #: Prompts of the package by name, or a path to a .yaml file of one's own.
    prompts: str = "edit_photo.v1"
    device: str = "cpu"
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    #: Longest side of the result; what is painted is a multiple of 8 on each side.
    size: int = Field(512, ge=32, multiple_of=8)
    steps: int = Field(30, ge=1)
    #: How far what is inside the mask may depart from what was there.
    strength: float = Field(0.9, gt=0, le=1)
    guidance: float = Field(7.0, ge=0)
    #: How strictly edges are kept.
    control: float = Field(0.4, ge=0, le=2)
    #: Work in slices and tiles: slower, for cards with little memory.
    slices: bool = False
    #: Times that a change which cannot be seen is painted again elsewhere.
    redraws: int = Field(2, ge=0, le=20)

    @model_validator(mode="after")
    def _paints(self) -> "Options":
        if int(self.steps * self.strength) < 1:
            raise ValueError(
                "steps times strength must be 1 at least, or nothing is painted"
            )
        return self


def editor(options: Options, material: Material) -> Editor:
    """The editor, its weights loaded; ConfigurationError naming the folder that cannot be."""
    # Reading a recipe imports this module; torch and diffusers are for those who paint.
    from kindling.synthesis.diffusion import DiffusedConditions

    return DiffusedConditions(options)
