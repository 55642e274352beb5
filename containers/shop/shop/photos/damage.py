"""Visible conditions, drawn onto any picture whose item's place is known. All of them are simulated."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from shop.chance import pick
from shop.photos.pen import Colour, Point, shade
from shop.records import Condition

#: Masks are drawn this many times finer and reduced, which makes their edges smooth.
FINER = 3
STAINS: tuple[Colour, ...] = (
    (84, 52, 26),
    (46, 40, 62),
    (110, 88, 30),
    (122, 58, 36),
    (60, 66, 40),
    (104, 24, 34),
    (214, 204, 170),
)
#: Sum of channel differences from which a stain is told from what it is on.
CONTRAST = 150


@dataclass
class Surface:
    """The picture while it is damaged: `item` (L) is where the thing is, `behind` what a hole shows."""

    picture: Image.Image
    item: Image.Image
    behind: Image.Image
    rng: np.random.Generator

    def __post_init__(self) -> None:
        rows, columns = np.nonzero(np.asarray(self.item) > 128)
        self.centre: Point = (float(columns.mean()), float(rows.mean()))
        #: Half the item's extent in pixels, the measure of every damage.
        self.reach = float(np.sqrt(len(rows)) / 2)

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def mask(self, points: Sequence[Point]) -> Image.Image:
        """The polygon as a smooth mask, cut to the item."""
        width, height = self.picture.size
        large = Image.new("L", (width * FINER, height * FINER), 0)
        ImageDraw.Draw(large).polygon(
            [(x * FINER, y * FINER) for x, y in points], fill=255
        )
        return ImageChops.darker(large.reduce(FINER), self.item)

    def stroke(
        self, points: Sequence[Point], fill: Colour, width: float, strength: float = 1.0
    ) -> None:
        """A line on the item, `width` in pixels."""
        across, high = self.picture.size
        large = Image.new("L", (across * FINER, high * FINER), 0)
        placed = [(x * FINER, y * FINER) for x, y in points]
        ImageDraw.Draw(large).line(
            placed,
            fill=round(255 * strength),
            width=max(1, round(width * FINER)),
            joint="curve",
        )
        self.picture.paste(
            fill, (0, 0), ImageChops.darker(large.reduce(FINER), self.item)
        )

    def edge(self, angle: float) -> Point:
        """Where the ray from the centre leaves the item."""
        inside = np.asarray(self.item)
        x, y = self.centre
        last = (x, y)
        for step in range(1, max(self.picture.size)):
            column, row = round(x + step * cos(angle)), round(y + step * sin(angle))
            if not (0 <= row < inside.shape[0] and 0 <= column < inside.shape[1]):
                break
            if inside[row, column] > 128:
                last = (float(column), float(row))
        return last

    def tone(self, around: Point) -> Colour:
        """The picture's mean colour near a point."""
        x, y = around
        red, green, blue = np.asarray(
            self.picture.crop((x - 8, y - 8, x + 8, y + 8)).convert("RGB")
        ).mean((0, 1))
        return int(red), int(green), int(blue)


def damage(
    picture: Image.Image,
    item: Image.Image,
    behind: Image.Image,
    condition: Condition,
    rng: np.random.Generator,
) -> Image.Image:
    """A copy of the RGB picture with the condition on it; all three images are of one size."""
    if condition == "intact":
        return picture
    surface = Surface(picture.copy(), item, behind, rng)
    {"torn": _tear, "stained": _stain, "broken": _break}[condition](surface)
    return surface.picture


def _jagged(
    surface: Surface, start: Point, end: Point, roughness: float, steps: int = 9
) -> list[Point]:
    (x0, y0), (x1, y1) = start, end
    wander = np.cumsum(surface.rng.normal(0, roughness, (steps + 1, 2)), axis=0)
    wander -= np.linspace(wander[0], wander[-1], steps + 1)
    return [
        (
            x0 + (x1 - x0) * i / steps + float(wander[i, 0]),
            y0 + (y1 - y0) * i / steps + float(wander[i, 1]),
        )
        for i in range(steps + 1)
    ]


