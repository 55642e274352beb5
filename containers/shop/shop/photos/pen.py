"""Draws in unit coordinates on a supersampled layer, and keeps apart where a pattern may go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from PIL import Image, ImageDraw

from shop.chance import pick

Colour = tuple[int, int, int]
Point = tuple[float, float]

#: Pixels of a drawn photo's side, and how many times finer it is drawn before it is reduced.
SIZE = 192
FINER = 3

PALETTE: tuple[Colour, ...] = (
    (196, 78, 62),
    (226, 172, 74),
    (238, 229, 208),
    (92, 132, 108),
    (58, 92, 130),
    (142, 170, 190),
    (112, 82, 120),
    (52, 54, 60),
    (208, 140, 128),
    (150, 110, 78),
    (232, 232, 236),
    (70, 130, 140),
)
PATTERNS = ("solid", "solid", "stripes", "dots", "band", "check", "speckle", "ring")


def shade(colour: Colour, factor: float) -> Colour:
    """The colour in more (factor > 1) or less light."""
    red, green, blue = (min(255, max(0, round(part * factor))) for part in colour)
    return red, green, blue


@dataclass(frozen=True)
class Look:
    """How one product looks: the same on all of its photos."""

    shape: str
    variant: int
    main: Colour
    accent: Colour
    pattern: str
    #: Width of the form against its usual width.
    stretch: float

    @classmethod
    def draw(cls, shape: str, rng: np.random.Generator) -> Self:
        """A look by chance; the accent differs from the main colour."""
        main = pick(rng, PALETTE)
        accent = pick(rng, [colour for colour in PALETTE if colour != main])
        return cls(
            shape,
            int(rng.integers(3)),
            main,
            accent,
            pick(rng, PATTERNS),
            float(rng.uniform(0.86, 1.12)),
        )


class Pen:
    """A transparent square; (0, 0) is its upper left corner and (1, 1) its lower right one."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.image = Image.new("RGBA", (SIZE * FINER, SIZE * FINER), (*look.main, 0))
        self.body = Image.new("L", self.image.size, 0)
        self._draw = ImageDraw.Draw(self.image)
        self._draw_body = ImageDraw.Draw(self.body)

    def _at(self, point: Point) -> Point:
        x, y = point
        return ((x - 0.5) * self.look.stretch + 0.5) * SIZE * FINER, y * SIZE * FINER

    def polygon(
        self, points: Sequence[Point], fill: Colour, body: bool = False
    ) -> None:
        """A filled polygon; `body` lets the look's pattern appear on it."""
        placed = [self._at(point) for point in points]
        self._draw.polygon(placed, fill=(*fill, 255))
        self._draw_body.polygon(placed, fill=255 if body else 0)

    def ellipse(
        self, centre: Point, rx: float, ry: float, fill: Colour, body: bool = False
    ) -> None:
        """A filled ellipse with half axes `rx` and `ry`."""
        (left, top), (right, bottom) = (
            self._at((centre[0] - rx, centre[1] - ry)),
            self._at((centre[0] + rx, centre[1] + ry)),
        )
        self._draw.ellipse((left, top, right, bottom), fill=(*fill, 255))
        self._draw_body.ellipse((left, top, right, bottom), fill=255 if body else 0)

    def line(self, points: Sequence[Point], fill: Colour, width: float) -> None:
        """A line with rounded joints, `width` as a share of the side."""
        self._draw.line(
            [self._at(point) for point in points],
            fill=(*fill, 255),
            width=max(1, round(width * SIZE * FINER)),
            joint="curve",
        )

    def ring(
        self,
        centre: Point,
        rx: float,
        ry: float,
        fill: Colour,
        width: float,
        arc: Point = (0, 360),
    ) -> None:
        """An arc in degrees, clockwise from three o'clock."""
        (left, top), (right, bottom) = (
            self._at((centre[0] - rx, centre[1] - ry)),
            self._at((centre[0] + rx, centre[1] + ry)),
        )
        self._draw.arc(
            (left, top, right, bottom),
            *arc,
            fill=(*fill, 255),
            width=max(1, round(width * SIZE * FINER)),
        )


def profile(points: Sequence[Point], steps: int = 12) -> list[Point]:
    """A vessel's outline from (half width, height) pairs, smoothed and mirrored about x = 0.5."""
    heights = [height for _, height in points]
    fine = np.linspace(heights[0], heights[-1], steps * len(points))
    widths = np.interp(fine, heights, [width for width, _ in points])
    smooth = np.convolve(
        np.pad(widths, steps // 2, mode="edge"),
        np.ones(steps + 1) / (steps + 1),
        mode="valid",
    )
    right = [
        (0.5 + float(width), float(height))
        for width, height in zip(smooth, fine, strict=True)
    ]
    return right + [(1 - x, y) for x, y in reversed(right)]
