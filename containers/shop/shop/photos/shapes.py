"""The forms of the bundled catalogue's products, three variants each."""

from collections.abc import Callable, Mapping
from math import cos, pi, sin

from shop.photos.pen import Pen, profile, shade

WOOD = (150, 106, 70)
METAL = (168, 170, 174)
PAPER = (244, 240, 228)
INK = (44, 42, 44)


def mug(pen: Pen) -> None:
    look = pen.look
    widths = ((0.22, 0.22), (0.26, 0.17), (0.2, 0.27))[look.variant]
    side = 0.5 + max(widths) - 0.01
    pen.ring((side, 0.52), 0.13, 0.15, shade(look.main, 0.82), 0.05, (-90, 90))
    belly = 0.27 if look.variant == 2 else sum(widths) / 2
    pen.polygon(
        profile([(widths[0], 0.26), (belly, 0.55), (widths[1], 0.8)]),
        look.main,
        body=True,
    )
    pen.ellipse((0.5, 0.8), widths[1], 0.035, shade(look.main, 0.85))
    pen.ellipse((0.5, 0.26), widths[0], 0.05, shade(look.main, 1.12))
    pen.ellipse((0.5, 0.265), widths[0] * 0.88, 0.038, shade(look.main, 0.5))


def teapot(pen: Pen) -> None:
    look = pen.look
    belly = (0.27, 0.24, 0.29)[look.variant]
    top = (0.36, 0.3, 0.42)[look.variant]
    pen.ring((0.5 - belly, 0.56), 0.13, 0.15, shade(look.main, 0.8), 0.045, (90, 270))
    pen.polygon(
        [
            (0.5 + belly * 0.8, 0.68),
            (0.5 + belly * 0.85, 0.5),
            (0.86, 0.34),
            (0.93, 0.36),
        ],
        shade(look.main, 0.9),
    )
    pen.polygon(
        profile([(0.12, top), (belly, 0.57), (belly * 0.62, 0.78)]),
        look.main,
        body=True,
    )
    pen.ellipse((0.5, 0.78), belly * 0.62, 0.03, shade(look.main, 0.8))
    pen.ellipse((0.5, top), 0.13, 0.045, shade(look.accent, 1.0))
    pen.ellipse((0.5, top - 0.055), 0.035, 0.035, shade(look.accent, 0.85))


def vase(pen: Pen) -> None:
    look = pen.look
    outline = (
        [(0.1, 0.12), (0.07, 0.3), (0.21, 0.6), (0.13, 0.88)],
        [(0.17, 0.14), (0.13, 0.4), (0.16, 0.65), (0.2, 0.88)],
        [(0.05, 0.12), (0.05, 0.42), (0.23, 0.68), (0.17, 0.88)],
    )[look.variant]
    pen.polygon(profile(outline), look.main, body=True)
    pen.ellipse((0.5, 0.88), outline[-1][0], 0.028, shade(look.main, 0.82))
    pen.ellipse((0.5, 0.12), outline[0][0], 0.025, shade(look.main, 1.15))
    pen.ellipse((0.5, 0.123), outline[0][0] * 0.8, 0.017, shade(look.main, 0.45))


def backpack(pen: Pen) -> None:
    look = pen.look
    dark = shade(look.main, 0.7)
    top = (0.2, 0.14, 0.17)[look.variant]
    pen.ring((0.5, top + 0.01), 0.08, 0.06, dark, 0.025, (180, 360))
    pen.polygon([(0.24, 0.42), (0.19, 0.5), (0.19, 0.82), (0.26, 0.86)], dark)
    pen.polygon([(0.76, 0.42), (0.81, 0.5), (0.81, 0.82), (0.74, 0.86)], dark)
    pen.polygon(
        profile([(0.14, top), (0.25, top + 0.14), (0.27, 0.6), (0.25, 0.9)]),
        look.main,
        body=True,
    )
    if look.variant == 1:
        pen.polygon(
            [(0.27, 0.2), (0.73, 0.2), (0.7, 0.42), (0.3, 0.42)],
            shade(look.accent, 0.95),
        )
        pen.polygon([(0.47, 0.38), (0.53, 0.38), (0.53, 0.5), (0.47, 0.5)], METAL)
    else:
        pen.line(
            [(0.28, 0.4), (0.4, 0.33), (0.6, 0.33), (0.72, 0.4)],
            shade(look.accent, 0.9),
            0.014,
        )
    pen.polygon(
        [(0.31, 0.58), (0.69, 0.58), (0.67, 0.85), (0.33, 0.85)],
        shade(look.main, 0.86),
        body=look.variant == 2,
    )
    pen.line([(0.33, 0.63), (0.67, 0.63)], shade(look.accent, 0.8), 0.012)


