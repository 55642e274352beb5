"""A photo taken again: the same object from a slightly other place, in other light."""

import numpy as np
from PIL import Image, ImageOps

from kindling.errors import DataError
from kindling.pictures import PictureError, read_picture


def opened(data: bytes, longest: int) -> Image.Image:
    """The RGB image, upright, its longest side `longest` pixels at most; DataError if it is none."""
    try:
        upright = read_picture(data)
    except PictureError as error:
        raise DataError(f"a base photo cannot be read as an image: {error}") from error
    upright.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return upright


def reshoot(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The image turned by a few degrees, cropped by a few percent and, every other time, mirrored."""
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    angle = float(rng.uniform(-4, 4))
    # Corners that turning leaves empty are cropped away below.
    turned = image.rotate(angle, Image.Resampling.BICUBIC)
    lost = abs(np.sin(np.radians(angle)))
    keep = float(rng.uniform(0.9, 0.98)) - lost
    width, height = image.size
    left, top = (
        rng.uniform(lost / 2, 1 - keep - lost / 2, 2) * (width, height)
    ).tolist()
    return turned.crop(
        (
            round(left),
            round(top),
            round(left + keep * width),
            round(top + keep * height),
        )
    )


def relight(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Float RGB [H, W, 3] in other light: brightness, contrast and warmth off by up to a tenth, and grain."""
    brightness, contrast, warmth = (
        rng.uniform(-0.06, 0.06),
        rng.uniform(0.9, 1.1),
        rng.uniform(-0.04, 0.04),
    )
    pixels = (
        (pixels - 0.5) * contrast + 0.5 + brightness + np.array([warmth, 0, -warmth])
    )
    return np.clip(
        pixels + rng.normal(0, rng.uniform(0.002, 0.015), pixels.shape), 0, 1
    )
