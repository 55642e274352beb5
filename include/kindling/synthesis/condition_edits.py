"""The offline image editor: a real photo, shot again, with the wanted condition drawn onto its object."""

import io
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from kindling.records import Condition
from kindling.synthesis.damage import broken, stained, torn
from kindling.synthesis.ports import EditedPhoto
from kindling.synthesis.reshoot import opened, relight, reshoot
from kindling.synthesis.saliency import object_mask

_DAMAGE: Mapping[
    Condition, Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
] = {
    "torn": torn,
    "stained": stained,
    "broken": broken,
}


class ConditionEdits:
    """ImagePolicy by numpy and Pillow. Every photo is shot again first, so that only damage tells damage."""

    name = "condition-edits/1"

    def __init__(self, longest_side: int) -> None:
        """`longest_side`: pixels of the result's longest side at most."""
        self._longest_side = longest_side

    def edit(
        self, photo: bytes, condition: Condition, rng: np.random.Generator
    ) -> EditedPhoto:
        """A JPEG of the photo's object in that condition; DataError when the bytes are no image."""
        # A stream each, so that shot and light are the same whatever damage lies between them.
        shot, harm, light = rng.spawn(3)
        pixels = (
            np.asarray(reshoot(opened(photo, self._longest_side), shot), dtype=float)
            / 255
        )
        if condition in _DAMAGE:
            pixels = _DAMAGE[condition](pixels, object_mask(pixels), harm)
        pixels = relight(pixels, light)
        out = io.BytesIO()
        Image.fromarray((pixels * 255).round().astype(np.uint8)).save(
            out, "JPEG", quality=int(light.integers(80, 93))
        )
        return EditedPhoto(out.getvalue(), ".jpg", pixels.shape[1], pixels.shape[0])
