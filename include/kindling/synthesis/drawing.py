"""Conditions drawn with numpy and Pillow: simulated, marked as such, and visible or refused."""

from collections.abc import Callable, Mapping
from copy import deepcopy

import numpy as np
from PIL import Image
from scipy import ndimage

from kindling.ports.generation import EditedPhoto
from kindling.records import Condition
from kindling.synthesis.damage import broken, stained, torn
from kindling.synthesis.marks import marked_jpeg
from kindling.synthesis.materials import is_cloth
from kindling.synthesis.reshoot import opened, relight, reshoot
from kindling.synthesis.saliency import object_mask
from kindling.synthesis.visibility import FLOOR, changed_share
from kindling.synthesis.wear import (
    burst_seam,
    dirty,
    scratched,
    split_open,
    worn_through,
)

Damage = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]

#: How each kind of thing takes each kind of damage; one way is drawn by lot.
_CLOTH: Mapping[Condition, tuple[Damage, ...]] = {
    "torn": (split_open,),
    "stained": (stained, dirty),
    "broken": (worn_through, burst_seam),
}
_HARD: Mapping[Condition, tuple[Damage, ...]] = {
    "torn": (torn,),
    "stained": (stained, dirty),
    "broken": (broken, broken, scratched),
}


class DrawnConditions:
    """Editor by numpy and Pillow. Every photo is shot again first, so that only damage tells damage."""

    name = "drawn-conditions/2"

    def __init__(
        self,
        longest_side: int,
        blurred: float = 0.0,
        dim: float = 0.0,
        redraws: int = 5,
    ) -> None:
        """`longest_side`: pixels of the result's longest side at most; the rest as in the editor's options."""
        self._longest_side = longest_side
        self._blurred = blurred
        self._dim = dim
        self._redraws = redraws

    @property
    def provenance(self) -> Mapping[str, str]:
        """Nothing but the name: no weights are behind it."""
        return {}

    def edit(
        self,
        photo: bytes,
        condition: Condition,
        rng: np.random.Generator,
        subject: str = "",
    ) -> EditedPhoto:
        """A marked JPEG of the photo's object in that condition; DataError when the bytes are no image.

        A change that cannot be seen is drawn again elsewhere, up to the limit.
        """
        # A stream each, so that shot and light are the same whatever damage lies between them.
        shot, harm, light = rng.spawn(3)
        image = reshoot(opened(photo, self._longest_side), shot)
        base = np.asarray(image, dtype=float) / 255
        twin = self._finished(base, deepcopy(light))
        if condition == "intact":
            return self._encoded(twin, condition, light)
        mask = object_mask(base)
        ways = (_CLOTH if is_cloth(subject) else _HARD)[condition]
        best, share, attempts = twin, 0.0, 0
        while attempts <= self._redraws and share < FLOOR:
            attempts += 1
            damage = ways[int(harm.integers(len(ways)))]
            drawn = self._finished(damage(base, mask, harm), deepcopy(light))
            found = changed_share(twin, drawn, mask)
            if attempts == 1 or found > share:
                best, share = drawn, found
        return self._encoded(best, condition, light, share, attempts)

    def _finished(self, pixels: np.ndarray, light: np.random.Generator) -> np.ndarray:
        """In its light, out of focus or dim where the lot says so."""
        blur, dim, strength = light.random(), light.random(), light.uniform(0.5, 1)
        if blur < self._blurred:
            sigma = strength * 0.005 * max(pixels.shape[:2])
            pixels = ndimage.gaussian_filter(pixels, (sigma, sigma, 0))
        if dim < self._dim:
            pixels = pixels * (1 - 0.45 * strength)
        return relight(pixels, light)

    def _encoded(
        self,
        pixels: np.ndarray,
        condition: Condition,
        light: np.random.Generator,
        share: float | None = None,
        attempts: int = 1,
    ) -> EditedPhoto:
        image = Image.fromarray((pixels * 255).round().astype(np.uint8))
        data = marked_jpeg(image, self.name, condition, int(light.integers(80, 93)))
        visible = share is None or share >= FLOOR
        return EditedPhoto(
            data, ".jpg", image.width, image.height, share, visible, attempts
        )
