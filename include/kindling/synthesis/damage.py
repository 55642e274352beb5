"""Tears, stains and breaks drawn onto a photo: simulated, and never said to be anything else.

Every function takes float RGB [H, W, 3] in 0 to 1 and the object's mask, and returns a new picture.
Lengths are shares of the object's size, so that a thumbnail and a large photo are damaged alike.
"""

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from kindling.synthesis.saliency import background

_SUPERSAMPLED = 4
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
    radius = _extent(mask) * rng.uniform(0.14, 0.3)
    cover = np.zeros(mask.shape)
    centre = _inside(mask, rng)
    for number in range(rng.integers(1, 4)):
        place = centre if number == 0 else centre + rng.normal(0, radius, 2)
        cover = np.maximum(
            cover,
            _blot(
                mask.shape,
                place,
                radius * (1 if number == 0 else rng.uniform(0.2, 0.6)),
                rng,
            ),
        )
    for _ in range(rng.integers(0, 6)):
        cover = np.maximum(
            cover,
            _blot(
                mask.shape, centre + rng.normal(0, 1.6 * radius, 2), radius * 0.12, rng
            ),
        )
    on_object = ndimage.gaussian_filter(mask.astype(float), 1)
    alpha = (cover * on_object * rng.uniform(0.6, 0.92))[..., None]
    # Pigment soaks in: the cloth's own shading goes on showing through it.
    shade = image.mean(axis=2, keepdims=True) / max(0.15, float(image[mask].mean()))
    return np.clip(
        image * (1 - alpha) + alpha * pigment * np.clip(shade, 0.5, 1.4), 0, 1
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
    extent = _extent(mask)
    steps = np.linspace(0, 1, 28)
    length, gape = extent * rng.uniform(0.35, 0.7), extent * rng.uniform(0.035, 0.09)
    if rng.random() < 0.5:
        # From the rim inwards, as most tears begin: widest where it begins, and so wider altogether.
        start = _inside(_rim(mask), rng)
        along = _direction(start, _inside(mask, rng), rng)
        shape, places = (1 - steps) ** 0.8 * rng.uniform(1.2, 2), steps
    else:
        angle = rng.uniform(0, np.pi)
        start, along = _inside(mask, rng), np.array([np.sin(angle), np.cos(angle)])
        shape, places = np.sin(np.pi * steps) ** 0.6, steps - 0.5
    across = np.array([along[1], -along[0]])
    wander = np.cumsum(rng.normal(0, 0.012, steps.size)) * extent
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
    opening = _polygon(mask.shape, np.vstack([edges[0], edges[1][::-1]])) * mask
    behind = background(image, mask) * rng.uniform(0.35, 0.8)
    image = _opened(image, opening, behind, extent, rng)
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
        np.maximum.reduce([_line(mask.shape, thread, 0.7) for thread in threads])
        * opening
    )
    return image + (lint * 0.7)[..., None] * (
        np.clip(image[mask].mean(axis=0) + 0.25, 0, 1) - image
    )


