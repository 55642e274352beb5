"""Where the product is in a photo: what differs from the border and lies towards the middle."""

import numpy as np
from scipy import ndimage

#: Share of the picture that an object mask may cover; outside it the middle of the picture stands in.
_PLAUSIBLE = (0.04, 0.9)


def object_mask(image: np.ndarray) -> np.ndarray:
    """bool [H, W], the largest connected salient region of a float RGB image [H, W, 3] in 0 to 1.

    Saliency is distance from the border's median colour under a centre prior, split by Otsu's
    threshold (1979). Where that finds next to nothing or nearly everything: a centred ellipse.
    """
    height, width = image.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    prior = np.exp(-(x**2 + y**2) / 0.9)
    apart = np.linalg.norm(image - border_colour(image), axis=2)
    saliency = ndimage.gaussian_filter(apart, 0.015 * max(height, width)) * prior
    mask = ndimage.binary_fill_holes(saliency > _otsu(saliency))
    labels, count = ndimage.label(mask)
    if count:
        sizes = np.bincount(labels.ravel())[1:]
        mask = ndimage.binary_fill_holes(labels == 1 + int(sizes.argmax()))
    if not _PLAUSIBLE[0] <= mask.mean() <= _PLAUSIBLE[1]:
        return np.asarray((x / 0.6) ** 2 + (y / 0.7) ** 2 < 1)
    return np.asarray(mask)


def border_colour(image: np.ndarray) -> np.ndarray:
    """Median colour, float [3], of the outer twentieth of the picture."""
    band = max(1, min(image.shape[:2]) // 20)
    edges = (image[:band], image[-band:], image[:, :band], image[:, -band:])
    return np.asarray(
        np.median(np.concatenate([edge.reshape(-1, 3) for edge in edges]), axis=0)
    )


def background(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture as it might look without the object: the surroundings, spread over it [H, W, 3]."""
    outside = ~ndimage.binary_dilation(mask, iterations=2)
    # So smooth a picture is the same from every fourth pixel, at a sixteenth of the work.
    step = max(1, max(mask.shape) // 48)
    few, sigma = (
        outside[::step, ::step, None].astype(float),
        0.12 * max(mask.shape) / step,
    )
    weight = ndimage.gaussian_filter(few, (sigma, sigma, 0))
    spread = ndimage.gaussian_filter(image[::step, ::step] * few, (sigma, sigma, 0))
    known = np.clip(weight * 20, 0, 1)
    smooth = known * spread / np.maximum(weight, 1e-6) + (1 - known) * border_colour(
        image
    )
    rows, columns = (
        np.linspace(0, size - 1, full)
        for size, full in zip(few.shape, mask.shape, strict=False)
    )
    grid = np.meshgrid(rows, columns, indexing="ij")
    return np.stack(
        [ndimage.map_coordinates(smooth[..., c], grid, order=1) for c in range(3)],
        axis=2,
    )


def _otsu(values: np.ndarray) -> float:
    counts, edges = np.histogram(values, bins=128)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    mass = np.cumsum(counts * centres)
    between = (
        below
        * above
        * (mass / np.maximum(below, 1) - (mass[-1] - mass) / np.maximum(above, 1)) ** 2
    )
    return float(centres[int(between.argmax())])
