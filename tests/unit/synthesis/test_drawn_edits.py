"""Damage changes the object, and enough of it; an intact re-shot stays the same picture."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageOps

from kindling.errors import DataError
from kindling.synthesis.conditions import DAMAGED
from kindling.synthesis.damage import broken, stained, torn
from kindling.synthesis.drawing import DrawnConditions
from kindling.synthesis.saliency import background, object_mask

DRAW = {"torn": torn, "stained": stained, "broken": broken}


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=float) / 255


def test_the_object_is_found(thing: Callable[..., bytes]) -> None:
    mask = object_mask(pixels(thing(3)))
    truth = np.zeros(mask.shape, bool)
    truth[40:170, 40:120] = True
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


def test_an_empty_picture_has_a_middle() -> None:
    mask = object_mask(np.full((60, 80, 3), 0.5))
    assert mask[30, 40] and not mask[0, 0] and 0.2 < mask.mean() < 0.6


def test_background_is_what_surrounds(thing: Callable[..., bytes]) -> None:
    image = pixels(thing(3))
    assert np.abs(background(image, object_mask(image)) - image[0, 0]).max() < 0.06


@pytest.mark.parametrize("condition", DAMAGED)
def test_damage_is_on_the_object_and_large_enough_to_see(
    condition: str, thing: Callable[..., bytes]
) -> None:
    shares, places = [], set()
    for seed in range(12):
        image = pixels(thing(seed))
        mask = object_mask(image)
        result = DRAW[condition](image, mask, np.random.default_rng(seed))
        changed = np.abs(result - image).max(axis=2) > 0.1
        assert result.min() >= 0 and result.max() <= 1
        shares.append(changed.sum() / mask.sum())
        assert changed[mask].sum() / changed.sum() > 0.85
        places.add(tuple(int(v) for v in np.argwhere(changed).mean(axis=0) // 10))
    assert 0.004 < min(shares) and max(shares) < 0.6
    assert np.std(shares) > 0.005
    assert len(places) >= 6


def coarse(image: Image.Image) -> np.ndarray:
    return np.asarray(
        image.convert("RGB").resize((12, 12), Image.Resampling.BOX), dtype=float
    )


def test_intact_is_the_same_picture_again(thing: Callable[..., bytes]) -> None:
    """Seen from afar it is the base photo, mirrored or not, in slightly other light; no two are the same.

    Light may change by .06 (brightness), .04 (warmth) and a tenth of a picture's distance from grey: .15 in all.
    """
    editor = DrawnConditions(192)
    for seed in range(10):
        base = Image.open(io.BytesIO(thing(seed))).convert("RGB")
        edited = editor.edit(thing(seed), "intact", np.random.default_rng(seed))
        image = Image.open(io.BytesIO(edited.data))
        assert (edited.width, edited.height, edited.suffix) == (*image.size, ".jpg")
        alike = max(
            np.corrcoef(coarse(image).ravel(), coarse(one).ravel())[0, 1]
            for one in (base, ImageOps.mirror(base))
        )
        assert alike > 0.8
        assert (
            np.abs((coarse(image) - coarse(base)).mean(axis=(0, 1))).max() < 0.15 * 255
        )
        assert (
            edited.data
            != editor.edit(
                thing(seed), "intact", np.random.default_rng(seed + 100)
            ).data
        )


@pytest.mark.parametrize("condition", ["intact", *DAMAGED])
def test_edits_are_deterministic_and_small(
    condition: str, thing: Callable[..., bytes]
) -> None:
    editor = DrawnConditions(64)
    one, two = (
        editor.edit(thing(1), condition, np.random.default_rng(4)) for _ in range(2)
    )
    assert one == two
    assert max(one.width, one.height) <= 64


@pytest.mark.parametrize("condition", DAMAGED)
def test_from_equal_generators_only_the_damage_differs(
    condition: str, thing: Callable[..., bytes]
) -> None:
    for seed in range(6):
        intact, damaged = (
            pixels(
                DrawnConditions(192)
                .edit(thing(seed), one, np.random.default_rng(seed))
                .data
            )
            for one in ("intact", condition)
        )
        apart = np.abs(damaged - intact).max(axis=2)
        assert 0.004 < (apart > 0.12).mean() < 0.4
        assert np.median(apart) < 0.02, "the shot or its light differs too"


@pytest.mark.parametrize("size", [(33, 240), (240, 33), (40, 40)])
@pytest.mark.parametrize("condition", DAMAGED)
def test_odd_shapes_are_no_error(
    size: tuple[int, int], condition: str, thing: Callable[..., bytes]
) -> None:
    edited = DrawnConditions(192).edit(
        thing(1, size), condition, np.random.default_rng(1)
    )
    assert pixels(edited.data).shape[2] == 3


def test_a_broken_base_photo_is_an_error() -> None:
    with pytest.raises(DataError, match="cannot be read as an image"):
        DrawnConditions(64).edit(b"nothing", "torn", np.random.default_rng(0))