def _piece_missing(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    extent, place = _extent(mask), _inside(_rim(mask), rng)
    gap = (
        _polygon(
            mask.shape, _ragged(place, extent * rng.uniform(0.14, 0.26), 0.35, rng)
        )
        * mask
    )
    return _opened(image, gap, background(image, mask), extent, rng)


def _hole(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    extent = _extent(mask)
    hole = (
        _polygon(
            mask.shape,
            _ragged(_inside(mask, rng), extent * rng.uniform(0.08, 0.16), 0.3, rng),
        )
        * mask
    )
    return _opened(
        image, hole, background(image, mask) * rng.uniform(0.1, 0.4), extent, rng
    )


def _cracks(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    extent, impact = _extent(mask), _inside(mask, rng)
    dark, bright = np.zeros(mask.shape), np.zeros(mask.shape)
    spokes = int(rng.integers(4, 8))
    width, stride = max(1.0, extent * 0.012), extent * rng.uniform(0.03, 0.06)
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
            dark = np.maximum(dark, _line(mask.shape, path, wide))
            bright = np.maximum(bright, _line(mask.shape, path + wide, wide * 0.7))
    bright, dark = bright * mask * 0.35, dark * mask * rng.uniform(0.65, 0.8)
    image = image + bright[..., None] * (1 - image)
    return image * (1 - dark[..., None])


def _crack(
    start: np.ndarray, angle: float, stride: float, rng: np.random.Generator
) -> np.ndarray:
    """Points, float [10, 2], of a line that sets out at `angle` and keeps turning a little."""
    turns = angle + np.cumsum(rng.normal(0, 0.22, 9))
    return start + np.vstack(
        [np.zeros(2), np.cumsum(stride * np.c_[np.sin(turns), np.cos(turns)], axis=0)]
    )


def _opened(
    image: np.ndarray,
    opening: np.ndarray,
    behind: np.ndarray,
    extent: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """What is behind shows through; the edge is pale, and throws a shadow into the opening."""
    reach = max(1.0, 0.03 * extent)
    pale = np.clip(ndimage.gaussian_filter(opening, 0.5 * reach) * 2, 0, 1) * (
        1 - opening
    )
    image = image + (pale * rng.uniform(0.2, 0.45))[..., None] * (1 - image)
    shadow = np.clip(
        ndimage.shift(1 - opening, (reach, reach), order=1, mode="nearest"), 0, 1
    )
    shade = 1 - 0.55 * ndimage.gaussian_filter(shadow, 0.6 * reach) * opening
    return (
        image * (1 - opening[..., None])
        + behind * shade[..., None] * opening[..., None]
    )


def _blot(
    shape: tuple[int, int], centre: np.ndarray, radius: float, rng: np.random.Generator
) -> np.ndarray:
    """Cover 0 to 1 of one blot [H, W]: a disc whose edge noise bends, denser at the rim as it dried."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    distance = np.hypot(y - centre[0], x - centre[1]) / max(radius, 1.0)
    noise = ndimage.gaussian_filter(rng.normal(0, 1, shape), max(1.0, radius / 3))
    noise /= max(1e-9, float(noise.std()))
    depth = 1 - distance + 0.28 * noise
    body = np.clip(depth / 0.18, 0, 1)
    rim = np.exp(-(((depth - 0.12) / 0.1) ** 2))
    return np.clip(body * (0.72 + 0.28 * rim), 0, 1)


def _ragged(
    centre: np.ndarray, radius: float, raggedness: float, rng: np.random.Generator
) -> np.ndarray:
    """Corners, float [N, 2], of an irregular polygon."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, 16))
    reach = radius * rng.uniform(1 - raggedness, 1 + raggedness, angles.size)
    return centre + reach[:, None] * np.c_[np.sin(angles), np.cos(angles)]


def _extent(mask: np.ndarray) -> float:
    """Side of a square as large as the object, in pixels."""
    return float(np.sqrt(mask.sum()))


def _rim(mask: np.ndarray) -> np.ndarray:
    """The object's edge, but not where the picture cuts it off; the whole object when nothing else is left."""
    rim = mask & ~ndimage.binary_erosion(mask, iterations=2, border_value=0)
    rim[:3], rim[-3:], rim[:, :3], rim[:, -3:] = False, False, False, False
    return rim if rim.any() else mask


def _direction(
    start: np.ndarray, end: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Unit vector (y, x) from one point to another; a random one where they are the same."""
    apart = end - start
    distance = float(np.hypot(*apart))
    if distance < 1:
        angle = rng.uniform(0, 2 * np.pi)
        return np.array([np.sin(angle), np.cos(angle)])
    return apart / distance


def _inside(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random point (y, x) of the mask; deeper points are likelier."""
    depth = ndimage.distance_transform_edt(mask).ravel()
    point = rng.choice(depth.size, p=depth / depth.sum())
    return np.array(np.unravel_index(point, mask.shape), dtype=float)


def _polygon(shape: tuple[int, int], corners: np.ndarray) -> np.ndarray:
    """Antialiased cover 0 to 1 of a polygon with corners (y, x)."""
    canvas = Image.new("L", (shape[1] * _SUPERSAMPLED, shape[0] * _SUPERSAMPLED))
    ImageDraw.Draw(canvas).polygon(
        [(x * _SUPERSAMPLED, y * _SUPERSAMPLED) for y, x in corners], fill=255
    )
    return _reduced(canvas)


def _line(shape: tuple[int, int], points: np.ndarray, width: float) -> np.ndarray:
    """Antialiased cover 0 to 1 of a line through points (y, x), `width` pixels wide."""
    canvas = Image.new("L", (shape[1] * _SUPERSAMPLED, shape[0] * _SUPERSAMPLED))
    ImageDraw.Draw(canvas).line(
        [(x * _SUPERSAMPLED, y * _SUPERSAMPLED) for y, x in points],
        fill=255,
        width=max(1, round(width * _SUPERSAMPLED)),
    )
    return _reduced(canvas)


def _reduced(canvas: Image.Image) -> np.ndarray:
    return np.asarray(canvas.reduce(_SUPERSAMPLED), dtype=float) / 255