def lamp(pen: Pen) -> None:
    look = pen.look
    metal = (WOOD, METAL, look.accent)[look.variant]
    pen.line([(0.5, 0.42), (0.5, 0.84)], shade(metal, 0.9), 0.035)
    if look.variant == 2:
        pen.polygon(
            profile([(0.04, 0.5), (0.14, 0.7), (0.07, 0.86)]), metal, body=False
        )
    pen.ellipse((0.5, 0.87), 0.16, 0.04, shade(metal, 0.75))
    pen.ellipse((0.5, 0.85), 0.16, 0.04, metal)
    widths = ((0.15, 0.29), (0.24, 0.25), (0.1, 0.3))[look.variant]
    pen.polygon(profile([(widths[0], 0.14), (widths[1], 0.5)]), look.main, body=True)
    pen.ellipse((0.5, 0.5), widths[1], 0.03, shade(look.main, 1.2))
    pen.ellipse((0.5, 0.14), widths[0], 0.02, shade(look.main, 0.8))


def towel(pen: Pen) -> None:
    look = pen.look
    left, right = ((0.2, 0.8), (0.27, 0.73), (0.15, 0.85))[look.variant]
    wave = [
        (
            left + (right - left) * step / 12,
            0.84 + 0.015 * sin(step * 1.3 + look.variant),
        )
        for step in range(13)
    ]
    pen.polygon(
        [(left + 0.03, 0.16), (right - 0.03, 0.16), *reversed(wave)],
        look.main,
        body=True,
    )
    fold = left + (right - left) * (0.5, 0.62, 0.35)[look.variant]
    pen.polygon(
        [(fold, 0.16), (fold + 0.03, 0.16), (fold + 0.015, 0.83)],
        shade(look.main, 0.86),
    )
    pen.line([(left + 0.02, 0.8), (right - 0.02, 0.8)], shade(look.accent, 0.9), 0.02)
    pen.ring((0.5, 0.15), 0.03, 0.04, shade(look.accent, 0.8), 0.012, (180, 360))


def cushion(pen: Pen) -> None:
    look = pen.look
    if look.variant == 2:
        pen.polygon(
            [(0.14, 0.36), (0.86, 0.36), (0.86, 0.68), (0.14, 0.68)],
            look.main,
            body=True,
        )
        pen.ellipse((0.14, 0.52), 0.05, 0.16, shade(look.accent, 0.9))
        pen.ellipse((0.86, 0.52), 0.05, 0.16, shade(look.accent, 0.95))
        return
    pinch = (0.05, 0.02)[look.variant]
    corners = [(0.17, 0.2), (0.83, 0.2), (0.83, 0.82), (0.17, 0.82)]
    outline = []
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        for step in range(10):
            share = step / 10
            x, y = x0 + (x1 - x0) * share, y0 + (y1 - y0) * share
            bend = pinch * sin(pi * share)
            outline.append((x + (0.5 - x) * bend * 2, y + (0.51 - y) * bend * 2))
    pen.polygon(outline, look.main, body=True)
    pen.line([*outline, outline[0]], shade(look.accent, 0.9), 0.012)
    if look.variant == 1:
        pen.ellipse((0.5, 0.51), 0.025, 0.025, shade(look.accent, 0.8))


def clock(pen: Pen) -> None:
    look = pen.look
    if look.variant == 1:
        pen.polygon(
            [(0.16, 0.16), (0.84, 0.16), (0.84, 0.84), (0.16, 0.84)],
            look.main,
            body=True,
        )
    else:
        pen.ellipse((0.5, 0.5), 0.37, 0.37 * look.stretch, look.main, body=True)
    pen.ellipse(
        (0.5, 0.5),
        0.3,
        0.3 * look.stretch,
        PAPER if look.variant != 2 else shade(look.accent, 1.1),
    )
    for hour in range(12):
        angle = hour * pi / 6
        inner = 0.24 if hour % 3 == 0 else 0.265
        pen.line(
            [
                (0.5 + r * sin(angle), 0.5 - r * cos(angle) * look.stretch)
                for r in (inner, 0.285)
            ],
            INK,
            0.012,
        )
    for turn, reach, width in ((0.15, 0.15, 0.022), (0.62, 0.23, 0.014)):
        angle = 2 * pi * ((turn + look.stretch * 7) % 1)
        pen.line(
            [(0.5, 0.5), (0.5 + reach * sin(angle), 0.5 - reach * cos(angle))],
            INK,
            width,
        )
    pen.ellipse((0.5, 0.5), 0.02, 0.02, INK)


SHAPES: Mapping[str, Callable[[Pen], None]] = {
    "mug": mug,
    "teapot": teapot,
    "vase": vase,
    "backpack": backpack,
    "lamp": lamp,
    "towel": towel,
    "cushion": cushion,
    "clock": clock,
}
