"""Tears, stains and breaks drawn onto a photo: simulated, and never said to be anything else.

Every function takes float RGB [H, W, 3] in 0 to 1 and the object's mask, and returns a new picture.
Lengths are shares of the object's size, so that a thumbnail and a large photo are damaged alike.
"""

import numpy as np
from scipy import ndimage

from kindling.synthesis.saliency import background
from kindling.synthesis.strokes import (
    blot,
    direction,
    extent,
    inside,
    line,
    polygon,
    ragged,
    rim,
)

#: Pigments of stains on light things, and of those (bleach, chalk) that show on dark ones.
_DARK_PIGMENTS = np.array(
    [
        (0.32, 0.19, 0.10),
        (0.42, 0.06, 0.14),
        (0.22, 0.19, 0.10),
        (0.10, 0.12, 0.38),
        (0.28, 0.23, 0.15),
        (0.52, 0.25, 0.08),
        (0.22, 0.36, 0.13),
        (0.08, 0.08, 0.09),
    ]
)
_LIGHT_PIGMENTS = np.array(
    [(0.92, 0.86, 0.74), (0.86, 0.87, 0.88), (0.80, 0.72, 0.52), (0.85, 0.62, 0.50)]
)


def torn(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One to two jagged tears that gape, show what is behind, cast a shadow and fray."""
    for _ in range(1 + (rng.random() < 0.35)):
        image = _tear(image, mask, rng)
    return image


def stained(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """One to three soft-edged blots of one pigment, darker at the rim, with a few drops beside them."""
    light = image[mask].mean() > 0.35
    pigment = rng.choice(_DARK_PIGMENTS if light else _LIGHT_PIGMENTS)
    radius = extent(mask) * rng.uniform(0.14, 0.3)
    cover = np.zeros(mask.shape)
    centre = inside(mask, rng)
    for number in range(rng.integers(1, 4)):
        place = centre if number == 0 else centre + rng.normal(0, radius, 2)
        cover = np.maximum(
            cover,
            blot(
                mask.shape,
                place,
                radius * (1 if number == 0 else rng.uniform(0.2, 0.6)),
                rng,
            ),
        )
    for _ in range(rng.integers(0, 6)):
        cover = np.maximum(
            cover,
            blot(
                mask.shape, centre + rng.normal(0, 1.6 * radius, 2), radius * 0.12, rng
            ),
        )
    on_object = ndimage.gaussian_filter(mask.astype(float), 1)
    alpha = (cover * on_object * rng.uniform(0.6, 0.92))[..., None]
    # Pigment soaks in: the cloth's own shading goes on showing through it.
    shade = image.mean(axis=2, keepdims=True) / max(0.15, float(image[mask].mean()))
    return np.asarray(
        np.clip(image * (1 - alpha) + alpha * pigment * np.clip(shade, 0.5, 1.4), 0, 1)
    )


def broken(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A piece missing from the edge, a hole, or a net of cracks; cracks may go with either."""
    kind = rng.choice(["piece", "hole", "cracks", "piece and cracks"])
    if "piece" in kind:
        image = _piece_missing(image, mask, rng)
    if kind == "hole":
        image = _hole(image, mask, rng)
    return _cracks(image, mask, rng) if "cracks" in kind else image


def _tear(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    size = extent(mask)
    steps = np.linspace(0, 1, 28)
    length, gape = size * rng.uniform(0.35, 0.7), size * rng.uniform(0.035, 0.09)
    if rng.random() < 0.5:
        # From the rim inwards, as most tears begin: widest where it begins, and so wider altogether.
        start = inside(rim(mask), rng)
        along = direction(start, inside(mask, rng), rng)
        shape, places = (1 - steps) ** 0.8 * rng.uniform(1.2, 2), steps
    else:
        angle = rng.uniform(0, np.pi)
        start, along = inside(mask, rng), np.array([np.sin(angle), np.cos(angle)])
        shape, places = np.sin(np.pi * steps) ** 0.6, steps - 0.5
    across = np.array([along[1], -along[0]])
    wander = np.cumsum(rng.normal(0, 0.012, steps.size)) * size
    half = gape * shape
    middle = (
        start
        + np.outer(places * length, along)
        + np.outer(wander - wander.mean(), across)
    )
    edges = [
        middle + np.outer(side * half * rng.uniform(0.55, 1.3, steps.size), across)
        for side in (1, -1)
    ]
    opening = polygon(mask.shape, np.vstack([edges[0], edges[1][::-1]])) * mask
    behind = background(image, mask) * rng.uniform(0.35, 0.8)
    image = _opened(image, opening, behind, size, rng)
    threads = [
        np.array(
            [
                edge[i],
                edge[i]
                - side * across * gape * rng.uniform(0.4, 1.4)
                + rng.normal(0, 1, 2),
            ]
        )
        for side, edge in zip((1, -1), edges, strict=True)
        for i in rng.choice(steps.size - 4, 5) + 2
    ]
    lint = (
        np.maximum.reduce([line(mask.shape, thread, 0.7) for thread in threads])
        * opening
    )
    return np.asarray(
        image
        + (lint * 0.7)[..., None]
        * (np.clip(image[mask].mean(axis=0) + 0.25, 0, 1) - image)
    )


def _piece_missing(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    size, place = extent(mask), inside(rim(mask), rng)
    gap = (
        polygon(mask.shape, ragged(place, size * rng.uniform(0.14, 0.26), 0.35, rng))
        * mask
    )
    return _opened(image, gap, background(image, mask), size, rng)


def _hole(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    size = extent(mask)
    hole = (
        polygon(
            mask.shape,
            ragged(inside(mask, rng), size * rng.uniform(0.08, 0.16), 0.3, rng),
        )
        * mask
    )
    return _opened(
        image, hole, background(image, mask) * rng.uniform(0.1, 0.4), size, rng
    )


def _cracks(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    size, impact = extent(mask), inside(mask, rng)
    dark, bright = np.zeros(mask.shape), np.zeros(mask.shape)
    spokes = int(rng.integers(4, 8))
    width, stride = max(1.0, size * 0.012), size * rng.uniform(0.03, 0.06)
    for angle in rng.uniform(0, 2 * np.pi) + np.arange(spokes) * 2 * np.pi / spokes:
        trunk = _crack(impact, angle, stride, rng)
        branches = [
            _crack(
                trunk[int(rng.integers(2, len(trunk)))],
                angle + rng.normal(0, 0.7),
                stride / 2,
                rng,
            )
            for _ in range(rng.integers(0, 3))
        ]
        for path, wide in [
            (trunk, width),
            *((branch, width / 1.6) for branch in branches),
        ]:
            dark = np.maximum(dark, line(mask.shape, path, wide))
            bright = np.maximum(bright, line(mask.shape, path + wide, wide * 0.7))
    bright, dark = bright * mask * 0.35, dark * mask * rng.uniform(0.65, 0.8)
    image = image + bright[..., None] * (1 - image)
    return np.asarray(image * (1 - dark[..., None]))


def _crack(
    start: np.ndarray, angle: float, stride: float, rng: np.random.Generator
) -> np.ndarray:
    """Points, float [10, 2], of a line that sets out at `angle` and keeps turning a little."""
    turns = angle + np.cumsum(rng.normal(0, 0.22, 9))
    return np.asarray(
        start
        + np.vstack(
            [
                np.zeros(2),
                np.cumsum(stride * np.c_[np.sin(turns), np.cos(turns)], axis=0),
            ]
        )
    )


def _opened(
    image: np.ndarray,
    opening: np.ndarray,
    behind: np.ndarray,
    size: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """What is behind shows through; the edge is pale, and throws a shadow into the opening."""
    reach = max(1.0, 0.03 * size)
    pale = np.clip(ndimage.gaussian_filter(opening, 0.5 * reach) * 2, 0, 1) * (
        1 - opening
    )
    image = image + (pale * rng.uniform(0.2, 0.45))[..., None] * (1 - image)
    shadow = np.clip(
        ndimage.shift(1 - opening, (reach, reach), order=1, mode="nearest"), 0, 1
    )
    shade = 1 - 0.55 * ndimage.gaussian_filter(shadow, 0.6 * reach) * opening
    return np.asarray(
        image * (1 - opening[..., None])
        + behind * shade[..., None] * opening[..., None]
    )
