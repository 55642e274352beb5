"""Conditions painted by a diffusion model (inpainting, with edges kept by a ControlNet where one is given).

Intact shots are painted too, in the same place and from the same noise: otherwise the traces of
painting, and not the damage, would tell the conditions apart.
"""

import hashlib
import threading
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image
from scipy import ndimage

from kindling.errors import ConfigurationError
from kindling.ports.generation import EditedPhoto
from kindling.records import CONDITIONS, Condition
from kindling.synthesis.editors.diffusion import Options
from kindling.synthesis.marks import SOURCE_TYPE, marked_jpeg
from kindling.synthesis.materials import is_cloth
from kindling.synthesis.reshoot import opened, reshoot
from kindling.synthesis.saliency import object_mask
from kindling.synthesis.strokes import extent, inside, polygon, ragged
from kindling.synthesis.visibility import FLOOR, changed_share

#: Sides of what the model paints are multiples of this.
_GRID = 8
_QUALITY = 90


class DiffusedConditions:
    """Editor by `diffusers`; one photo at a time, whatever the number of threads."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._prompts, self._prompt_sha256 = _prompts(options.prompts)
        self._pipeline = _pipeline(options)
        self._lock = threading.Lock()
        self.name = f"diffused-conditions/1 {Path(options.model).name}"

    @property
    def provenance(self) -> Mapping[str, str]:
        """Weights, prompts by id and hash, and the settings that decide the picture."""
        options = self._options
        return {
            "editor_model": Path(options.model).name,
            "editor_controlnet": Path(options.controlnet).name,
            "editor_prompt": Path(options.prompts).name.removesuffix(".yaml"),
            "editor_prompt_sha256": self._prompt_sha256,
            "editor_settings": (
                f"steps {options.steps}, strength {options.strength},"
                f" guidance {options.guidance}, control {options.control}"
            ),
        }

    def edit(
        self,
        photo: bytes,
        condition: Condition,
        rng: np.random.Generator,
        subject: str = "",
    ) -> EditedPhoto:
        """A marked JPEG of the photo's object in that condition; DataError when the bytes are no image."""
        shot, place = rng.spawn(2)
        base = _fitted(reshoot(opened(photo, self._options.size), shot))
        mask = object_mask(np.asarray(base, dtype=float) / 255)
        best, share, attempts = base, 0.0, 0
        while attempts <= self._options.redraws and share < FLOOR:
            attempts += 1
            region = _region(mask, place)
            noise = int(place.integers(2**31))
            twin = self._painted(base, region, "intact", noise, subject)
            if condition == "intact":
                return self._encoded(twin, condition)
            drawn = self._painted(base, region, condition, noise, subject)
            found = changed_share(_floats(twin), _floats(drawn), mask)
            if attempts == 1 or found > share:
                best, share = drawn, found
        return self._encoded(best, condition, share, attempts)

    def _painted(
        self,
        base: Image.Image,
        region: np.ndarray,
        condition: Condition,
        noise: int,
        subject: str,
    ) -> Image.Image:
        """The region painted anew, laid over the photo so that nothing else changes."""
        kind = "cloth" if is_cloth(subject) else "hard"
        options = self._options
        more: dict[str, Any] = {}
        if options.controlnet:
            more = {
                "control_image": _edges(base),
                "controlnet_conditioning_scale": options.control,
            }
        with self._lock, torch.inference_mode():
            made = self._pipeline(
                prompt=self._prompts[kind][condition].format(
                    subject=subject or "a product"
                ),
                negative_prompt=self._prompts["negative"],
                image=base,
                mask_image=Image.fromarray((region * 255).astype(np.uint8)),
                height=base.height,
                width=base.width,
                strength=options.strength,
                num_inference_steps=options.steps,
                guidance_scale=options.guidance,
                # On the CPU, so that a seed means the same on every device.
                generator=torch.Generator("cpu").manual_seed(noise),
                **more,
            ).images[0]
        soft = Image.fromarray(
            (255 * ndimage.gaussian_filter(region.astype(float), 2)).astype(np.uint8)
        )
        return Image.composite(made.convert("RGB"), base, soft)

    def _encoded(
        self,
        image: Image.Image,
        condition: Condition,
        share: float | None = None,
        attempts: int = 1,
    ) -> EditedPhoto:
        data = marked_jpeg(image, self.name, condition, _QUALITY, SOURCE_TYPE)
        visible = share is None or share >= FLOOR
        return EditedPhoto(
            data, ".jpg", image.width, image.height, share, visible, attempts
        )


def _pipeline(options: Options) -> Any:
    import diffusers

    # diffusers' own classes carry no types.
    library: Any = diffusers
    dtype = getattr(torch, options.dtype)
    more: dict[str, Any] = {}
    try:
        if options.controlnet:
            more["controlnet"] = library.ControlNetModel.from_pretrained(
                options.controlnet, torch_dtype=dtype, local_files_only=True
            )
        pipeline = library.AutoPipelineForInpainting.from_pretrained(
            options.model, torch_dtype=dtype, local_files_only=True, **more
        )
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"editor diffusion: model {options.model!r} or controlnet {options.controlnet!r}"
            f" cannot be loaded: {error}"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    if options.slices:
        pipeline.enable_attention_slicing()
        pipeline.vae.enable_tiling()
    return pipeline.to(options.device)


def _prompts(name: str) -> tuple[Mapping[str, Any], str]:
    """The prompts and their hash; ConfigurationError when one of them is missing."""
    path = Path(name)
    if path.suffix != ".yaml":
        path = Path(str(resources.files("kindling"))) / "prompts" / f"{name}.yaml"
    try:
        text = path.read_text(encoding="utf-8")
        found = yaml.safe_load(text)
        complete = isinstance(found["negative"], str) and all(
            isinstance(found[kind][condition], str)
            for kind in ("cloth", "hard")
            for condition in CONDITIONS
        )
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"prompts {path}: {error!r}; wanted: `negative`, and under `cloth` and `hard` one text"
            f" each for {', '.join(CONDITIONS)}"
        ) from error
    if not complete:
        raise ConfigurationError(f"prompts {path}: every prompt is a text")
    return found, hashlib.sha256(text.encode()).hexdigest()


def _fitted(image: Image.Image) -> Image.Image:
    """The image with sides that are multiples of the grid, cropped by less than that."""
    width, height = (max(_GRID, side // _GRID * _GRID) for side in image.size)
    return image.crop((0, 0, width, height))


def _region(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """bool [H, W], a ragged part of the object, about a fifth of it."""
    radius = extent(mask) * rng.uniform(0.2, 0.32)
    cover = polygon(mask.shape, ragged(inside(mask, rng), radius, 0.3, rng))
    return np.asarray((cover > 0.5) & mask)


def _edges(image: Image.Image) -> Image.Image:
    """White edges on black, as ControlNets for edges were taught on: gradient above its 90th percentile."""
    grey = np.asarray(image.convert("L"), dtype=float)
    slope = np.hypot(ndimage.sobel(grey, 0), ndimage.sobel(grey, 1))
    strong = slope > max(1.0, float(np.percentile(slope, 90)))
    return Image.fromarray((strong * 255).astype(np.uint8)).convert("RGB")


def _floats(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=float) / 255
