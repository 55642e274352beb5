"""What counts as seen: plain on plain cloth, lost in a pattern; and how each kind of thing breaks."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kindling.synthesis.conditions import DAMAGED
from kindling.synthesis.drawing import DrawnConditions
from kindling.synthesis.materials import is_cloth
from kindling.synthesis.saliency import object_mask
from kindling.synthesis.visibility import FLOOR, changed_share
from kindling.synthesis.wear import (
    burst_seam,
    creased,
    dirty,
    scratched,
    split_open,
    worn_through,
)


def cloth(busy: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A grey square on white whose texture has that contrast, and its mask."""
    rng = np.random.default_rng(seed)
    image = np.ones((120, 120, 3))
    mask = np.zeros((120, 120), bool)
    mask[20:100, 20:100] = True
    blocks = rng.choice([-busy, busy], (40, 40)).repeat(3, 0).repeat(3, 1)
    image[mask] = (0.5 + blocks[..., None])[mask]
    return np.clip(image, 0, 1), mask


def spotted(image: np.ndarray, strength: float, side: int = 14) -> np.ndarray:
    changed = image.copy()
    changed[50 : 50 + side, 50 : 50 + side] -= strength
    return np.clip(changed, 0, 1)


def test_the_same_change_is_seen_on_plain_cloth_and_lost_in_a_pattern() -> None:
    (plain, mask), (busy, _) = cloth(0.0), cloth(0.4)
    assert changed_share(plain, spotted(plain, 0.2), mask) >= FLOOR
    assert changed_share(busy, spotted(busy, 0.2), mask) < FLOOR


@given(st.floats(0, 0.5), st.integers(2, 40))
def test_a_stronger_or_larger_change_is_never_seen_less(
    strength: float, side: int
) -> None:
    image, mask = cloth(0.05)
    seen = changed_share(image, spotted(image, strength, side), mask)
    assert 0 <= seen <= 1
    assert changed_share(image, spotted(image, strength + 0.1, side), mask) >= seen
    assert changed_share(image, spotted(image, strength, side + 4), mask) >= seen


def test_no_change_is_not_seen() -> None:
    image, mask = cloth(0.2)
    assert changed_share(image, image, mask) == 0


@pytest.mark.parametrize(
    "damage", [worn_through, burst_seam, dirty, scratched, split_open]
)
def test_wear_is_on_the_object_and_can_be_seen(
    damage: Callable[..., np.ndarray], thing: Callable[..., bytes]
) -> None:
    seen = 0
    for seed in range(12):
        picture = Image.open(io.BytesIO(thing(seed))).convert("RGB")
        image = np.asarray(picture, dtype=float) / 255
        mask = object_mask(image)
        result = damage(image, mask, np.random.default_rng(seed))
        apart = np.abs(result - image).max(axis=2) > 0.1
        assert result.shape == image.shape and 0 <= result.min() <= result.max() <= 1
        assert apart[mask].sum() / max(1, apart.sum()) > 0.85
        seen += changed_share(image, result, mask) >= FLOOR
    assert seen >= 10


def test_creases_shade_cloth_without_changing_it_altogether(
    thing: Callable[..., bytes],
) -> None:
    image = np.asarray(Image.open(io.BytesIO(thing(1))).convert("RGB"), float) / 255
    mask = object_mask(image)
    apart = np.abs(creased(image, mask, np.random.default_rng(1)) - image).max(axis=2)
    assert apart[mask].max() > 0.05
    assert np.median(apart[mask]) < 0.1


@pytest.mark.parametrize(
    ("subject", "cloth"),
    [
        ("Skirts: Skirt style 104", True),
        ("Dresses: Red dress", True),
        ("Teapots: Brown Betty", False),
        ("Lamps: shade", False),
        ("", False),
    ],
)
def test_cloth_is_known_by_its_words(subject: str, cloth: bool) -> None:
    assert is_cloth(subject) == cloth


def test_cloth_and_china_break_in_different_ways(thing: Callable[..., bytes]) -> None:
    """Same photo, same random numbers: the drawn damage differs by what is shown."""
    editor = DrawnConditions(160)
    for condition in ("torn", "broken"):
        one, two = (
            editor.edit(thing(2), condition, np.random.default_rng(5), subject).data
            for subject in ("Shirts: tee", "Teapots: pot")
        )
        assert one != two


@pytest.mark.parametrize("condition", DAMAGED)
def test_what_cannot_be_seen_is_drawn_again_and_then_refused(
    condition: str,
    thing: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shares = iter([0.0, 0.001, FLOOR])
    monkeypatch.setattr(
        "kindling.synthesis.drawing.changed_share", lambda *_: next(shares, 0.0)
    )
    editor = DrawnConditions(96, redraws=3)
    seen = editor.edit(thing(1), condition, np.random.default_rng(1), "Shirts: tee")
    assert (seen.visible, seen.attempts, seen.changed) == (True, 3, FLOOR)
    unseen = editor.edit(thing(1), condition, np.random.default_rng(1), "Shirts: tee")
    assert (unseen.visible, unseen.attempts) == (False, 4)
