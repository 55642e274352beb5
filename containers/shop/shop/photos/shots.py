"""Another shot of a real photo: as a second person's phone might take it, perhaps damaged (simulated)."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from shop.errors import BadInput
from shop.photos.damage import damage
from shop.photos.scene import jpeg
from shop.records import Condition

LONGEST = 256
TURN = 7.0


def another_shot(
    name: str, content: bytes, condition: Condition, rng: np.random.Generator
) -> bytes:
    """A JPEG, cropped, turned, mirrored and lit differently; BadInput when the photo cannot be decoded."""
    try:
        with Image.open(BytesIO(content)) as opened:
            picture = opened.convert("RGB")
    except OSError as error:
        raise BadInput(f"photo {name}: damaged: {error}") from None
    picture.thumbnail((LONGEST, LONGEST))
    picture = picture.rotate(
        float(rng.uniform(-TURN, TURN)),
        Image.Resampling.BICUBIC,
        fillcolor=_surroundings(picture),
    )
    picture = _cropped(picture, rng)
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    behind = Image.new("RGB", picture.size, _surroundings(picture))
    # A stream of its own, so that the shot is the same whatever the condition.
    picture = damage(
        picture, _garment(picture.size, rng), behind, condition, rng.spawn(1)[0]
    )
    light = np.array([1, 1, 1], dtype=np.float32) + rng.uniform(-0.04, 0.04, 3).astype(
        np.float32
    )
    pixels = (
        np.asarray(picture, dtype=np.float32) * light * float(rng.uniform(0.78, 1.18))
    )
    return jpeg(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))


def _cropped(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    width, height = picture.size
    across, down = (
        round(side * float(rng.uniform(0.8, 0.93))) for side in (width, height)
    )
    left, top = (
        int(rng.integers(width - across + 1)),
        int(rng.integers(height - down + 1)),
    )
    return picture.crop((left, top, left + across, top + down))


def _surroundings(picture: Image.Image) -> tuple[int, int, int]:
    """The mean colour along the border: what lies behind the garment."""
    pixels = np.asarray(picture)
    border = np.concatenate(
        [
            pixels[:4].reshape(-1, 3),
            pixels[-4:].reshape(-1, 3),
            pixels[:, :4].reshape(-1, 3),
            pixels[:, -4:].reshape(-1, 3),
        ]
    )
    red, green, blue = border.mean(0)
    return int(red), int(green), int(blue)


def _garment(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Where the garment is taken to be: the middle, as the photos' authors framed it."""
    width, height = size
    mask = Image.new("L", size, 0)
    reach = (
        float(rng.uniform(0.24, 0.34)) * width,
        float(rng.uniform(0.26, 0.38)) * height,
    )
    ImageDraw.Draw(mask).ellipse(
        (
            width / 2 - reach[0],
            height / 2 - reach[1],
            width / 2 + reach[0],
            height / 2 + reach[1],
        ),
        fill=255,
    )
    return mask.filter(ImageFilter.GaussianBlur(1))
