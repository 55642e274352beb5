"""Damage as cloth and hard things take it: worn holes, burst seams, creases, dirt and scratches.

Every function takes float RGB [H, W, 3] in 0 to 1 and the object's mask, and returns a new picture.
"""

import numpy as np
from scipy import ndimage

from kindling.synthesis.saliency import background
from kindling.synthesis.strokes import (
    extent,
    inside,
    line,
    polygon,
    ragged,
    rim,
)

#: Mean of a mask's pixels up to which cloth counts as dark.
_DARK = 0.3
_MUD = np.array([0.24, 0.15, 0.06])
_DUST = np.array([0.70, 0.66, 0.58])


def worn_through(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Two to five frayed holes close together, some of them on creased cloth."""
    if rng.random() < 0.5:
        image = creased(image, mask, rng)
    size, centre = extent(mask), inside(mask, rng)
    for number in range(int(rng.integers(2, 6))):
        place = centre if number == 0 else centre + rng.normal(0, 0.11 * size, 2)
        radius = size * rng.uniform(0.035, 0.085)
        hole = polygon(mask.shape, ragged(place, radius, 0.4, rng)) * mask
        image = _through(image, mask, hole, rng)
    return image


def burst_seam(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A long narrow gap with the stitches that hold it still across it."""
    size, steps = extent(mask), np.linspace(0, 1, 24)
    angle = rng.uniform(-0.35, 0.35) + (np.pi / 2 if rng.random() < 0.3 else 0.0)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([along[1], -along[0]])
    length, gape = size * rng.uniform(0.4, 0.65), size * rng.uniform(0.03, 0.055)
    bend = size * 0.03 * np.sin(np.pi * steps * rng.uniform(0.6, 1.4))
    middle = inside(mask, rng) + np.outer((steps - 0.5) * length, along)
    middle = middle + np.outer(bend, across)
    half = np.outer(gape * np.sin(np.pi * steps) ** 0.5, across)
    gap = polygon(mask.shape, np.vstack([middle + half, (middle - half)[::-1]])) * mask
    image = _through(image, mask, gap, rng)
    thread = np.zeros(mask.shape)
    for at in range(2, steps.size - 2, 3):
        if rng.random() < 0.6:
            slant = along * gape * rng.normal(0, 0.4)
            ends = np.array([middle[at] + half[at], middle[at] - half[at] + slant])
            thread = np.maximum(thread, line(mask.shape, ends, 0.9))
    lint = np.clip(image[mask].mean(axis=0) + 0.3, 0, 1)
    return np.asarray(image + (0.8 * thread * gap)[..., None] * (lint - image))


def creased(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Crumpled cloth: ridges of light with shadow beside them."""
    size = max(extent(mask), 8.0)
    height = np.zeros(mask.shape)
    for _ in range(int(rng.integers(10, 18))):
        start, angle = inside(mask, rng), rng.uniform(0, np.pi)
        reach = size * rng.uniform(0.15, 0.45)
        ends = np.array(
            [start, start + reach * np.array([np.sin(angle), np.cos(angle)])]
        )
        height += line(mask.shape, ends, max(1.0, 0.012 * size))
    height = ndimage.gaussian_filter(height, max(0.8, 0.014 * size))
    slope = ndimage.sobel(height, 0) + ndimage.sobel(height, 1)
    slope /= max(1e-6, float(np.abs(slope).max()))
    shade = 1 + rng.uniform(0.25, 0.45) * slope * mask
    return np.asarray(np.clip(image * shade[..., None], 0, 1))


def dirty(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A smear of mud on light things, of pale dust on dark ones: patchy, without an edge."""
    size, centre = extent(mask), inside(mask, rng)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    turn = rng.uniform(0, np.pi)
    down, right = y - centre[0], x - centre[1]
    long = down * np.cos(turn) + right * np.sin(turn)
    wide = right * np.cos(turn) - down * np.sin(turn)
    spread = size * rng.uniform(0.16, 0.26)
    patch = np.exp(-((long / (1.5 * spread)) ** 2) - (wide / (0.8 * spread)) ** 2)
    grain = sum(
        ndimage.gaussian_filter(rng.normal(0, 1, mask.shape), sigma) * sigma
        for sigma in (max(0.7, 0.012 * size), max(1.4, 0.04 * size))
    )
    grain = (grain - grain.mean()) / max(1e-9, float(grain.std()))
    cover = patch * np.clip(1.0 + 0.5 * grain, 0, 1)
    own = image[mask].mean(axis=0)
    # Of mud and dust, the one that shows more on this thing.
    mud = max(_MUD, _DUST, key=lambda colour: float(np.abs(colour - own).max()))
    alpha = (
        cover * ndimage.gaussian_filter(mask.astype(float), 1) * rng.uniform(0.85, 0.98)
    )
    return np.asarray(
        np.clip(image * (1 - alpha[..., None]) + alpha[..., None] * mud, 0, 1)
    )


def scratched(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Five to twelve scratches in one direction, pale with a dark edge, as on a hard surface."""
    size, centre = extent(mask), inside(mask, rng)
    angle = rng.uniform(0, np.pi)
    pale, dark = np.zeros(mask.shape), np.zeros(mask.shape)
    width = max(1.0, 0.011 * size)
    for _ in range(int(rng.integers(5, 13))):
        start = centre + rng.normal(0, 0.13 * size, 2)
        turn = angle + rng.normal(0, 0.14)
        reach = size * rng.uniform(0.15, 0.5)
        ends = np.array([start, start + reach * np.array([np.sin(turn), np.cos(turn)])])
        pale = np.maximum(pale, line(mask.shape, ends, width))
        dark = np.maximum(dark, line(mask.shape, ends + width, width * 0.8))
    image = image * (1 - 0.65 * (dark * mask)[..., None])
    bare = 1.0 if image[mask].mean() < 0.6 else 0.15
    return np.asarray(image + (0.75 * pale * mask)[..., None] * (bare - image))


def _through(
    image: np.ndarray, mask: np.ndarray, hole: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The inside of the garment in its own shadow, with an edge frayed in the garment's colour."""
    own = image[mask].mean(axis=0)
    within = _seen_through(image, mask, own, rng)
    dark = bool(own.mean() <= _DARK)
    reach = max(0.6, (0.006 if dark else 0.014) * extent(mask))
    fray = np.clip(2 * ndimage.gaussian_filter(hole, reach), 0, 1) * (1 - hole)
    lint = np.clip(own + (0.08 if dark else 0.18), 0, 1)
    image = image + (0.6 * fray * mask)[..., None] * (lint - image)
    shadow = ndimage.shift(1 - hole, (reach, reach), order=1, mode="nearest")
    shade = 1 - 0.5 * ndimage.gaussian_filter(np.clip(shadow, 0, 1), reach) * hole
    opened = image * (1 - hole[..., None]) + within * (shade * hole)[..., None]
    return np.asarray(opened)


def _seen_through(
    image: np.ndarray, mask: np.ndarray, own: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Of light cloth its own inside in shadow; of dark cloth, where that would not show, what lies behind."""
    if own.mean() > _DARK:
        return np.asarray(own * rng.uniform(0.18, 0.35))
    behind = background(image, mask) * rng.uniform(0.7, 0.9)
    skin = np.array([0.72, 0.55, 0.45])
    return behind if behind[mask].mean() > own.mean() + 0.25 else 0.9 * skin + 0 * image


def split_open(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A jagged tear in cloth, mostly from its edge inwards: a wedge or a leaf that shows the inside."""
    size, steps = extent(mask), np.linspace(0, 1, 22)
    length, gape = size * rng.uniform(0.4, 0.7), size * rng.uniform(0.04, 0.08)
    from_rim = rng.random() < 0.6
    start = inside(rim(mask), rng) if from_rim else inside(mask, rng)
    towards = inside(mask, rng) - start
    norm = float(np.hypot(*towards))
    angle = rng.uniform(0, 2 * np.pi)
    along = towards / norm if norm >= 1 else np.array([np.sin(angle), np.cos(angle)])
    across = np.array([along[1], -along[0]])
    shape = 1.5 * (1 - steps) ** 0.8 if from_rim else np.sin(np.pi * steps) ** 0.6
    places = steps if from_rim else steps - 0.5
    wander = np.cumsum(rng.normal(0, 0.014, steps.size)) * size
    middle = start + np.outer(places * length, along) + np.outer(wander, across)
    jag = [gape * shape * rng.uniform(0.5, 1.35, steps.size) for _ in range(2)]
    edges = [
        middle + np.outer(jag[0], across),
        (middle - np.outer(jag[1], across))[::-1],
    ]
    opening = polygon(mask.shape, np.vstack(edges)) * mask
    return _through(image, mask, opening, rng)
