"""How much of an object looks different after an edit: what cannot be seen is no label.

A change counts where it exceeds both what the eye tells apart on a plain surface and what the
object's own texture does anyway (masking, as in Daly's visible differences predictor, 1993,
reduced to one scale): a tear of 0.2 is plain on a white shirt and lost in a printed dress.
"""

import numpy as np
from scipy import ndimage

#: Change, of 1, that is seen on a plain surface.
_PLAIN = 0.14
#: Multiple of the texture's own contrast that a change must reach.
_MASKED = 1.2
#: Share of the object that must look different.
FLOOR = 0.01


def changed_share(twin: np.ndarray, edited: np.ndarray, mask: np.ndarray) -> float:
    """Share of the object's pixels that look different, from float RGB [H, W, 3] before and after."""
    size = float(np.sqrt(max(1, mask.sum())))
    fine = max(0.6, 0.008 * size)
    before, after = (
        ndimage.gaussian_filter(image, (fine, fine, 0)) for image in (twin, edited)
    )
    wide = max(2.0, 0.05 * size)
    mean = ndimage.gaussian_filter(before, (wide, wide, 0))
    square = ndimage.gaussian_filter(before**2, (wide, wide, 0))
    texture = np.sqrt(np.clip(square - mean**2, 0, None)).max(axis=2)
    # Towards the background the object's own outline is no texture that hides anything.
    texture = np.minimum(texture, _typical(texture, mask) * 2)
    apart = np.abs(after - before).max(axis=2)
    seen = apart > np.maximum(_PLAIN, _MASKED * texture)
    return float((seen & mask).sum() / max(1, mask.sum()))


def _typical(texture: np.ndarray, mask: np.ndarray) -> float:
    deep = ndimage.binary_erosion(mask, iterations=3)
    return float(np.median(texture[deep if deep.any() else mask]))