def _tear(surface: Surface) -> None:
    """One or two open wedges from the edge inwards, with pale frayed sides and loose threads."""
    for _ in range(int(surface.rng.integers(1, 3))):
        angle = surface.uniform(0, 2 * pi)
        start = surface.edge(angle)
        heading = angle + pi + surface.uniform(-0.7, 0.7)
        length = surface.reach * surface.uniform(0.75, 1.35)
        tip = (start[0] + length * cos(heading), start[1] + length * sin(heading))
        gap = surface.reach * surface.uniform(0.12, 0.26)
        side = (-sin(heading) * gap, cos(heading) * gap)
        one = _jagged(
            surface,
            (start[0] + side[0], start[1] + side[1]),
            tip,
            surface.reach * 0.035,
        )
        other = _jagged(
            surface,
            (start[0] - side[0], start[1] - side[1]),
            tip,
            surface.reach * 0.035,
        )
        thread = shade(surface.tone(tip), 1.5)
        surface.picture.paste(
            surface.behind.point(lambda value: value * 0.5),
            (0, 0),
            surface.mask([*one, *reversed(other)]),
        )
        for rim in (one, other):
            surface.stroke(rim, thread, 1.6, 0.85)
            for x, y in rim[1:-1:2]:
                surface.stroke(
                    [(x, y), (x + surface.uniform(-7, 7), y + surface.uniform(-7, 7))],
                    thread,
                    0.9,
                    0.8,
                )


def _stain(surface: Surface) -> None:
    """Soaked-in blobs with a darker rim, and splashes around them."""
    around = surface.tone(surface.centre)
    seen = [
        stain
        for stain in STAINS
        if sum(abs(a - b) for a, b in zip(stain, around, strict=True)) > CONTRAST
    ]
    colour = pick(surface.rng, seen)
    for _ in range(int(surface.rng.integers(1, 4))):
        edge = surface.edge(surface.uniform(0, 2 * pi))
        share = surface.uniform(0.0, 0.65)
        x, y = (
            middle + (rim - middle) * share
            for middle, rim in zip(surface.centre, edge, strict=True)
        )
        radius = surface.reach * surface.uniform(0.26, 0.55)
        blot = surface.mask(_blob(surface, (x, y), radius, 0.22)).filter(
            ImageFilter.GaussianBlur(1.2)
        )
        rim = ImageChops.subtract(blot, blot.filter(ImageFilter.MinFilter(5)))
        strength = surface.uniform(0.5, 0.85)
        surface.picture.paste(
            colour, (0, 0), blot.point(lambda value, by=strength: value * by)
        )
        surface.picture.paste(
            shade(colour, 0.6), (0, 0), rim.point(lambda value: value * 0.6)
        )
        for _ in range(int(surface.rng.integers(2, 7))):
            angle, away = surface.uniform(0, 2 * pi), radius * surface.uniform(1.1, 1.7)
            drop = (x + away * cos(angle), y + away * sin(angle))
            mask = surface.mask(_blob(surface, drop, surface.uniform(1.2, 4), 0.1))
            surface.picture.paste(colour, (0, 0), mask.point(lambda value: value * 0.7))


def _blob(
    surface: Surface, centre: Point, radius: float, roughness: float, corners: int = 22
) -> list[Point]:
    lobes = surface.rng.normal(0, roughness, 4)
    phases = surface.rng.uniform(0, 2 * pi, 4)
    outline = []
    for corner in range(corners):
        angle = 2 * pi * corner / corners
        ripple = sum(
            lobe * sin((order + 2) * angle + phase)
            for order, (lobe, phase) in enumerate(zip(lobes, phases, strict=True))
        )
        distance = radius * max(0.3, 1 + float(ripple))
        outline.append(
            (centre[0] + distance * cos(angle), centre[1] + distance * sin(angle))
        )
    return outline


def _break(surface: Surface) -> None:
    """A piece gone from the edge, its raw side showing, and cracks that run on from it."""
    angle = surface.uniform(0, 2 * pi)
    spot = surface.edge(angle)
    radius = surface.reach * surface.uniform(0.32, 0.6)
    raw = shade(surface.tone(spot), 1.45)
    corners = sorted(
        surface.rng.uniform(0, 2 * pi, int(surface.rng.integers(7, 11))).tolist()
    )
    chunk = []
    for corner in corners:
        distance = radius * surface.uniform(0.75, 1.15)
        chunk.append(
            (spot[0] + distance * cos(corner), spot[1] + distance * sin(corner))
        )
    surface.picture.paste(surface.behind, (0, 0), surface.mask(chunk))
    surface.stroke([*chunk, chunk[0]], raw, 2.2)
    for _ in range(int(surface.rng.integers(2, 5))):
        heading = angle + pi + surface.uniform(-0.9, 0.9)
        length = surface.reach * surface.uniform(0.8, 1.8)
        start = (
            spot[0] + radius * 0.9 * cos(heading),
            spot[1] + radius * 0.9 * sin(heading),
        )
        end = (start[0] + length * cos(heading), start[1] + length * sin(heading))
        crack = _jagged(surface, start, end, surface.reach * 0.05)
        surface.stroke([(x + 1, y + 1) for x, y in crack], raw, 1.0, 0.6)
        surface.stroke(crack, (24, 20, 20), surface.uniform(1.0, 1.9), 0.95)
