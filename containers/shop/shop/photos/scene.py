"""Puts a drawn product into a photograph: background, shadow, angle, light, noise."""

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from shop.chance import pick
from shop.photos.damage import damage
from shop.photos.pen import SIZE, Colour, Look, Pen, shade
from shop.photos.shapes import SHAPES
from shop.records import Condition

QUALITY = 85
ROOMS: tuple[Colour, ...] = (
    (214, 206, 192),
    (186, 196, 200),
    (168, 158, 146),
    (204, 190, 176),
    (120, 128, 132),
    (226, 224, 218),
    (150, 168, 156),
)
TABLES: tuple[Colour, ...] = (
    (158, 118, 82),
    (196, 164, 126),
    (96, 72, 56),
    (206, 204, 200),
    (88, 94, 100),
    (178, 150, 140),
)


@dataclass(frozen=True)
class Shot:
    """How far a photo may stray from the studio: shop pictures do little, reviewers' a lot."""

    angle: float
    scale: tuple[float, float]
    shift: float
    light: tuple[float, float]
    noise: float
    home: bool


STUDIO = Shot(
    angle=6, scale=(0.7, 0.96), shift=0.05, light=(0.98, 1.05), noise=1.5, home=False
)
PHONE = Shot(
    angle=14, scale=(0.66, 0.98), shift=0.06, light=(0.68, 1.2), noise=6.0, home=True
)


def photograph(
    look: Look, shot: Shot, condition: Condition, rng: np.random.Generator
) -> bytes:
    """A JPEG of the product, SIZE pixels square."""
    behind = _background(shot, rng)
    item = _placed(_product(look), shot, rng)
    mask = item.getchannel("A")
    shadow = ImageChops.offset(
        mask, int(rng.integers(-7, 8)), int(rng.integers(2, 8))
    ).filter(ImageFilter.GaussianBlur(5))
    behind = Image.composite(
        Image.new("RGB", behind.size, (30, 26, 24)),
        behind,
        shadow.point(lambda value: value * 0.45),
    )
    picture = behind.copy()
    picture.paste(item, (0, 0), item)
    # A stream of its own, so that the scene is the same whatever the condition.
    picture = damage(picture, mask, behind, condition, rng.spawn(1)[0])
    return jpeg(_lit(picture, shot, rng))


def jpeg(picture: Image.Image) -> bytes:
    """The picture as JPEG bytes."""
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


@lru_cache(maxsize=16)
def _product(look: Look) -> Image.Image:
    pen = Pen(look)
    SHAPES[look.shape](pen)
    alpha = pen.image.getchannel("A")
    pattern = Image.composite(
        _pattern(look, pen.image.size), pen.image.convert("RGB"), pen.body
    )
    ramp = np.linspace(0, 1, pen.image.width, dtype=np.float32)
    light = (1.1 - 0.5 * np.abs(ramp - 0.38) ** 1.5)[None, :, None]
    lit = np.clip(np.asarray(pattern, dtype=np.float32) * light, 0, 255).astype(
        np.uint8
    )
    return Image.merge("RGBA", (*Image.fromarray(lit).split(), alpha))


def _pattern(look: Look, size: tuple[int, int]) -> Image.Image:
    picture = Image.new("RGB", size, look.main)
    draw = ImageDraw.Draw(picture)
    step = size[0] // (9 + 2 * look.variant)
    if look.pattern in ("stripes", "check"):
        _stripes(draw, look, size, step)
    elif look.pattern == "dots":
        _dots(draw, look, size, step)
    elif look.pattern in ("band", "ring"):
        top = size[1] * (5 + look.variant) // 10
        wide = step // (1 if look.pattern == "band" else 3)
        draw.rectangle((0, top, size[0], top + wide), fill=look.accent)
    elif look.pattern == "speckle":
        spots = np.random.default_rng(look.variant).integers(0, size[0], (420, 2))
        for left, top in spots.tolist():
            draw.ellipse((left, top, left + 4, top + 4), fill=shade(look.main, 0.6))
    return picture


