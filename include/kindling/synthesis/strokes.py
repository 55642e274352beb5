"""Shapes from which damage is drawn: places on an object, polygons, lines and blots as cover 0 to 1."""

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

_SUPERSAMPLED = 4


def blot(
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
    return np.asarray(np.clip(body * (0.72 + 0.28 * rim), 0, 1))


def ragged(
    centre: np.ndarray, radius: float, raggedness: float, rng: np.random.Generator
) -> np.ndarray:
    """Corners, float [N, 2], of an irregular polygon."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, 16))
    reach = radius * rng.uniform(1 - raggedness, 1 + raggedness, angles.size)
    return np.asarray(centre + reach[:, None] * np.c_[np.sin(angles), np.cos(angles)])


def extent(mask: np.ndarray) -> float:
    """Side of a square as large as the object, in pixels."""
    return float(np.sqrt(mask.sum()))


def rim(mask: np.ndarray) -> np.ndarray:
    """The object's edge, but not where the picture cuts it off; the whole object when nothing else is left."""
    edge = mask & ~ndimage.binary_erosion(mask, iterations=2, border_value=0)
    edge[:3], edge[-3:], edge[:, :3], edge[:, -3:] = False, False, False, False
    return edge if edge.any() else mask


def direction(
    start: np.ndarray, end: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Unit vector (y, x) from one point to another; a random one where they are the same."""
    apart = end - start
    distance = float(np.hypot(*apart))
    if distance < 1:
        angle = rng.uniform(0, 2 * np.pi)
        return np.array([np.sin(angle), np.cos(angle)])
    return np.asarray(apart / distance)


def inside(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random point (y, x) of the mask; deeper points are likelier."""
    depth = ndimage.distance_transform_edt(mask).ravel()
    point = rng.choice(depth.size, p=depth / depth.sum())
    return np.array(np.unravel_index(point, mask.shape), dtype=float)


def polygon(shape: tuple[int, int], corners: np.ndarray) -> np.ndarray:
    """Antialiased cover 0 to 1 of a polygon with corners (y, x)."""
    canvas = Image.new("L", (shape[1] * _SUPERSAMPLED, shape[0] * _SUPERSAMPLED))
    ImageDraw.Draw(canvas).polygon(
        [(x * _SUPERSAMPLED, y * _SUPERSAMPLED) for y, x in corners], fill=255
    )
    return _reduced(canvas)


def line(shape: tuple[int, int], points: np.ndarray, width: float) -> np.ndarray:
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