def _stripes(
    draw: ImageDraw.ImageDraw, look: Look, size: tuple[int, int], step: int
) -> None:
    width, height = size
    for left in range(0, width, step):
        draw.rectangle((left, 0, left + step // 3, height), fill=look.accent)
    if look.pattern == "check":
        weft = shade(look.accent, 0.85)
        for top in range(0, height, step):
            draw.rectangle((0, top, width, top + step // 4), fill=weft)


def _dots(
    draw: ImageDraw.ImageDraw, look: Look, size: tuple[int, int], step: int
) -> None:
    width, height = size
    for row, top in enumerate(range(0, height, step)):
        for left in range((row % 2) * step // 2, width, step):
            spot = (left, top, left + step // 3, top + step // 3)
            draw.ellipse(spot, fill=look.accent)


def _placed(item: Image.Image, shot: Shot, rng: np.random.Generator) -> Image.Image:
    side = round(SIZE * float(rng.uniform(*shot.scale)))
    small = item.resize((side, side), Image.Resampling.BOX)
    small = small.rotate(
        float(rng.uniform(-shot.angle, shot.angle)), Image.Resampling.BICUBIC
    )
    if shot.home and rng.random() < 0.3:
        small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    free = (SIZE - side) / 2
    canvas = Image.new("RGBA", (SIZE, SIZE), (*item.getpixel((0, 0))[:3], 0))
    left, top = (
        round(free + float(rng.uniform(-shot.shift, shot.shift)) * SIZE)
        for _ in range(2)
    )
    canvas.paste(small, (left, top))
    return canvas


def _background(shot: Shot, rng: np.random.Generator) -> Image.Image:
    """A pale studio ramp, or a wall above a table that may have planks, a cloth or clutter."""
    y = np.linspace(0, 1, SIZE, dtype=np.float32)[:, None, None]
    if not shot.home:
        # Ramps differ, or pictures of one form would be near-duplicates of one another.
        tone = np.array(
            shade((236, 234, 230), float(rng.uniform(0.8, 1.05))), dtype=np.float32
        )
        fall = float(rng.uniform(-0.3, 0.3))
        across = np.linspace(-0.5, 0.5, SIZE, dtype=np.float32)[None, :, None] * float(
            rng.uniform(-0.3, 0.3)
        )
        return Image.fromarray(
            np.clip(tone * (1 + fall * (y - 0.5) + across), 0, 255).astype(np.uint8)
        )
    wall = np.array(pick(rng, ROOMS), dtype=np.float32) * float(rng.uniform(0.8, 1.1))
    table = np.array(pick(rng, TABLES), dtype=np.float32) * float(
        rng.uniform(0.8, 1.15)
    )
    picture = np.where(
        y < float(rng.uniform(0.1, 0.75)), wall, table * (0.85 + 0.25 * y)
    ) * np.ones((1, SIZE, 1))
    picture = picture * (1 + _grain(rng, int(rng.integers(3, 24)), 0.09))
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    _furnish(ImageDraw.Draw(image), rng)
    return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 2.2))))


def _furnish(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    style = pick(rng, ("planks", "cloth", "clutter", "clutter", "bare"))
    tone = pick(rng, ROOMS + TABLES)
    if style == "planks":
        for top in range(int(rng.integers(0, 40)), SIZE, int(rng.integers(18, 44))):
            draw.line(
                (0, top, SIZE, top + int(rng.integers(-6, 7))),
                fill=shade(tone, 0.6),
                width=2,
            )
    if style == "cloth":
        step = int(rng.integers(14, 30))
        for left in range(0, SIZE * 2, step):
            draw.line((left, 0, left - SIZE, SIZE), fill=tone, width=step // 4)
    if style == "clutter":
        for _ in range(int(rng.integers(2, 6))):
            left, top = (int(value) for value in rng.integers(-30, SIZE, 2))
            box = (
                left,
                top,
                left + int(rng.integers(20, 90)),
                top + int(rng.integers(20, 90)),
            )
            fill = shade(pick(rng, ROOMS + TABLES), float(rng.uniform(0.6, 1.1)))
            (draw.ellipse if rng.random() < 0.4 else draw.rectangle)(box, fill=fill)


def _grain(rng: np.random.Generator, cells: int, depth: float) -> np.ndarray:
    """Smooth noise around 0, (SIZE, SIZE, 1)."""
    coarse = Image.fromarray(rng.normal(0, depth, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((SIZE, SIZE), Image.Resampling.BICUBIC))[..., None]


def _lit(picture: Image.Image, shot: Shot, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(picture, dtype=np.float32)
    warmth = float(rng.uniform(-0.07, 0.07)) if shot.home else 0.0
    pixels = (
        pixels
        * float(rng.uniform(*shot.light))
        * np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32)
    )
    if shot.home:
        direction = np.linspace(-1, 1, SIZE, dtype=np.float32) * float(
            rng.uniform(-0.18, 0.18)
        )
        pixels = pixels * (1 + direction[None, :, None]) * (1 + _grain(rng, 3, 0.06))
    pixels = pixels + rng.normal(0, shot.noise, (SIZE, SIZE, 1)).astype(np.float32)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
